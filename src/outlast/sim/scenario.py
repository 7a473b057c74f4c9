"""How is a scenario file read, played, and compared with what it expects?

A file is a row of blocks: prose (lines that begin with `#`), commands, a line `----`, and the log that must come out,
up to an empty line. `play` carries the commands out in one world and compares; `rewritten` gives the file with the log
that did come out.
"""

import difflib
from dataclasses import dataclass
from pathlib import Path

from outlast.sim import commands
from outlast.sim.commands import BadCommand
from outlast.sim.setup import Setup
from outlast.sim.world import World

_RULE = "----"


@dataclass(frozen=True, slots=True)
class Block:
    first_line: int
    prose: tuple[str, ...]
    commands: tuple[str, ...]
    expected: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Played:
    """What came out of a scenario."""

    blocks: tuple[Block, ...]
    logs: tuple[tuple[str, ...], ...]
    broken: tuple[str, ...]
    """Violations of invariants, and failures of the service. Also in a log that is as expected."""

    @property
    def as_expected(self) -> bool:
        return all(block.expected == log for block, log in zip(self.blocks, self.logs, strict=True))

    def differences(self) -> str:
        lines = []
        for block, log in zip(self.blocks, self.logs, strict=True):
            if block.expected != log:
                lines.append(f"block at line {block.first_line}: {' '.join(block.prose)}")
                lines += difflib.ndiff(block.expected, log)
        return "\n".join(line for line in lines if not line.startswith("?"))

    def rewritten(self) -> str:
        parts = []
        for block, log in zip(self.blocks, self.logs, strict=True):
            parts.append("\n".join([*block.prose, *block.commands, _RULE, *log]) + "\n")
        return "\n".join(parts)


def read(text: str) -> tuple[Block, ...]:
    """Raises `BadCommand` for a block that does nothing."""
    blocks: list[Block] = []
    prose: list[str] = []
    todo: list[str] = []
    expected: list[str] | None = None
    first = 1
    for number, raw in enumerate([*text.splitlines(), ""], 1):
        line = raw.rstrip()
        if expected is not None:
            if line:
                expected.append(line)
                continue
            blocks.append(Block(first, tuple(prose), tuple(todo), tuple(expected)))
            prose, todo, expected, first = [], [], None, number + 1
        elif line == _RULE:
            expected = []
        elif line.startswith("#"):
            prose.append(line)
        elif line:
            todo.append(line)
    if todo:
        raise BadCommand(f"line {first}: after the commands there must be a line {_RULE} and the expected log")
    return tuple(blocks)


def play(blocks: tuple[Block, ...], *, verbose: bool = False) -> Played:
    """Raises `BadCommand` with the line's number."""
    logs = []
    world: World | None = None
    try:
        for block in blocks:
            for line in block.commands:
                try:
                    world = _step(world, line, verbose=verbose)
                except BadCommand as error:
                    raise BadCommand(f"in the block at line {block.first_line}: {line!r}: {error}") from error
            logs.append(tuple(_log(world)))
        return Played(blocks, tuple(logs), tuple(world.broken) if world else ())
    finally:
        if world is not None:
            world.close()


def play_file(path: Path) -> Played:
    return play(read(path.read_text()))


def _step(world: World | None, line: str, *, verbose: bool) -> World:
    if world is None:
        words = commands.parse(line)
        if words.verb == "world":
            return World(commands.setup_from(words), verbose=verbose)
        world = World(Setup(), verbose=verbose)
    if not world.broken:  # it plays no further, and what would be told of it would mislead
        commands.do(world, line)
    return world


def _log(world: World | None) -> list[str]:
    if world is None:
        return []
    broken = [f"  BROKEN  {words}" for words in world.take_broken()]
    return world.story.take() + broken
