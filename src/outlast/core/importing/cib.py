"""How is Pacemaker's CIB read? Elements with name and value become mappings; sections may lie anywhere below.

What stands in a template holds for each primitive that names it. What a rule makes hold at certain times only is taken
as if it always held.
"""

import re
from collections.abc import Iterator, Mapping
from xml.etree import ElementTree

import msgspec

from outlast.core.importing.places import NotImportable

Tree = ElementTree.Element
INFINITY = 1_000_000
_UNITS = {"": 1.0, "s": 1.0, "sec": 1.0, "ms": 0.001, "msec": 0.001, "us": 1e-6, "m": 60.0, "min": 60.0, "h": 3600.0}
_DURATION = re.compile(r"(?:PT)?(\d+(?:\.\d+)?)\s*([a-zA-Z]*)")


class Primitive(msgspec.Struct, frozen=True):
    id: str
    agent: str
    """`class:provider:type`"""
    parameters: Mapping[str, str]
    meta: Mapping[str, str]
    """Its own ones."""
    defaults: Mapping[str, str]
    """What holds where it says nothing: of its group, of its template, of all resources."""
    operations: tuple[Mapping[str, str], ...] = ()
    utilization: Mapping[str, str] = msgspec.field(default_factory=dict)
    group: str = ""
    clone: str = ""

    def effective(self, name: str, otherwise: str = "") -> str:
        return self.meta.get(name, self.defaults.get(name, otherwise))


def root_of(text: str) -> Tree:
    """Raises `NotImportable`."""
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise NotImportable(f"the file is not well-formed XML ({error}); give what cibadmin -Q prints") from error
    if root.tag not in ("cib", "configuration") or root.find(".//resources") is None:
        raise NotImportable(f"the file is no CIB: it begins with <{root.tag}>; give what cibadmin -Q prints")
    return root


def primitives(root: Tree) -> list[Primitive]:
    templates = {template.get("id", ""): template for template in root.iterfind(".//resources/template")}
    general = {**_pairs(root.find(".//rsc_defaults"), "meta_attributes")}
    found = []
    for primitive, outer in _with_outer(root):
        template = templates.get(primitive.get("template", ""))
        sources = [one for one in (template, primitive) if one is not None]
        defaults = {**general, **_pairs(template, "meta_attributes"), **_pairs(outer, "meta_attributes")}
        found.append(
            Primitive(
                primitive.get("id", ""),
                _agent(primitive if primitive.get("type") or template is None else template),
                parameters=_merged(sources, "instance_attributes"),
                meta=_pairs(primitive, "meta_attributes"),
                defaults=defaults,
                operations=tuple(dict(op.attrib) for one in sources for op in one.iterfind("operations/op")),
                utilization=_merged(sources, "utilization"),
                group=outer.get("id", "") if outer is not None and outer.tag == "group" else "",
                clone=outer.get("id", "") if outer is not None and outer.tag != "group" else "",
            )
        )
    return found


def nodes(root: Tree) -> tuple[str, ...]:
    return tuple(node.get("uname", "") for node in root.iterfind(".//nodes/node") if node.get("uname"))


def properties(root: Tree) -> dict[str, str]:
    """Of the cluster."""
    return _pairs(root.find(".//crm_config"), "cluster_property_set")


def score(text: str) -> int:
    """INFINITY is a million, and nothing is more."""
    match text.strip().upper():
        case "INFINITY" | "+INFINITY":
            return INFINITY
        case "-INFINITY":
            return -INFINITY
    return max(-INFINITY, min(INFINITY, int(text))) if re.fullmatch(r"[+-]?\d+", text.strip()) else 0


def seconds(text: str) -> float | None:
    """`30`, `30s`, `5min`, `PT1M`; None when it is none."""
    found = _DURATION.fullmatch(text.strip())
    unit = _UNITS.get(found[2].lower()) if found else None
    return float(found[1]) * unit if found and unit is not None else None


def is_on(text: str) -> bool:
    return text.strip().lower() in ("true", "on", "yes", "y", "1")


def _with_outer(root: Tree) -> Iterator[tuple[Tree, Tree | None]]:
    """Each primitive, and the group or clone that it is in."""
    for resources in root.iterfind(".//resources"):
        for element in resources:
            if element.tag == "primitive":
                yield element, None
            elif element.tag in ("group", "clone", "master", "bundle"):
                yield from ((primitive, element) for primitive in element.iter("primitive"))


def _agent(element: Tree) -> str:
    return ":".join(filter(None, (element.get(name) for name in ("class", "provider", "type"))))


def _merged(elements: list[Tree], tag: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for element in elements:
        found |= _pairs(element, tag)
    return found


def _pairs(element: Tree | None, tag: str) -> dict[str, str]:
    if element is None:
        return {}
    pairs = [pair for block in element.iterfind(tag) for pair in block.iterfind("nvpair")]
    return {pair.get("name", ""): pair.get("value", "") for pair in pairs}
