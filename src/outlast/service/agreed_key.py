"""All nodes seal with one key: the one whose id stands in the database."""

import msgspec

from outlast.model import keys
from outlast.model.secret import SecretKey
from outlast.ports.database import Compare, Database, Write
from outlast.ports.secrets import NoSecret, Secrets
from outlast.service.store import READ_TIMEOUT_S, put


async def agreed_key(secrets: Secrets, database: Database) -> tuple[list[Compare], list[Write]]:
    """To be committed with what is sealed. Raises `NoSecret` and `Unavailable`."""
    snapshot = await database.read(keys.SECRET_KEY, timeout_s=READ_TIMEOUT_S)
    entry = next((entry for entry in snapshot.entries if entry.key == keys.SECRET_KEY), None)
    if entry is None:
        return [Compare(keys.SECRET_KEY, 0)], [put(keys.SECRET_KEY, SecretKey(secrets.create()))]
    if msgspec.json.decode(entry.value, type=SecretKey).id != secrets.key_id():
        raise NoSecret(
            "this node has not the key that the cluster's secrets are sealed with; copy /etc/outlast/secrets.key "
            "from a node on which `outlast fence test` works"
        )
    return [Compare(keys.SECRET_KEY, entry.revision)], []
