"""Is an address alive? From what this node has recorded and what its kernel says; pure."""

from collections.abc import Mapping, Sequence

from outlast.plugin import Condition, Health
from outlast.resources.ip_address.placing import trouble
from outlast.resources.ip_address.record import Record
from outlast.resources.ip_address.rtnetlink import IpAddress, Link, NodeAddress


def health_of(
    record: Record | None, ip: IpAddress | None, links: Mapping[int, Link], addresses: Sequence[NodeAddress]
) -> Health:
    """`ip`: the recorded one, or, where nothing is recorded, the wanted one."""
    there = [one for one in addresses if one.ip == ip]
    ours = [one for one in there if one.is_ours]
    if not ours:
        return _absent(record, links, there)
    link = links.get(ours[0].link)
    if link is None:
        return Health(Condition.UNKNOWN, f"the interface of {ip} has just gone", running=True)
    if record is not None and not record.is_up:
        return Health(Condition.FAILED, f"{ip} was put on {link.name}, and its start did not end", running=True)
    if any(one.is_duplicate for one in ours):
        return Health(Condition.FAILED, f"somebody else has {ip} too", running=True)
    if problem := trouble(link):
        return Health(Condition.FAILED, problem, running=True)
    return Health(Condition.ONLINE, running=True)


def _absent(record: Record | None, links: Mapping[int, Link], others: Sequence[NodeAddress]) -> Health:
    if record is None or not record.is_up:
        return Health(Condition.OFFLINE)
    if all(link.name != record.interface for link in links.values()):
        return Health(Condition.FAILED, f"{record.interface} is gone, and {record.address} with it")
    if others:
        return Health(
            Condition.FAILED,
            f"somebody deleted {record.address} from {record.interface}, and added it anew for himself",
        )
    return Health(Condition.FAILED, f"somebody deleted {record.address} from {record.interface}")
