"""Is the house tidy? Lengths, first docstrings, names of files; and everything that can be named is named in docs/."""

import ast
import enum
import re
import subprocess
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from outlast.core.spelling import spelled
from outlast.model.event import KINDS
from outlast.model.group import Group, Resource
from outlast.model.guest import GuestCare
from outlast.model.settings import Settings
from outlast.service.commands import group_settings, guest_settings, resource_settings
from outlast.service.config import NodeConfig

HOUSE = Path(__file__).parents[1]
DOCS = HOUSE / "docs"
LONGEST_FILE = 500
VAGUE_NAMES = {"utils", "util", "helpers", "helper", "common", "base", "misc"}
_HOSTS = (("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org"), ("docker", "io"), ("ghcr", "io"), ("quay", "io"))
REGISTRIES = re.compile(r"\b(" + "|".join(r"\.".join(parts) for parts in _HOSTS) + r")\b|--index-" + "url")
MENTIONED_TEST = re.compile(r"`(test_[a-z0-9_]+)`")
MENTIONED_SOURCE = re.compile(r"`((?:core|model|service|rhs|ports|adapters|sim|resources)/[\w/]+\.py)`")
LINK = re.compile(r"\]\(([\w./-]+\.md)")


def tracked() -> list[Path]:
    """Files that belong to the project: known to git, or about to be."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=HOUSE, capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    return [path for name in listed.stdout.splitlines() if (path := HOUSE / name).is_file()]


def python_files(*, under: tuple[str, ...] = ("src", "tests", "bench", "examples")) -> list[Path]:
    return [path for path in tracked() if path.suffix == ".py" and path.relative_to(HOUSE).parts[0] in under]


def names(paths: Iterable[Path]) -> list[str]:
    return sorted(str(path.relative_to(HOUSE)) for path in paths)


def test_no_source_file_is_longer_than_can_be_read_at_one_sitting() -> None:
    lengths = {path: len(path.read_text().splitlines()) for path in python_files()}
    assert names(path for path, length in lengths.items() if length > LONGEST_FILE) == []


def test_every_source_file_begins_with_what_it_answers() -> None:
    silent = [path for path in python_files() if not ast.get_docstring(ast.parse(path.read_text()))]
    assert names(silent) == []


def test_no_file_has_a_name_that_says_nothing() -> None:
    assert names(path for path in python_files() if path.stem.strip("_") in VAGUE_NAMES) == []


def test_no_file_names_a_package_registry() -> None:
    mine = Path(__file__)
    found = [
        path for path in tracked() if path != mine and REGISTRIES.search(path.read_bytes().decode(errors="replace"))
    ]
    assert names(found) == []


def test_every_kind_of_event_is_in_the_docs() -> None:
    page = (DOCS / "events.md").read_text()
    assert re.findall(r"^\| `([a-z-]+)` \|", page, re.MULTILINE) == list(KINDS)


@pytest.mark.parametrize(
    "names",
    [
        NodeConfig.__struct_fields__,
        Settings.__struct_fields__,
        tuple(group_settings.SETTINGS),
        tuple(resource_settings.SETTINGS),
    ],
    ids=["node", "cluster", "group", "resource"],
)
def test_every_setting_is_in_the_docs(names: tuple[str, ...]) -> None:
    page = (DOCS / "settings.md").read_text()
    assert [name for name in names if f"`{name}`" not in page] == []


OF_A_RESOURCE = {name: kind for name, kind in resource_settings.SETTINGS.items() if name not in guest_settings.SETTINGS}


@pytest.mark.parametrize(
    ("noun", "settings"),
    [(Group, group_settings.SETTINGS), (Resource, OF_A_RESOURCE), (GuestCare, guest_settings.SETTINGS)],
)
def test_what_can_be_set_of_groups_and_resources_is_theirs_with_the_default_that_the_docs_tell(
    noun: type[msgspec.Struct], settings: dict[str, Any]
) -> None:
    page = (DOCS / "settings.md").read_text()
    defaults = {field.name: field.default for field in msgspec.structs.fields(noun)}
    assert [name for name in settings if name not in defaults] == []
    plain = {name: defaults[name] for name in settings if isinstance(defaults[name], bool | int | float | enum.Enum)}
    told = {
        name: f"{default:g}" if not isinstance(default, bool | enum.Enum) else f"`{spelled(default)}`"
        for name, default in plain.items()
    }
    missing = [name for name, default in told.items() if not re.search(rf"^\|.*`{name}`.* \| {default} \|", page, re.M)]
    assert missing == []


def test_the_defaults_in_the_docs_are_those_of_the_code() -> None:
    page = (DOCS / "settings.md").read_text()
    rows = [f"| `{field.name}` | {_shown(field.default)} |" for field in msgspec.structs.fields(Settings)]
    assert [row for row in rows if row not in page] == []


def _shown(default: object) -> str:
    if isinstance(default, tuple):
        return ", ".join(map(_shown, default))
    if isinstance(default, bool):
        return "`yes`" if default else "`no`"
    if isinstance(default, int | float):
        return f"{default:g}"
    text = str(default.value if isinstance(default, enum.Enum) else default)
    return f"`{text}`" if text else "empty"


@pytest.mark.parametrize("ring", sorted(path.name for path in (HOUSE / "src/outlast").iterdir() if path.is_dir()))
def test_every_ring_says_what_it_is(ring: str) -> None:
    if ring == "__pycache__":
        return
    assert ast.get_docstring(ast.parse((HOUSE / "src/outlast" / ring / "__init__.py").read_text()))


def test_every_test_that_the_docs_mention_exists() -> None:
    written = {
        node.name
        for path in python_files(under=("tests",))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    files = {path.stem for path in python_files(under=("tests",))}
    mentioned = {name for page in DOCS.glob("*.md") for name in MENTIONED_TEST.findall(page.read_text())}
    assert sorted(mentioned - written - files) == []


def test_every_source_file_that_the_docs_mention_exists() -> None:
    mentioned = {name for page in DOCS.glob("*.md") for name in MENTIONED_SOURCE.findall(page.read_text())}
    assert sorted(name for name in mentioned if not (HOUSE / "src/outlast" / name).is_file()) == []


def test_every_page_that_the_docs_link_to_exists() -> None:
    linked = {(page, name) for page in DOCS.glob("*.md") for name in LINK.findall(page.read_text())}
    assert [f"{page.name}: {name}" for page, name in sorted(linked) if not (page.parent / name).is_file()] == []


@pytest.mark.parametrize("module", names(path for path in python_files(under=("src",)) if "core" in path.parts))
def test_every_core_module_has_its_examples(module: str) -> None:
    stem = Path(module).stem
    assert stem == "__init__" or (HOUSE / "tests/core" / f"test_{stem}.py").is_file()


def test_no_two_test_files_have_one_name() -> None:
    """Without packages, Python takes the second one for the first."""
    own = ("conftest.py", "__init__.py")
    names = Counter(path.name for path in (HOUSE / "tests").rglob("*.py") if path.name not in own)
    assert [name for name, times in names.items() if times > 1] == []
