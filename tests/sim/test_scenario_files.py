"""Scenario files: how they are read, what is said about mistakes in them, and that every command is documented."""

import re
from pathlib import Path

import pytest

from outlast.sim.bugs import Bug
from outlast.sim.commands import COMMANDS, BadCommand
from outlast.sim.draws import FAULTS
from outlast.sim.scenario import play, read
from outlast.sim.seeds import Size, script

DOCUMENT = (Path(__file__).parents[2] / "docs" / "simulator.md").read_text()

STORY = """\
# A VM starts.
vm web1
start
run 5
----

# It is killed.
kill vm web1
run 5
----
something else
"""


def test_a_file_is_blocks_of_prose_commands_and_the_expected_log() -> None:
    first, second = read(STORY)
    assert first.prose == ("# A VM starts.",)
    assert first.commands == ("vm web1", "start", "run 5")
    assert first.expected == ()
    assert second.expected == ("something else",)


def test_what_differs_is_shown_with_what_was_expected() -> None:
    played = play(read(STORY))
    assert not played.as_expected
    assert "- something else" in played.differences()
    assert "+      5.0  world  web1 ended on n1: QEMU was killed" in played.differences()


def test_a_rewritten_file_is_as_expected_and_rewriting_it_again_changes_nothing() -> None:
    rewritten = play(read(STORY)).rewritten()
    again = play(read(rewritten))
    assert again.as_expected
    assert again.rewritten() == rewritten


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("explode n1", "there is no command explode"),
        ("kill vm web9", "there is no VM web9; there are: web1"),
        ("power off n9", "there is no node n9; there are: n1, n2, n3"),
        ("power sideways n1", "off, on, reset"),
        ("run soon", "how many seconds"),
        ("power off n1 now", "now is not understood"),
        ("fence n1 explodes", "usage: fence NODE"),
        ("world nodes=2", "must be the first"),
        ("run", "usage: run SECONDS"),
    ],
)
def test_a_mistake_is_told_with_its_line_and_what_would_be_right(line: str, words: str) -> None:
    with pytest.raises(BadCommand, match=re.escape(words)) as told:
        play(read(f"vm web1\nstart\n{line}\n----\n"))
    assert repr(line) in str(told.value)


def test_commands_without_an_expected_log_are_refused() -> None:
    with pytest.raises(BadCommand, match="----"):
        read("vm web1\nstart\n")


def test_a_broken_invariant_stands_in_the_log() -> None:
    story = "world unfenced bugs=take-over-without-proof\nvm web1\nvm web2\nstart\nrun 5\nfreeze n2\nrun 20\n----\n"
    played = play(read(story))
    assert played.broken
    assert any(line.startswith("  BROKEN") and "invariant 3" in line for line in played.logs[0])


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_documented(command: str) -> None:
    assert re.search(rf"`{command}[ `]", DOCUMENT)


@pytest.mark.parametrize("bug", Bug)
def test_every_bug_to_plant_is_documented(bug: Bug) -> None:
    assert f"`{bug.value}`" in DOCUMENT


def test_seeds_between_them_use_every_kind_of_fault() -> None:
    lines = "\n".join(line for seed in range(300) for line in script(seed, Size(nodes=3, vms=3, minutes=10)))
    # Nothing protects from an administrator who is wrong, so no seed has one (`mislead`).
    for verb in set(COMMANDS) - {"show", "skip", "service", "disk", "image", "mislead"}:
        assert re.search(rf"^{verb}\b", lines, re.MULTILINE), f"no seed says {verb}"
    assert len(FAULTS) > 25
