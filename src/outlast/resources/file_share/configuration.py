"""What must be true of a share, and what does its smbd read? From the properties to smb.conf; pure."""

import re
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path

import msgspec

from outlast.plugin import Json

PORT = 445
KEPT = ".outlast-smb"
"""In the share's directory: accounts, passwords and identity of its server, which go where the directory goes. That it
is there also tells the storage from an empty place where it should be mounted."""

_SHARE = re.compile(r"[^\s\\/\[\]:|<>+=;,*?\"%][^\\/\[\]:|<>+=;,*?\"%\n\r]{0,79}")
_USER = re.compile(r"[@+&]?[A-Za-z0-9_.][A-Za-z0-9_.-]*\$?")
_PATH = re.compile(r"/[^\n\r%]*")
_TRUTHS: Mapping[Json, bool] = {True: True, False: False, "yes": True, "no": False}
_NETBIOS_NAME_LENGTH = 15


class Properties(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    path: str
    address: str
    share: str | int = ""
    users: str = ""
    guest: bool | str = False
    read_only: bool | str = False
    write_through: bool | str = True


class Share(msgspec.Struct, frozen=True):
    path: Path
    address: str
    """Of its group; in the canonical form."""
    name: str
    """What clients call it."""
    users: tuple[str, ...]
    """Who may use it; empty: everybody who has a password here."""
    guest: bool
    """Also those who have none, as the user `nobody`."""
    read_only: bool
    write_through: bool
    """A write is acknowledged when the storage has it, not only the node's memory."""

    @property
    def kept(self) -> Path:
        return self.path / KEPT


def share_of(resource: str, properties: Mapping[str, Json]) -> Share:
    """Raises `ValueError` in words."""
    try:
        told = msgspec.convert(dict(properties), Properties)
    except msgspec.ValidationError as error:
        raise ValueError(f"its properties are not right: {error}; see docs/types-network.md") from None
    try:
        address = str(ip_address(told.address))
    except ValueError:
        raise ValueError(f'"{told.address}" is no address; it is that of the ip_address in the same group') from None
    name = str(told.share) or resource
    if not _SHARE.fullmatch(name):
        raise ValueError(f'"{name}" cannot be the name of a share; say another one: --property share=NAME')
    if not _PATH.fullmatch(told.path):
        raise ValueError(f'"{told.path}" is no path of a directory, from / on and without %')
    users = tuple(user for user in re.split(r"[,\s]+", told.users) if user)
    for user in users:
        if not _USER.fullmatch(user):
            raise ValueError(f'"{user}" is no name of a user (or @group)')
    guest, read_only, write_through = (
        _truth(key, value)
        for key, value in (
            ("guest", told.guest),
            ("read_only", told.read_only),
            ("write_through", told.write_through),
        )
    )
    return Share(Path(told.path), address, name, users, guest, read_only, write_through)


def _truth(key: str, value: bool | str) -> bool:
    if value not in _TRUTHS:
        raise ValueError(f'{key} is yes or no, not "{value}"')
    return _TRUTHS[value]


def smb_conf(share: Share, resource: str, run: Path) -> str:
    """`run`: the directory on the node for what does not outlive a failover: locks, caches, sockets, the log."""
    length = 32 if ip_address(share.address).version == 4 else 128
    server = {
        "server role": "standalone server",
        "netbios name": re.sub(r"[^A-Za-z0-9-]", "-", resource)[:_NETBIOS_NAME_LENGTH],
        "disable netbios": "yes",
        "smb ports": str(PORT),
        # Nothing of the node's own addresses: other shares and the node's own server may use those.
        "interfaces": f"{share.address}/{length}",
        "bind interfaces only": "yes",
        "passdb backend": "tdbsam",
        "private dir": str(share.kept / "private"),
        "state directory": str(share.kept / "state"),
        **{f"{kind} directory": str(run / kind) for kind in ("lock", "cache", "pid")},
        "ncalrpc dir": str(run / "ncalrpc"),
        "log file": str(run / "log"),
        "max log size": "1000",
        "load printers": "no",
        "printcap name": "/dev/null",
        "disable spoolss": "yes",
        "map to guest": "Bad User" if share.guest else "Never",
    }
    section = {
        "path": str(share.path),
        "read only": _yes(share.read_only),
        "guest ok": _yes(share.guest),
        "strict sync": "yes",
        "sync always": _yes(share.write_through),
        "veto files": f"/{KEPT}/",
        **({"valid users": " ".join(share.users)} if share.users else {}),
    }
    return f"[global]\n{_lines(server)}\n[{share.name}]\n{_lines(section)}"


def _lines(settings: Mapping[str, str]) -> str:
    return "".join(f"    {key} = {value}\n" for key, value in settings.items())


def _yes(value: bool) -> str:
    return "yes" if value else "no"
