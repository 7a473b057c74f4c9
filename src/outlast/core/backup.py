"""What is in a backup, what of it comes back, and who owns what afterwards?

A backup holds every key at one revision. What only describes the moment (sessions, silences, who coordinates, what
owners reported) does not come back: it is not true any more. Neither does ownership count: between the backup and now
anything may have been started anywhere. So a restored database carries a *hold*: nothing is started and nothing is
stopped until somebody has confirmed what runs where (rules 1 and 4).
"""

import hashlib
import zlib
from collections.abc import Collection, Iterable, Mapping, Sequence

import msgspec

from outlast.model import keys
from outlast.model.backup import BackupHeader, Kept, OwnershipReport, RestoreReport
from outlast.model.group import Group, Resource, Wanted
from outlast.model.node import Node
from outlast.model.settings import Settings

FORMAT = 1
MAGIC = b"outlast backup\n"
RESTORED = (
    keys.GROUPS,
    keys.RESOURCES,
    keys.RULES,
    keys.DEFINITIONS,
    keys.NODES,
    keys.USERS,
    keys.API_TOKENS,
    keys.SIGN_IN,
    keys.NOTICES,
    keys.SECRETS,
    keys.EVENTS,
    keys.INPUTS,
)
"""And the cluster's settings."""
LEFT_AS_IT_IS = (
    keys.SESSIONS,
    keys.SILENCES,
    keys.COORDINATOR,
    keys.STATUS,
    keys.SURVEYS,
    keys.ANSWERS,
    keys.CHANGES,
    keys.MEMBERS,
    keys.JOINS,
    keys.NOTED,
    keys.NOTICED,
    keys.SIGNED_IN,
    keys.AUDIT,
)
LOOSE = (keys.EVENTS, keys.INPUTS, keys.SECRETS, keys.USERS, keys.API_TOKENS, keys.SIGN_IN, keys.NOTICES)
"""Records that say nothing of each other. A user who was deleted since the backup comes back with it."""
UNFINISHED = "a backup is being restored"
"""A hold that begins so cannot be lifted: half of the database is still missing."""


class Damaged(ValueError):
    """The file is no backup that could be restored; the text says why."""


class Bundle(msgspec.Struct, frozen=True):
    """What has to be written together, if `group` is still as it was seen."""

    group: str
    """Key of the group, or "" when it is about none."""
    puts: tuple[Kept, ...] = ()
    deletes: tuple[str, ...] = ()


def pack(settings: Settings, node: str, taken_at_s: float, revision: int, kept: Sequence[Kept]) -> bytes:
    body = zlib.compress(msgspec.json.encode(kept))
    header = BackupHeader(
        FORMAT, settings.name, settings.id, node, taken_at_s, revision, len(kept), hashlib.sha256(body).hexdigest()
    )
    return MAGIC + msgspec.json.encode(header) + b"\n" + body


def header_of(data: bytes) -> BackupHeader:
    """Raises `Damaged`."""
    if not data.startswith(MAGIC):
        raise Damaged("it is no backup of Outlast")
    line, end, body = data[len(MAGIC) :].partition(b"\n")
    try:
        header = msgspec.json.decode(line, type=BackupHeader)
    except msgspec.DecodeError as error:
        raise Damaged(f"its header cannot be read: {error}") from error
    if header.format != FORMAT:
        raise Damaged(f"it has format {header.format}, and this version of Outlast reads format {FORMAT}")
    if not end or hashlib.sha256(body).hexdigest() != header.sha256:
        raise Damaged("its checksum is wrong: it was cut off or changed")
    return header


def unpack(data: bytes) -> tuple[BackupHeader, tuple[Kept, ...]]:
    """Raises `Damaged`."""
    header = header_of(data)
    body = data[len(MAGIC) :].partition(b"\n")[2]
    return header, msgspec.json.decode(zlib.decompress(body), type=tuple[Kept, ...])


def held(backup: Iterable[Kept], present: Settings, why: str) -> Settings:
    """The settings of the backup, in this cluster, with a hold: who it is and what its members went through stays, and
    it is armed when it was so then and is now: who disarmed it to restore has not asked for anything else."""
    found = _of(backup, keys.CLUSTER)
    then = msgspec.json.decode(found[keys.CLUSTER], type=Settings) if found else present
    stays = {"name": present.name, "id": present.id, "generation": present.generation}
    return msgspec.structs.replace(then, **stays, armed=then.armed and present.armed, hold=why)


def report(header: BackupHeader, backup: Sequence[Kept], present: Sequence[Kept]) -> RestoreReport:
    then, now = _of(backup, keys.GROUPS), _of(present, keys.GROUPS)
    nodes = sorted(_of(backup, keys.NODES))
    warnings = []
    if _of(backup, keys.SECRET_KEY).get(keys.SECRET_KEY) != _of(present, keys.SECRET_KEY).get(keys.SECRET_KEY):
        warnings.append(
            "passwords of fence devices were sealed with another key than this cluster's: bring "
            "/etc/outlast/secrets.key of that time to every node, or add the devices anew (`outlast fence test` tells)"
        )
    return RestoreReport(
        header,
        restored=tuple(sorted(_name(key) for key in then)),
        forgotten=tuple(sorted(_name(key) for key in now if key not in then)),
        nodes=tuple(_name(key) for key in nodes),
        warnings=tuple(warnings),
    )


def bundles(backup: Sequence[Kept], present: Sequence[Kept]) -> list[Bundle]:
    """Everything to be written after the settings, in order."""
    now = {one.key: one.value for one in present}
    loose = [one for one in backup if one.key.startswith(LOOSE)]
    if keys.SECRET_KEY in now:  # which key this cluster's nodes have is no matter of the past
        loose = [one for one in loose if one.key != keys.SECRET_KEY]
    found = [Bundle("", (one,)) for one in loose if now.get(one.key) != one.value]
    found += [Bundle("", (_node(one, now),)) for one in backup if one.key.startswith(keys.NODES)]
    then = _of(backup, keys.GROUPS)
    # A resource may have been in another group then: it comes back with that one, whichever is written first.
    back = {key for value in then.values() for key in _keys_of(msgspec.json.decode(value, type=Group))}
    for key in _of(present, keys.GROUPS):
        if key not in then:
            group = msgspec.json.decode(now[key], type=Group)
            found.append(Bundle(key, deletes=(key, *(other for other in _keys_of(group) if other not in back))))
    for key, value in then.items():
        found.append(_group(key, value, backup, now, back))
    return found


def ownership(
    groups: Iterable[Group], resources: Mapping[str, Resource], found: Mapping[str, Collection[tuple[str, str]]]
) -> tuple[OwnershipReport, list[str]]:
    """`found`: for each node what runs there, as (type, identity). Also what is in the way, for people."""
    running: dict[str, str] = {}
    placed, off, problems = [], [], []
    for group in groups:
        things = {(resources[name].type, resources[name].identity) for name in group.resources if name in resources}
        nodes = sorted(node for node, there in found.items() if things & set(there))
        if len(nodes) > 1:
            problems.append(f"{group.name} runs on {' and '.join(nodes)}: switch it off on all of them but one")
        elif nodes:
            running[group.name] = nodes[0]
        elif group.wanted is Wanted.ONLINE:
            placed.append(group.name)
        else:
            off.append(group.name)
    return OwnershipReport(running, tuple(sorted(placed)), tuple(sorted(off))), problems


def owned(group: Group, owner: str, confirmed_by: str) -> Group:
    """The group as ownership was confirmed. What runs is wanted to run: it is not stopped because of an old intent."""
    if owner != group.owner:
        group = msgspec.structs.replace(group, owner=owner, epoch=group.epoch + 1)
    if owner and group.wanted is Wanted.OFFLINE:
        group = msgspec.structs.replace(group, wanted=Wanted.ONLINE, wanted_by=confirmed_by, intents=group.intents + 1)
    return msgspec.structs.replace(group, move_to="", received_from="")


def surplus(scheduled: Iterable[str], kept: int) -> list[str]:
    """Of the files of the schedule, whose names sort by time: the oldest, beyond those that are kept."""
    newest_first = sorted(scheduled, reverse=True)
    return newest_first[kept:]


def _group(key: str, value: bytes, backup: Iterable[Kept], now: Mapping[str, bytes], back: Collection[str]) -> Bundle:
    """With its resources and their definitions; `back`: those of all groups. Epochs only rise, also above those given
    out since the backup."""
    group = msgspec.json.decode(value, type=Group)
    before = msgspec.json.decode(now[key], type=Group) if key in now else None
    epoch = max(group.epoch, before.epoch if before is not None else 0) + 1
    # What it was received from then is of the past: what stands anywhere now may be an old copy (rule 9).
    record = msgspec.structs.replace(group, epoch=epoch, move_to="", received_from="", failures=())
    mine = set(_keys_of(group))
    rest = tuple(_without_state(one) for one in backup if one.key in mine)
    gone = tuple(other for other in (_keys_of(before) if before is not None else ()) if other not in back)
    return Bundle(key, (Kept(key, msgspec.json.encode(record)), *rest), gone)


def _without_state(one: Kept) -> Kept:
    """What was saved then may have been gone on from since (rule 13)."""
    if not one.key.startswith(keys.RESOURCES):
        return one
    resource = msgspec.json.decode(one.value, type=Resource)
    return Kept(one.key, msgspec.json.encode(msgspec.structs.replace(resource, saved=None, taken="")))


def _node(one: Kept, now: Mapping[str, bytes]) -> Kept:
    """A node that is there knows its own address better than the past does."""
    if one.key not in now:
        return one
    then, present = (msgspec.json.decode(value, type=Node) for value in (one.value, now[one.key]))
    return Kept(one.key, msgspec.json.encode(msgspec.structs.replace(then, address=present.address)))


def _keys_of(group: Group) -> tuple[str, ...]:
    return tuple(f"{prefix}{name}" for name in group.resources for prefix in (keys.RESOURCES, keys.DEFINITIONS))


def _of(kept: Iterable[Kept], prefix: str) -> dict[str, bytes]:
    return {one.key: one.value for one in kept if one.key.startswith(prefix)}


def _name(key: str) -> str:
    return key.rpartition("/")[2]
