"""What a Hyper-V VM says of itself, whichever way it was written down."""

import msgspec


class Drive(msgspec.Struct, frozen=True):
    path: str
    """On the Hyper-V host; empty: an empty drive, or a disk of the host itself."""
    bus: str
    """`ide` or `scsi`."""
    number: int
    location: int
    medium: bool = False

    @property
    def slot(self) -> str:
        return f"{self.bus}{self.number}:{self.location}"

    @property
    def file(self) -> str:
        return self.path.replace("\\", "/").rpartition("/")[2]

    @property
    def is_difference(self) -> bool:
        return self.path.lower().endswith((".avhd", ".avhdx"))


class Adapter(msgspec.Struct, frozen=True):
    name: str
    switch: str
    """Empty: connected to none."""
    mac: str = ""
    vlan: int = 0

    @property
    def source(self) -> str:
        """As `--bridge` names it."""
        return f"{self.switch}.{self.vlan}" if self.vlan else self.switch


class Source(msgspec.Struct, frozen=True):
    name: str
    memory_mib: int
    uuid: str = ""
    generation: int = 1
    processors: int = 1
    dynamic: bool = False
    minimum_mib: int = 0
    maximum_mib: int = 0
    secure_boot: bool | None = None
    """None: nobody said."""
    drives: tuple[Drive, ...] = ()
    adapters: tuple[Adapter, ...] = ()
    notes: str = ""
    start: str = ""
    """`always`, `if it ran`, `never`; empty: nobody said."""
    stop: str = ""
    """`shut down`, `save`, `turn off`"""
    checkpoints: tuple[str, ...] = ()
    integration: tuple[str, ...] = ()
    clustered: bool = False
    rest: tuple[tuple[str, str], ...] = ()
    """What has no counterpart: its name, and words on it."""
