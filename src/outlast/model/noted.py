"""What the event log was told last of protection: so that whoever coordinates tells each change once. Key `noted`."""

from collections.abc import Mapping

import msgspec


class Noted(msgspec.Struct, frozen=True):
    broken: bool = False
    """The promise to survive lost nodes does not hold."""
    levels: Mapping[str, str] = msgspec.field(default_factory=dict)
    """Groups that are to run and are less than protected: "at risk" or "not protected"."""
