"""What the pages about safety promise is there: the tests that they name, the mutations, the scenarios, the files."""

import re
from pathlib import Path

import pytest

from mutations.catalog import IN_A_LAB, MUTATIONS
from mutations.policies import POLICIES

ROOT = Path(__file__).parents[1]
PAGES = {name: (ROOT / "docs" / name).read_text() for name in ("safety.md", "track-record.md")}
TOLD = {
    file.name: file.read_text()
    for file in (*(ROOT / "docs").glob("*.md"), *(ROOT / "adr").glob("*.md"), *ROOT.glob("*.md"))
}
SCENARIO = r"\d+-[\w-]+\.txt"
BY_NUMBER = r"\bscenarios?[\s`/]+\d+(?!\d*-[\w-]+\.txt)\b"
DEFINED = {
    name
    for file in (ROOT / "tests").rglob("*.py")
    for name in re.findall(r"^(?:async )?def (test_\w+)", file.read_text(), re.M)
}


@pytest.mark.parametrize("page", PAGES)
def test_every_test_that_a_page_names_is_there(page: str) -> None:
    named = set(re.findall(r"`(test_\w+)`", PAGES[page]))
    assert len(named) >= 15
    assert named - DEFINED == set()


def test_every_scenario_that_any_page_names_is_there() -> None:
    there = {file.name for file in (ROOT / "tests/scenarios").glob("*.txt")}
    assert {name for name in there if not re.fullmatch(SCENARIO, name)} == set(), "each would be seen if it were named"
    named = {page: set(re.findall(rf"\b({SCENARIO})", text)) for page, text in TOLD.items()}
    assert len(named["plugins.md"]) >= 10
    assert {page: names - there for page, names in named.items() if names - there} == {}


def test_no_page_names_a_scenario_by_its_number_for_several_have_the_same() -> None:
    assert re.findall(BY_NUMBER, "scenario 13, scenarios `210`, tests/scenarios/15") == [
        "scenario 13",
        "scenarios `210",
        "scenarios/15",
    ]
    assert re.findall(BY_NUMBER, "the scenarios `13-plugin-damaged.txt` to `14-x.txt`") == []
    assert {page: found for page, text in TOLD.items() if (found := re.findall(BY_NUMBER, text))} == {}


def test_every_file_that_is_said_to_keep_a_rule_is_there() -> None:
    named = set(re.findall(r"`((?:core|service|rhs|ports|sim)/[\w/]+\.py)`", PAGES["safety.md"]))
    assert len(named) >= 20
    assert {name for name in named if not (ROOT / "src/outlast" / name).is_file()} == set()


def test_every_mutation_stands_beside_the_rule_that_it_breaks() -> None:
    rules = re.split(r"^## (\d+)\. ", PAGES["safety.md"], flags=re.M)
    told = {int(number): text for number, text in zip(rules[1::2], rules[2::2], strict=True)}
    missing = [one.name for one in (*MUTATIONS, *IN_A_LAB) if f"`{one.name}`" not in told[one.rule]]
    for model in ("takeover", "promises", "voting", "migration"):
        defined = re.findall(r"^#define (\w+) +\d+ +/\* rule (\d+): ", (ROOT / f"models/{model}.pml").read_text(), re.M)
        for name, rule in defined:
            words = f"`{model}/{name.lower().replace('_', '-')}`"
            missing += [] if words in told[int(rule)] else [words]
    assert missing == []


def test_the_numbers_of_mutations_in_the_track_record_are_right() -> None:
    models = [file.read_text() for file in (ROOT / "models").glob("*.pml")]
    of_models = sum(len(re.findall(r"^#define \w+ +\d+ +/\* rule ", text, re.M)) for text in models)
    words = f"{len(MUTATIONS)} mutations of the code (`make mutations`) and {of_models} of the formal models"
    assert words in PAGES["track-record.md"]
    assert f"{len(POLICIES)} more mutations of the code" in PAGES["track-record.md"]
