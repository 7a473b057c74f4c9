"""How is the value of a setting written in words, and what do the words mean?

People write KEY=VALUE: `priority=high`, `possible_owners=n1,n2`, `start_after=db:answers+30`, `failback_hours=22-6`.
What `spelled` writes, `meant` reads again. Values that are no text (a script's numbers, lists) are taken as they are.
"""

import difflib
import enum
import math
import re
import types
from collections.abc import Mapping
from typing import Annotated, Any, Union, get_args, get_origin

import msgspec

from outlast.model.policy import StartAfter, Until

DEFAULT = "default"
"""Written for None: what holds for the cluster."""
DAY_S = 86400.0

Seconds = Annotated[float, msgspec.Meta(ge=0, le=365 * DAY_S)]
Count = Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]
Names = tuple[str, ...]
Hours = tuple[Annotated[int, msgspec.Meta(ge=0, le=23)], Annotated[int, msgspec.Meta(ge=0, le=23)]]
StartsAfter = tuple[StartAfter, ...]

_YES_NO = {"yes": True, "true": True, "on": True, "no": False, "false": False, "off": False}
_START_AFTER = re.compile(rf"(.+?)(?::({'|'.join(until.value for until in Until)}))?(?:\+(\d+(?:\.\d+)?)s?)?")


class NotMeant(Exception):
    """What was written means nothing. The text is for people."""


def assigned(settings: Mapping[str, Any], values: Mapping[str, Any], of: str) -> dict[str, Any]:
    """`settings`: name to type. `of`: whose they are, "a group". Raises `NotMeant`."""
    unknown = sorted(set(values) - set(settings))
    if unknown:
        close = difflib.get_close_matches(unknown[0], settings, n=1)
        known = f"did you mean {close[0]}?" if close else f"it has: {', '.join(settings)}"
        raise NotMeant(f"{of} has no setting {', '.join(unknown)}; {known}")
    return {name: meant(name, value, settings[name]) for name, value in values.items()}


def meant(name: str, written: Any, kind: Any) -> Any:
    """The value of the setting. Raises `NotMeant`."""
    value = _read(written, kind) if isinstance(written, str) else written
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError:
        said = f'"{written}"' if isinstance(written, str) else spelled(written)
        raise NotMeant(f"{name} cannot be {said}: it takes {takes(kind)}") from None


def takes(kind: Any) -> str:
    """What may be written for a setting of this type."""
    special = {
        bool: "yes or no",
        str: "text",
        Names: "names with commas between them",
        Hours: 'two hours of the day, as "22-6"',
        StartsAfter: 'groups with commas between them, each as "db", "db:answers" or "db:online+30" (seconds)',
    }
    if kind in special:
        return special[kind]
    if get_origin(kind) in (Union, types.UnionType):
        return " or ".join(f'"{DEFAULT}"' if one is type(None) else takes(one) for one in get_args(kind))
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        *most, last = (f'"{one.value}"' for one in kind)
        return f"{', '.join(most)} or {last}" if most else last
    if _items(kind) is not None:
        return f"{takes(_items(kind))}, several with commas between them"
    plain, *meta = get_args(kind) if get_origin(kind) is Annotated else (kind,)
    noun = "a whole number" if plain is int else "a number" if plain is float else "a table of names and values"
    return noun + "".join(_bounds(one) for one in meta if isinstance(one, msgspec.Meta))


def choices(kind: Any) -> tuple[str, ...]:
    """All that may be written for a setting of this type, where that is a short list; of a tuple, for each of it."""
    if kind is bool:
        return ("yes", "no")
    of_one = _items(kind) or kind
    return tuple(str(one.value) for one in of_one) if isinstance(of_one, type) and issubclass(of_one, enum.Enum) else ()


def several(kind: Any) -> bool:
    """Any number of values of one kind."""
    return _items(kind) is not None


def spelled(value: Any) -> str:
    """As it is written."""
    match value:
        case None:
            return DEFAULT
        case bool():
            return "yes" if value else "no"
        case int() | float():
            return f"{value:.12g}"
        case enum.Enum():
            return str(value.value)
        case StartAfter():
            until = "" if value.until is Until.ONLINE else f":{value.until.value}"
            return f"{value.group}{until}" + (f"+{value.delay_s:g}" if value.delay_s else "")
        case (int(), int()):
            return f"{value[0]}-{value[1]}"
        case tuple() | list():
            return ",".join(spelled(one) for one in value)
        case Mapping():
            return ",".join(f"{name}={spelled(one)}" for name, one in value.items())
    return str(value)


def _bounds(meta: msgspec.Meta) -> str:
    low, high = meta.ge, meta.le
    if low is not None and high is not None:
        return f" from {low:g} to {high:.12g}"
    return f" of at least {low:g}" if low is not None else f" of at most {high:.12g}" if high is not None else ""


def _read(written: str, kind: Any) -> Any:
    """What it can only mean in a setting of this type; the text itself when nothing is plain."""
    text = written.strip()
    if get_origin(kind) in (Union, types.UnionType):
        others = [one for one in get_args(kind) if one is not type(None)]
        return None if text == DEFAULT else _read(text, others[0])
    if kind is bool:
        return _YES_NO.get(text.lower(), text)
    if kind == Names:
        return [one.strip() for one in text.split(",") if one.strip()]
    if kind == Hours:
        hours = re.fullmatch(r"(\d+)\s*-\s*(\d+)", text)
        return [int(hour) for hour in hours.groups()] if hours else text
    if kind == StartsAfter:
        return [_start_after(one.strip()) for one in text.split(",") if one.strip()]
    if _items(kind) is not None:
        return [_read(one, _items(kind)) for one in text.split(",") if one.strip()]
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return next((one.value for one in kind if _same(str(one.value), text)), text)
    plain = get_args(kind)[0] if get_origin(kind) is Annotated else kind
    return _number(text) if plain in (int, float) else written


def _items(kind: Any) -> Any:
    """What a tuple of that type holds; None when it is none of one kind only."""
    held = get_args(kind)
    return held[0] if get_origin(kind) is tuple and len(held) == 2 and held[1] is ... else None


def _same(one: str, other: str) -> bool:
    """A shell's user would rather write `no-auto-start` than quotes."""
    return re.sub("[-_ ]", " ", one.lower()) == re.sub("[-_ ]", " ", other.lower())


def _number(text: str) -> Any:
    try:
        return int(text)
    except ValueError:
        pass
    try:
        number = float(text)
    except ValueError:
        return text
    return number if math.isfinite(number) else text


def _start_after(text: str) -> StartAfter:
    found = _START_AFTER.fullmatch(text)
    assert found is not None  # the name takes whatever is left
    group, until, delay_s = found.groups()
    return StartAfter(group, Until(until) if until else Until.ONLINE, float(delay_s or 0))
