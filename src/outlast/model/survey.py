"""A question to nodes, answered through the database: can you see this disk? do you know this VM?"""

from collections.abc import Mapping

import msgspec

from outlast.model.health import Json


class Survey(msgspec.Struct, frozen=True):
    """A question to the plugins of one resource type on some nodes. Key `surveys/ID`; its asker deletes it."""

    id: str
    node: str
    """Who asks."""
    type: str
    verb: str
    arguments: Mapping[str, Json] = msgspec.field(default_factory=dict)
    nodes: tuple[str, ...] = ()
    """Who is asked, and nobody else does it: what one node writes, the others look for."""


class Answer(msgspec.Struct, frozen=True):
    """One node's answer. Key `answers/ID/NODE`."""

    survey: str
    node: str
    result: Json = None
    problem: str = ""
    """Why there is no result, for people."""
    under_way: tuple[str, ...] = ()
    """Of a question what exists there: identities of what may begin to run there yet, whatever the result says."""
