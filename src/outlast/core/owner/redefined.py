"""What changed in a definition, in words?"""

from collections.abc import Iterator

from outlast.model.health import Features

TOLD = 3
"""So many disks or networks are named."""
_SHORT = {"pc": "pc-i440fx-", "q35": "pc-q35-"}
"""QEMU's short names of machine types; others (virt, pseries) begin their long ones with the short one."""


def changes(was: Features, now: Features) -> str:
    """For people: "memory 1024 -> 2048 MiB, a disk added: /srv/data.img"."""
    return ", ".join(_changes(was, now)) or "its definition"


def elsewhere_unknown(was: Features, now: Features) -> bool:
    """Can nobody tell any more which nodes could run it, by what they were asked about the former definition?"""
    if _another_machine(was.machine, now.machine) or _another_cpu(was.cpu, now.cpu):
        return True
    before, after = ((set(one.disks), set(one.networks), set(one.host_devices)) for one in (was, now))
    return before != after


def _changes(was: Features, now: Features) -> Iterator[str]:
    if was.memory_mib != now.memory_mib:
        yield f"memory {was.memory_mib} -> {now.memory_mib} MiB"
    if was.vcpus != now.vcpus:
        yield f"{was.vcpus} -> {now.vcpus} vCPU"
    yield from _listed("disk", was.disks, now.disks)
    yield from _listed("network", _plain(was.networks), _plain(now.networks))
    if _another_machine(was.machine, now.machine):
        yield f"machine {was.machine} -> {now.machine}"
    if _another_cpu(was.cpu, now.cpu):
        yield f"CPU {was.cpu} -> {now.cpu}"
    yield from _listed("host device", was.host_devices, now.host_devices)


def _another_machine(was: str, now: str) -> bool:
    """libvirt writes out what a definition leaves open, and which of the versions a short name means."""
    return bool(was) and was != now and not now.startswith(_SHORT.get(was, f"{was}-"))


def _another_cpu(was: str, now: str) -> bool:
    return bool(was) and was != now


def _listed(what: str, was: tuple[str, ...], now: tuple[str, ...]) -> Iterator[str]:
    """Two interfaces may be in the same network: what is there twice, counts twice."""
    gone, new = _less(was, now), _less(now, was)
    if len(gone) == len(new) == 1:
        yield f"{what} {gone[0]} -> {new[0]}"
        return
    if new:
        yield f"{_number(what, new)} added: {_named(new)}"
    if gone:
        yield f"{_number(what, gone)} removed: {_named(gone)}"


def _plain(networks: tuple[str, ...]) -> tuple[str, ...]:
    """Its kind says nothing to who changed it."""
    return tuple(one.rpartition("/")[2] for one in networks)


def _less(these: tuple[str, ...], those: tuple[str, ...]) -> list[str]:
    left = list(these)
    for one in those:
        if one in left:
            left.remove(one)
    return left


def _number(what: str, these: list[str]) -> str:
    return f"a {what}" if len(these) == 1 else f"{len(these)} {what}s"


def _named(these: list[str]) -> str:
    more = f" and {len(these) - TOLD} more" if len(these) > TOLD else ""
    return ", ".join(one or "an empty one" for one in these[:TOLD]) + more
