"""Do the formal models hold in every state that they can reach, and does each of their mutations break them?

The models (`models/*.pml`, Promela) are checked exhaustively by spin. A model that stays silent when a rule is taken
out of it proves nothing; so each lists its mutations, and each of them must be found.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

MODELS = Path(__file__).parents[2] / "models"
NAMES = ("takeover", "promises", "voting", "migration")
HANG_S = 400
COMPILE = ("gcc", "-O2", "-DSAFETY", "-DNOREDUCE", "-DNOBOUNDCHECK", "-DNOFAIR", "-DVECTORSZ=2048", "-DMEMLIM=3000")
SEARCH = ("-m5000000", "-w22")

pytestmark = pytest.mark.skipif(
    not (shutil.which("spin") and shutil.which("gcc")), reason="spin or gcc is missing; `make install` installs both"
)


class Mutation(NamedTuple):
    model: str
    name: str
    number: int
    rule: int
    words: str


def mutations() -> Sequence[Mutation]:
    pattern = re.compile(r"^#define (\w+) +(\d+) +/\* rule (\d+): (.*) \*/$", re.MULTILINE)
    found = []
    for model in NAMES:
        for name, number, rule, words in pattern.findall((MODELS / f"{model}.pml").read_text()):
            found.append(Mutation(model, name, int(number), int(rule), words))
    return found


@pytest.fixture(scope="session")
def checkers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One program for each model: it visits every state."""
    built = {}
    for name in NAMES:
        place = tmp_path_factory.mktemp(name)
        shutil.copy(MODELS / f"{name}.pml", place)
        subprocess.run(["spin", "-a", f"{name}.pml"], cwd=place, check=True, timeout=HANG_S, capture_output=True)
        subprocess.run([*COMPILE, "-o", "check", "pan.c"], cwd=place, check=True, timeout=HANG_S, capture_output=True)
        built[name] = place / "check"
    return built


def search(checker: Path, mutation: int = 0) -> str:
    environment = {**os.environ, "MUTATION": str(mutation)}
    done = subprocess.run(
        [checker, *SEARCH], cwd=checker.parent, env=environment, timeout=HANG_S, capture_output=True, text=True
    )
    return done.stdout


@pytest.mark.parametrize("model", NAMES)
def test_no_state_of_a_model_breaks_its_invariants(model: str, checkers: dict[str, Path]) -> None:
    said = search(checkers[model])
    assert "errors: 0" in said, said
    assert "Search not completed" not in said, said
    assert "max search depth too small" not in said, said
    states = re.search(r"(\d+) states, stored", said)
    assert states is not None
    assert int(states[1]) > 1000, "a model that reaches next to nothing shows nothing"


@pytest.mark.parametrize("mutation", mutations(), ids=lambda mutation: f"{mutation.model}: {mutation.name.lower()}")
def test_a_model_without_one_of_its_rules_is_broken(mutation: Mutation, checkers: dict[str, Path]) -> None:
    said = search(checkers[mutation.model], mutation.number)
    assert "assertion violated" in said, f"nobody noticed: {mutation.words}\n{said}"


def test_every_model_has_mutations_of_its_own() -> None:
    by_model = {model: [one for one in mutations() if one.model == model] for model in NAMES}
    for model, found in by_model.items():
        assert len(found) >= 8, model
        assert [one.number for one in found] == list(range(1, len(found) + 1)), "numbered from 1 in order"
