"""Every command is documented, explains itself, and takes what all commands take."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from command_line import Outlast
from outlast.cli import main

pytest_plugins = ("cli_fixtures",)

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
OWN_DOCS = {"lab": "lab.md", "sim": "simulator.md"}
"""Nouns with a document of their own."""
CHANGE = {
    *("balance", "vm check"),
    *(
        "vm create",
        "vm import",
        "vm protect",
        "vm unprotect",
        "vm start",
        "vm stop",
        "vm save",
        "vm shutdown",
        "vm move",
        "vm migrate",
        "vm set",
        "vm probe add",
        "vm probe delete",
    ),
    *("group online", "group offline", "group move", "group set", "group create", "group delete"),
    *("group lock", "group unlock", "group maintenance", "resource create", "resource delete", "resource set"),
    *("resource online", "resource offline", "resource fail", "resource maintenance"),
    *("cluster set", "cluster force-quorum"),
    *("fence add", "fence set", "fence delete", "node fence"),
    *("rule add", "rule delete", "rule enable", "rule disable"),
    *("node pause", "node drain", "node resume", "node release", "node set", "node before-shutdown"),
    *("volume add", "volume set", "volume remove"),
    *("volume create", "volume resize", "volume delete", "volume snapshot"),
    *("node confirm-down", "cluster add-witness", "cluster release"),
}


def commands() -> Iterator[tuple[str, Any]]:
    """Every command of the program: its words, and what typer knows about it."""

    def walk(words: str, command: Any) -> Iterator[tuple[str, Any]]:
        if hasattr(command, "commands"):
            for name, below in command.commands.items():
                yield from walk(f"{words} {name}", below)
        else:
            yield words, command

    for noun in main.NOUNS:
        yield from walk(noun, main.load(noun))


OWN = [(words, command) for words, command in commands() if words.split()[0] not in OWN_DOCS]


@pytest.mark.parametrize("words", [words for words, _ in OWN])
def test_every_command_is_in_the_manual(words: str) -> None:
    assert f"`outlast {words}`" in (DOCS / "commands.md").read_text()


def test_the_manual_documents_no_command_that_does_not_exist() -> None:
    there = {words for words, _ in commands()}
    told = set(re.findall(r"^\| `outlast ([a-z -]+)` \|", (DOCS / "commands.md").read_text(), re.MULTILINE))
    assert told
    assert told <= there


def test_no_text_of_ours_names_a_command_that_does_not_exist() -> None:
    """Messages say "then `outlast group online web`": it had better be there."""
    verbs = {noun: set(getattr(main.load(noun), "commands", {})) for noun in main.NOUNS}
    texts = [ROOT / "README.md", *ROOT.glob("docs/*.md"), *ROOT.glob("src/outlast/**/*.py")]
    wrong = [
        f"{path.relative_to(ROOT)}: outlast {noun} {verb}"
        for path in texts
        for noun, verb in re.findall(r"\boutlast ([a-z-]+) ([a-z][a-z-]*)", path.read_text())
        if verbs.get(noun) and verb not in verbs[noun]
    ]
    assert wrong == []


@pytest.mark.parametrize(("words", "command"), list(commands()))
def test_every_command_and_option_explains_itself(words: str, command: Any) -> None:
    assert command.help, words
    undocumented = [parameter.name for parameter in command.params if not getattr(parameter, "help", "x")]
    assert undocumented == []


@pytest.mark.parametrize(("words", "command"), OWN)
def test_every_command_answers_in_json_and_those_that_change_something_wait(words: str, command: Any) -> None:
    options = {option for parameter in command.params for option in parameter.opts}
    assert "--json" in options
    assert ("--wait" in options) == (words in CHANGE)


@pytest.mark.parametrize("arguments", [(), *((noun,) for noun in main.NOUNS)])
def test_help_is_there_at_every_level(outlast: Outlast, arguments: tuple[str, ...]) -> None:
    ended = outlast(*arguments, "--help")
    assert ended.code == 0
    assert "Usage: outlast" in ended.out


def test_the_root_help_lists_every_noun_under_its_heading(outlast: Outlast) -> None:
    out = outlast("--help").out
    assert [heading for heading in (main.LOOK, main.MANAGE, main.TRY) if heading not in out] == []
    assert [noun for noun in main.NOUNS if f" {noun} " not in out] == []


def test_a_noun_without_a_verb_shows_its_help(outlast: Outlast) -> None:
    ended = outlast("vm")
    assert ended.code == 2
    assert "protect" in ended.out
    assert ended.err == ""
