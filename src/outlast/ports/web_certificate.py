"""What `outlast-web` needs to be believed by browsers and by `outlast --cluster`: certificates of an authority that
signs for it and for nothing else.

It is none of the cluster's own authority: whoever has one of those is believed by libvirt, by etcd and by the other
services; and the key of this one lies where a process without privileges can read it.
"""

from collections.abc import Sequence
from typing import Protocol


class WebCertificate(Protocol):
    def create_authority(self, cluster: str, cluster_id: str) -> tuple[str, str]:
        """Certificate and key of a new authority, as text."""
        ...

    def good(self, authority: str, names: Sequence[str]) -> bool:
        """There is a certificate of that authority for these names, and it is good for a while."""
        ...

    def renew(self, authority: str, key: str, names: Sequence[str]) -> None:
        """Make one, where `outlast-web` finds it. Raises OSError."""
        ...
