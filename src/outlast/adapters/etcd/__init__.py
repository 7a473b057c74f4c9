"""The cluster database of a real cluster: etcd, through its JSON gateway.

`connection` is one HTTP connection; `wire` is what is said on it; `faults` puts etcd's errors into words and says
which of them leave a write undone for certain; `endpoint` is one member; `access` asks it once; `client` chooses
among members; `database` and `watches` are the database's port, `members` that of who votes, `upkeep` gives back the
space of forgotten history.
"""

from outlast.adapters.etcd.client import Client
from outlast.adapters.etcd.database import EtcdDatabase
from outlast.adapters.etcd.members import EtcdMembers
from outlast.adapters.etcd.upkeep import EtcdUpkeep

__all__ = ["Client", "EtcdDatabase", "EtcdMembers", "EtcdUpkeep"]
