"""What Outlast needs to let the users of a host sign in: the host's own word (PAM), and the groups that they are in.

A module of PAM is a stranger's code: it may ask a server that is away, hang, or break. Whoever implements this answers
in a bounded time all the same, off the loop.
"""

from typing import NamedTuple, Protocol


class HostUser(NamedTuple):
    name: str
    """As PAM and the host call it, which may be another spelling than was typed."""
    groups: tuple[str, ...]
    """Those of the host that it is in; none if the host does not know it."""


class WrongPassword(Exception):
    """The name or the password is wrong, or PAM does not tell more."""


class NotAdmitted(Exception):
    """The password is right, and PAM lets nobody in by it; the text says why."""


class NoAnswer(Exception):
    """PAM could not be asked, or did not answer in time; the text says why and what to do."""


class Pam(Protocol):
    async def ask(self, service: str, name: str, password: str, address: str) -> HostUser:
        """Raises `WrongPassword`, `NotAdmitted` and `NoAnswer`. `address`: from where it is tried; modules are told."""
        ...

    async def why_not(self, service: str) -> str:
        """Why nobody can be asked for here by that service; "" when PAM can be asked."""
        ...
