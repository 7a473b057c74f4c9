"""What does a fence agent say about itself? Its metadata (XML in the manner of OCF), as values."""

from xml.etree import ElementTree

from outlast.core.fence.fence_parameters import is_secret
from outlast.model.fence import FenceAgent, FenceParameter


def parse(name: str, document: bytes) -> FenceAgent:
    """Raises ValueError when that is no metadata of a fence agent."""
    try:
        root = ElementTree.fromstring(document)
    except ElementTree.ParseError as error:
        raise ValueError(f"it does not describe itself ({error})") from None
    if root.tag != "resource-agent":
        raise ValueError(f"it does not describe itself (a <{root.tag}> where <resource-agent> belongs)")
    return FenceAgent(
        name=name,
        words=root.get("shortdesc", "").strip(),
        description=" ".join((root.findtext("longdesc") or "").split()),
        parameters=tuple(_parameter(found) for found in root.iter("parameter") if found.get("name")),
        actions=tuple(found.get("name", "") for found in root.iter("action")),
        gives_back=any(_unfences(found) for found in root.iter("action")),
    )


def _unfences(action: ElementTree.Element) -> bool:
    """Must be done when a node starts (`automatic`), and by that node itself (`on_target`)?"""
    return action.get("name") == "on" and "1" in (action.get("automatic"), action.get("on_target"))


def _parameter(found: ElementTree.Element) -> FenceParameter:
    content = found.find("content")
    name = found.get("name", "")
    options = [] if content is None else [option.get("value", "") for option in content.iter("option")]
    return FenceParameter(
        name=name,
        type="string" if content is None else content.get("type", "string"),
        required=found.get("required") == "1",
        default="" if content is None else content.get("default", ""),
        choices=tuple(options),
        words=" ".join((found.findtext("shortdesc") or "").split()),
        deprecated=found.get("deprecated") == "1",
        replaces=found.get("obsoletes", ""),
        secret=is_secret(name),
    )
