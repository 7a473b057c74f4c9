"""How is a line of a scenario read: a verb, plain words in order, and `name=value`?"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from outlast.sim.world import World

T = TypeVar("T")


class BadCommand(ValueError):
    """A line that is no command. The text says how it should be."""


@dataclass(slots=True)
class Words:
    """The words of a command behind its verb."""

    verb: str
    usage: str
    plain: list[str]
    named: dict[str, str]

    def next(self, what: str, among: Mapping[str, object] | None = None) -> str:
        if not self.plain:
            raise BadCommand(f"{self.verb}: say which {what}; usage: {self.usage}")
        word = self.plain.pop(0)
        if among is not None and word not in among:
            raise BadCommand(f"{self.verb}: there is no {what} {word}; there are: {', '.join(among)}")
        return word

    def take(self, word: str) -> bool:
        """Is it said? Then it is done with."""
        if word in self.plain:
            self.plain.remove(word)
            return True
        return False

    def seconds(self, name: str, default: float) -> float:
        try:
            return float(self.named.pop(name, default))
        except ValueError as error:
            raise BadCommand(f"{self.verb}: {name} must be a number of seconds") from error

    def one_of(self, name: str, among: Mapping[str, T], default: T) -> T:
        """A word of a few; without a name: the next plain one."""
        word = self.named.pop(name, None) if name else self.next(f"of {', '.join(among)}", among)
        if word is None:
            return default
        if word not in among:
            raise BadCommand(f"{self.verb}: {name} must be one of {', '.join(among)}")
        return among[word]

    def names(self, name: str) -> tuple[str, ...]:
        return tuple(part for part in self.named.pop(name, "").split(",") if part)

    def end(self) -> None:
        left = [*self.plain, *self.named]
        if left:
            raise BadCommand(f"{self.verb}: {' '.join(left)} is not understood; usage: {self.usage}")


Commands = dict[str, tuple[Callable[[World, Words], None], str]]
"""What carries a verb out, and its usage."""
