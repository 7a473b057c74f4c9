"""What stands under `secrets/` in the database: nothing that can be read without the cluster's key."""

import msgspec


class SecretKey(msgspec.Struct, frozen=True):
    """Which key the cluster's secrets are sealed with. Key `secrets/key`."""

    id: str


class Sealed(msgspec.Struct, frozen=True):
    """Keys `secrets/fence/ID`, `secrets/notices/ID` and `secrets/openid/ID`. Written once, never changed."""

    text: str
