"""The answer of a node's service to the topic "alive" on the links between the services."""

import msgspec


class Alive(msgspec.Struct, frozen=True):
    incarnation: str
    """The node's last life; "" when it has lost power since and opened no session yet."""
