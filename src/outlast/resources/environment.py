"""Properties that are variables of an environment: `env.NAME=VALUE`."""

import re
from collections.abc import Mapping

from outlast.plugin import Json

PREFIX = "env."
RESERVED = "OUTLAST_"


def environment_of(properties: Mapping[str, Json]) -> dict[str, str]:
    """Raises ValueError, in words."""
    found = {}
    for name, value in properties.items():
        if name.startswith(PREFIX):
            variable = name.removeprefix(PREFIX)
            if not re.fullmatch(r"[A-Za-z_]\w*", variable) or variable.startswith(RESERVED):
                raise ValueError(f"{name} cannot be set: {variable!r} is no name for a variable, or is Outlast's own")
            if isinstance(value, bool) or not isinstance(value, str | int | float):
                raise ValueError(f"{name} cannot be {value!r}: it takes a text")
            found[variable] = str(value)
    return found
