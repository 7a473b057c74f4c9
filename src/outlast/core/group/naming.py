"""Which names may groups and resources be given?

A VM's name is libvirt's matter; what is named here is written into expressions, lists and shells.
"""

import re

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_LONGEST = 64
_WORDS = ("and", "or")
"""Of what a resource depends on."""


def why_not(name: str) -> str:
    """For people; "" when it can be named so."""
    if not name:
        return "a name has at least one letter"
    if len(name) > _LONGEST:
        return f"it has {len(name)} letters, and {_LONGEST} are the most"
    if name.lower() in _WORDS:
        return f"in what a resource depends on, `{name}` means something else"
    if not _NAME.fullmatch(name):
        return "a name has letters (a to z), digits, `.`, `_` and `-`, and begins with a letter or digit"
    return ""
