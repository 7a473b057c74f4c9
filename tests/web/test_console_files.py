"""What the console is made of: small modules that say what they are for, and nothing from elsewhere."""

import re
from pathlib import Path

import pytest

import outlast.web

FILES = Path(outlast.web.__file__).parent / "console"
LONGEST_FILE = 300
MODULES = sorted(FILES.glob("*.js"))
IMPORTED = re.compile(r'^import \{ ([^}]+) \} from "\./([\w-]+\.js)";', re.M)
EXPORTED = re.compile(r"^export (?:async )?(?:function|const|class) (\w+)", re.M)


def test_there_is_nothing_but_modules_style_sheets_pages_and_a_picture() -> None:
    assert {path.suffix for path in FILES.iterdir()} == {".js", ".css", ".html", ".svg"}


@pytest.mark.parametrize("path", sorted(FILES.iterdir()), ids=lambda path: path.name)
def test_no_file_is_longer_than_can_be_read_at_one_sitting_and_none_names_another_place(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= LONGEST_FILE
    places = set(re.findall(r"https?://[\w.]+", text))
    assert places <= {"http://www.w3.org"}, "only names of kinds of documents, which nobody asks for"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_every_module_begins_with_what_it_answers_and_makes_no_markup_of_text(path: Path) -> None:
    text = path.read_text()
    assert text.startswith("// ")
    assert re.findall(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function", text) == []


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_what_a_module_imports_is_there_and_used(path: Path) -> None:
    text = path.read_text()
    found = IMPORTED.findall(text)
    assert len(found) == len(re.findall(r"^import ", text, re.M))
    rest = IMPORTED.sub("", text)
    for names, source in found:
        exported = EXPORTED.findall((FILES / source).read_text())
        for name in names.split(", "):
            assert name in exported, f"{source} has no {name}"
            assert re.search(rf"\b{name}\b", rest), f"{name} of {source} is not used"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_what_a_module_exports_somebody_uses(path: Path) -> None:
    used = {name for one in MODULES for names, source in IMPORTED.findall(one.read_text()) if source == path.name
            for name in names.split(", ")}  # fmt: skip
    mine = path.read_text()
    alone = [name for name in EXPORTED.findall(mine) if name not in used and len(re.findall(rf"\b{name}\b", mine)) < 2]
    assert alone == []
