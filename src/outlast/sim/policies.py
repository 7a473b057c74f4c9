"""What have administrators set before a world begins? Groups and what is in them, rules, nodes, the cluster.

A `vm` is a group with one VM in it and takes the options of both; `group` and `resource` make one of several parts.
After the start the same is done with `admin`.
"""

from typing import Any

from outlast.model.group import Group, Resource, Wanted
from outlast.model.guest import GuestCare, OnHang, OnIoError, OnPanic, OnRed, Probe
from outlast.model.inside import Asked
from outlast.model.policy import (
    Balance,
    BalanceMode,
    Failback,
    OnStop,
    Priority,
    Reserve,
    RestartAction,
    StartAfter,
    Until,
)
from outlast.model.rule import Domain, Rule, RuleKind
from outlast.sim import records
from outlast.sim.vms import SIM_TYPE, VM_TYPE, SimVm
from outlast.sim.words import BadCommand, Commands, Words
from outlast.sim.world import World

_OF_GROUP = (
    "[preferred=N,...] [possible=N,...] [threshold=N] [offline] [priority=P] [after=GROUP[:answers][+S],...] [limit=S]"
    " [failback=never|now|window] [hours=H-H] [balance=never|live|always] [retry=S] [locked] [maintenance]"
    " [protects=all|none|NETWORK,...]"
)
_OF_RESOURCE = (
    "[boot=S] [shutdown=S] [transfer=S] [deaf] [agent] [needs=A&(B|C)] [restarts=N] [period=S] [delay=S]"
    " [action=nothing|restart|failover] [memory=MIB] [vcpus=N] [looks=S] [separate] [console=respect|restart]"
    " [guest=respect|restart] [networks=NETWORK,...]"
    " [beat=S] [hang=report|reset] [resets=N] [panic=restart|keep] [io=wait|move] [iolimit=S] [probe=report|restart]"
)


def _vm(world: World, words: Words) -> None:
    name = words.next("name")
    thing, resource = _resource_of(world, words, name, name, VM_TYPE)
    records.add_group(world, _group_of(words, name, (name,)))
    records.add_resource(world, thing, resource)


def _group(world: World, words: Words) -> None:
    records.add_group(world, _group_of(words, words.next("name"), ()))


def _resource(world: World, words: Words) -> None:
    name = words.next("name")
    group = words.named.pop("in", "")
    if group not in world.checks.groups:
        known = ", ".join(sorted(world.checks.groups))
        raise BadCommand(f"resource: there is no group {group or 'said'}; say in=GROUP, and there are: {known}")
    thing, resource = _resource_of(world, words, name, group, words.named.pop("type", SIM_TYPE))
    records.add_resource(world, thing, resource)


def _group_of(words: Words, name: str, resources: tuple[str, ...]) -> Group:
    threshold = words.named.pop("threshold", None)
    hours = words.named.pop("hours", "0-0").split("-")
    return Group(
        name,
        resources,
        wanted=Wanted.OFFLINE if words.take("offline") else Wanted.ONLINE,
        wanted_by="administrator",
        preferred_owners=words.names("preferred"),
        possible_owners=words.names("possible"),
        failover_threshold=None if threshold is None else int(threshold),
        priority=words.one_of("priority", {one.value.replace(" ", "-"): one for one in Priority}, Priority.MEDIUM),
        start_after=tuple(_after(text) for text in words.names("after")),
        start_limit_s=words.seconds("limit", 600.0),
        failback=words.one_of("failback", {one.value: one for one in Failback}, Failback.NEVER),
        failback_hours=(int(hours[0]), int(hours[-1])),
        balance=words.one_of("balance", {one.value: one for one in Balance}, Balance.LIVE),
        retry_after_s=words.seconds("retry", 3600.0),
        locked="its owner said so" if words.take("locked") else "",
        maintenance="it is being worked on" if words.take("maintenance") else "",
        protected_networks=_protected(words.named.pop("protects", "all")),
    )


def _protected(text: str) -> tuple[str, ...] | None:
    if text == "all":
        return None
    return () if text == "none" else tuple(text.split(","))


def _after(text: str) -> StartAfter:
    """`db`, `db:answers`, `db+10`, `db:answers+10`."""
    rest, _, delay = text.partition("+")
    group, _, until = rest.partition(":")
    return StartAfter(group, Until(until or "online"), float(delay or 0.0))


def _resource_of(world: World, words: Words, name: str, group: str, type: str) -> tuple[SimVm, Resource]:
    memory_mib = int(words.named.pop("memory", 0))
    thing = SimVm(
        name,
        world.identity(name),
        type,
        boot_s=words.seconds("boot", 1.0),
        shutdown_s=words.seconds("shutdown", 2.0),
        agent=words.take("agent"),
        transfer_s=words.seconds("transfer", 1.5),
        ignores_shutdown=words.take("deaf"),
        memory_mib=memory_mib or 512,
        networks=words.names("networks"),
        volume=words.named.pop("on", ""),
    )
    resource = Resource(
        name,
        type,
        group,
        identity=thing.identity,
        online_timeout_s=world.setup.online_timeout_s,
        offline_timeout_s=world.setup.offline_timeout_s,
        memory_mib=memory_mib,
        networks=tuple(f"bridge/{one}" for one in thing.networks),
        vcpus=int(words.named.pop("vcpus", 0)),
        on_console_stop=words.one_of("console", {one.value: one for one in OnStop}, OnStop.RESPECT),
        on_guest_shutdown=words.one_of("guest", {one.value: one for one in OnStop}, OnStop.RESPECT),
        disks=(thing.disk,) if type == VM_TYPE else (),
        depends_on=words.named.pop("needs", "").replace("&", " and ").replace("|", " or "),
        restart_action=words.one_of("action", {one.value: one for one in RestartAction}, RestartAction.FAILOVER),
        restart_threshold=int(words.named.pop("restarts", 0)),
        restart_period_s=words.seconds("period", 900.0),
        restart_delay_s=words.seconds("delay", 0.5),
        looks_alive_interval_s=words.seconds("looks", 0.0),
        separate_host=words.take("separate"),
        guest=_care(words),
    )
    return thing, resource


def _care(words: Words) -> GuestCare:
    """How what lives in it is looked after."""
    default = GuestCare()
    probe = words.one_of("probe", {one.value: one for one in OnRed}, None)
    return GuestCare(
        heartbeat_interval_s=words.seconds("beat", default.heartbeat_interval_s),
        on_hang=words.one_of("hang", {one.value: one for one in OnHang}, default.on_hang),
        resets=int(words.named.pop("resets", default.resets)),
        on_panic=words.one_of("panic", {one.value: one for one in OnPanic}, default.on_panic),
        on_io_error=words.one_of("io", {one.value: one for one in OnIoError}, default.on_io_error),
        io_error_limit_s=words.seconds("iolimit", default.io_error_limit_s),
        probes=() if probe is None else (Probe("app", Asked.TCP, "192.0.2.1:80", interval_s=5.0, on_red=probe),),
    )


def _rule(world: World, words: Words) -> None:
    name = words.next("name")
    kind = words.one_of("", {one.value.replace(" ", "-"): one for one in RuleKind}, RuleKind.DIFFERENT)
    groups = tuple(part for part in words.next("groups, with commas").split(",") if part)
    domain = words.one_of("domain", {one.value: one for one in Domain}, Domain.NODE)
    records.add_rule(world, Rule(name, kind, groups, words.names("nodes"), domain, hard=words.take("hard")))


def _node(world: World, words: Words) -> None:
    name = words.next("node", world.machines)
    records.change_node(world, name, rack=words.named.pop("rack", ""), site=words.named.pop("site", ""))


_SETTINGS: dict[str, Any] = {
    "armed": {"yes": True, "no": False},
    "balance": {one.value.replace(" ", "-"): one for one in BalanceMode},
    "reserve": {one.value: one for one in Reserve},
}
_NUMBERS = ("survive_nodes", "parallel_moves", "parallel_starts", "quarantine_threshold", "most_fenced")
_TIMES = ("quarantine_period_s", "quarantine_s", "fence_period_s", "network_delay_s")


def _cluster(world: World, words: Words) -> None:
    changes: dict[str, Any] = {}
    for name in list(words.named):
        if name in _SETTINGS:
            changes[name] = words.one_of(name, _SETTINGS[name], None)
        elif name in _NUMBERS:
            changes[name] = int(words.named.pop(name))
        elif name in _TIMES:
            changes[name] = words.seconds(name, 0.0)
    records.change_cluster(world, **changes)


POLICIES: Commands = {
    "vm": (_vm, f"vm NAME [on=VOLUME] {_OF_RESOURCE} {_OF_GROUP}"),
    "group": (_group, f"group NAME {_OF_GROUP}"),
    "resource": (_resource, f"resource NAME in=GROUP [type=sim|vm] {_OF_RESOURCE}"),
    "rule": (_rule, "rule NAME same|different|on|not-on GROUP,... [nodes=N,...] [domain=node|rack|site] [hard]"),
    "node": (_node, "node NODE [rack=R] [site=S]"),
    "cluster": (_cluster, f"cluster [{'=X] ['.join((*_SETTINGS, *_NUMBERS, *_TIMES))}=X]"),
}
