"""What must be online before a resource is? Names of resources of its group, with `and`, `or` and parentheses.

`disk and (ip1 or ip2)`: `and` binds stronger than `or`. A name with blanks or parentheses in it, or one that is `and`
or `or`, stands in brackets: `[my disk]`. What is kept is the canonical text, so that two ways to say the same are the
same.

Nothing here knows states: whoever asks says which resources are online, run, or are to stay (`core/owner/ordering.py`).
"""

import functools
import itertools
import re
from collections.abc import Collection, Iterable, Mapping

import msgspec

from outlast.model.group import Resource

_TOKEN = re.compile(r"\s*(?:(?P<mark>[()])|\[(?P<quoted>[^\[\]]*)\]|(?P<word>[^\s()\[\]]+)|(?P<wrong>\S))")
_PLAIN = re.compile(r"[^\s()\[\]]+")
_WORDS = ("and", "or")


class Malformed(ValueError):
    """It cannot be read; the words say where and why."""


class Name(msgspec.Struct, frozen=True):
    name: str


class AllOf(msgspec.Struct, frozen=True):
    parts: "tuple[Expression, ...]"


class AnyOf(msgspec.Struct, frozen=True):
    parts: "tuple[Expression, ...]"


Expression = Name | AllOf | AnyOf
NOTHING = AllOf(())
"""Of a resource that needs nothing."""


@functools.lru_cache(maxsize=4096)
def parse(text: str) -> Expression:
    """Raises `Malformed`."""
    tokens = _tokens(text)
    if not tokens:
        return NOTHING
    expression, rest = _any_of(tokens, text)
    if rest:
        what = f'"{_shown(rest[0])}"'
        raise Malformed(f'cannot read "{text}": {what} follows without "and" or "or" before it')
    return expression


def canonical(text: str) -> str:
    """The same in the one way in which it is kept. Raises `Malformed`."""
    return _text(parse(text), inside=False)


def names(text: str) -> tuple[str, ...]:
    """The resources that it speaks of, each once. Raises `Malformed`."""
    return tuple(dict.fromkeys(_names(parse(text))))


def satisfied(text: str, online: Collection[str]) -> bool:
    return _holds(parse(text), online)


def missing(text: str, online: Collection[str]) -> str:
    """What is still missing, for people: `disk and (ip1 or ip2)`, less what is online; "" when nothing is."""
    left = _left(parse(text), online)
    return "" if left is None else _text(left, inside=False)


def may_start(resource: Resource, online: Collection[str]) -> bool:
    """Is all online that it needs?"""
    return satisfied(resource.depends_on, online)


def may_stop(name: str, group: Iterable[Resource], running: Collection[str], staying: Collection[str]) -> bool:
    """Does nothing run any more that needs it? `running`: what is not certainly off. `staying`: what is online and is
    to stay so; who is satisfied with that does not need this one."""
    left = [one for one in staying if one != name]
    return not any(
        one.name in running and one.name != name and name in names(one.depends_on) and not may_start(one, left)
        for one in group
    )


def problem(resource: Resource, resources: Mapping[str, Resource]) -> str:
    """Why the resource cannot depend on what it says, for people; "" when it can. `resources`: all there are; how this
    one stands among them does not count."""
    try:
        needed = names(resource.depends_on)
    except Malformed as error:
        return str(error)
    if resource.name in needed:
        return f"{resource.name} cannot need itself"
    siblings = {one.name: one for one in resources.values() if one.group == resource.group} | {resource.name: resource}
    for name in needed:
        other = resources.get(name)
        if other is None:
            known = ", ".join(sorted(one for one in siblings if one != resource.name)) or "none"
            return f'there is no resource "{name}"; of the group {resource.group} it can need: {known}'
        if other.group != resource.group:
            return (
                f"{name} is in the group {other.group}, and {resource.name} in {resource.group}: a resource can need "
                f"those of its own group only; to start one group after another, use `outlast group set "
                f"{resource.group} start_after={other.group}`"
            )
    path = _cycle(resource.name, siblings)
    if path:
        steps = ", ".join(f"{one} needs {other}" for one, other in itertools.pairwise(path))
        return f"{steps}: none of them could ever start"
    return ""


def _tokens(text: str) -> list[tuple[str, str]]:
    """Pairs of a kind ("(", ")", "and", "or", "name") and a name."""
    found: list[tuple[str, str]] = []
    for match in _TOKEN.finditer(text):
        if match["wrong"]:
            raise Malformed(f'cannot read "{text}": "{match["wrong"]}" without its other half')
        if match["mark"]:
            found.append((match["mark"], ""))
        elif match["quoted"] is not None:
            if not match["quoted"].strip():
                raise Malformed(f'cannot read "{text}": there is no name in the brackets')
            found.append(("name", match["quoted"].strip()))
        elif match["word"].lower() in _WORDS:
            found.append((match["word"].lower(), ""))
        else:
            found.append(("name", match["word"]))
    return found


Tokens = list[tuple[str, str]]


def _any_of(tokens: Tokens, text: str) -> tuple[Expression, Tokens]:
    first, tokens = _all_of(tokens, text)
    parts = [first]
    while tokens and tokens[0][0] == "or":
        part, tokens = _all_of(tokens[1:], text)
        parts.append(part)
    return _joined(AnyOf, parts), tokens


def _all_of(tokens: Tokens, text: str) -> tuple[Expression, Tokens]:
    first, tokens = _one(tokens, text)
    parts = [first]
    while tokens and tokens[0][0] == "and":
        part, tokens = _one(tokens[1:], text)
        parts.append(part)
    return _joined(AllOf, parts), tokens


def _one(tokens: Tokens, text: str) -> tuple[Expression, Tokens]:
    if not tokens:
        raise Malformed(f'cannot read "{text}": a name is missing at its end')
    (kind, name), rest = tokens[0], tokens[1:]
    if kind == "name":
        return Name(name), rest
    if kind != "(":
        raise Malformed(f'cannot read "{text}": a name is missing before "{_shown(tokens[0])}"')
    inner, rest = _any_of(rest, text)
    if not rest or rest[0][0] != ")":
        raise Malformed(f'cannot read "{text}": a parenthesis is not closed')
    return inner, rest[1:]


def _joined(kind: type[AllOf] | type[AnyOf], parts: list[Expression]) -> Expression:
    """Flat, and nothing twice."""
    flat: dict[Expression, None] = {}
    for part in parts:
        flat.update(dict.fromkeys(part.parts if isinstance(part, kind) else (part,)))
    return next(iter(flat)) if len(flat) == 1 else kind(tuple(flat))


def _shown(token: tuple[str, str]) -> str:
    return token[1] or token[0]


def _text(expression: Expression, *, inside: bool) -> str:
    if isinstance(expression, Name):
        plain = _PLAIN.fullmatch(expression.name) and expression.name.lower() not in _WORDS
        return expression.name if plain else f"[{expression.name}]"
    word = " and " if isinstance(expression, AllOf) else " or "
    text = word.join(_text(part, inside=True) for part in expression.parts)
    return f"({text})" if inside else text


def _names(expression: Expression) -> list[str]:
    if isinstance(expression, Name):
        return [expression.name]
    return [name for part in expression.parts for name in _names(part)]


def _holds(expression: Expression, online: Collection[str]) -> bool:
    if isinstance(expression, Name):
        return expression.name in online
    held = (_holds(part, online) for part in expression.parts)
    return all(held) if isinstance(expression, AllOf) else any(held)


def _left(expression: Expression, online: Collection[str]) -> Expression | None:
    """None: it holds."""
    if _holds(expression, online):
        return None
    if isinstance(expression, AllOf):
        left = [found for part in expression.parts if (found := _left(part, online)) is not None]
        return _joined(AllOf, left)
    return expression


def _cycle(start: str, group: Mapping[str, Resource]) -> tuple[str, ...]:
    """The way from the resource back to itself; empty when there is none. Any way counts, also one past an `or`: an
    order that depends on which of two came first cannot be told by reading."""
    paths: list[tuple[str, ...]] = [(start,)]
    seen: set[str] = set()
    while paths:
        path = paths.pop(0)
        resource = group.get(path[-1])
        for name in names(resource.depends_on) if resource is not None else ():
            if name == start:
                return (*path, name)
            if name not in seen:
                seen.add(name)
                paths.append((*path, name))
    return ()
