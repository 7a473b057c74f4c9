"""What of a request is written down for those who look later? All but what is secret, and nothing at length."""

import re
from collections.abc import Mapping

from outlast.model.health import Json

HIDDEN = "(hidden)"
LONGEST = 200
MOST = 20
_SECRET = re.compile(r"pass|secret|token|credential|^current$|_key$|^key$", re.IGNORECASE)
_SEALED = ("parameters",)
"""Of fence devices: any of them may be a password."""
_NOT_SECRET = {"cluster.revoke": ("token",)}
"""The id of a joining token; what follows the first eight letters of a whole one is cut off below."""
ID_LETTERS = 8


def told(verb: str, arguments: Mapping[str, Json]) -> dict[str, Json]:
    return {name: _told(verb, name, value) for name, value in list(arguments.items())[:MOST]}


def _told(verb: str, name: str, value: Json) -> Json:
    if name in _NOT_SECRET.get(verb, ()):
        return str(value)[:ID_LETTERS]
    if _SECRET.search(name):
        return HIDDEN
    if isinstance(value, Mapping):
        if name in _SEALED:
            return {str(key): HIDDEN for key in list(value)[:MOST]}
        return {str(key): _told(verb, str(key), inner) for key, inner in list(value.items())[:MOST]}
    if isinstance(value, list | tuple):
        return [_told(verb, "", inner) for inner in value[:MOST]]
    if isinstance(value, str) and len(value) > LONGEST:
        return f"{value[:20]}... ({len(value)} characters)"
    return value


def tries_only(arguments: Mapping[str, Json]) -> bool:
    """It was asked what would happen: nothing was changed."""
    return arguments.get("what_if") is True
