"""What of a cluster would not work when it is needed? Found before the first failure."""

from collections.abc import Iterable, Mapping

import msgspec

from outlast.core.fence.agents import no_proof
from outlast.core.fence.fencing import called, in_levels
from outlast.core.foresight.protection import provable
from outlast.core.membership.watchdog import proving_s
from outlast.core.network import migration
from outlast.core.network.links import called as called_network
from outlast.core.placement import networks, placement
from outlast.model.answers import Finding, QuorumRow
from outlast.model.fence import Power
from outlast.model.fence_answers import FenceTest
from outlast.model.network import NetworkState
from outlast.model.node import Node
from outlast.model.view import ClusterView
from outlast.model.watchdog import Strength

WAITS_FOR_WORD = "what runs there is down until an administrator says `outlast node confirm-down {node}`"
TOLD = 5
"""So many groups are named."""
WAITS = f"if it fails, {WAITS_FOR_WORD}"


def fence_findings(view: ClusterView, tests: Iterable[FenceTest]) -> tuple[Finding, ...]:
    """`tests`: what every fence device answered when a node asked for its status; any node may have to use it."""
    told = list(tests)
    found: list[Finding] = []
    for name, node in sorted(view.nodes.items()):
        if not provable(name, view):
            found.append(_unprovable(name))
        useless = {called(device): why for device in node.fence if (why := no_proof(device))}
        found.extend(_useless(f"{name}: {device}", why, name, device) for device, why in useless.items())
        counted = [called(device) for device in node.fence if called(device) not in useless]
        mine = [test for device in counted for test in told if (test.node, test.device) == (name, device)]
        found.extend(_problems(mine))
        found.extend(_alone(node, view, mine))
    return tuple(found)


def restraint_findings(view: ClusterView) -> tuple[Finding, ...]:
    """What the cluster does not do now, because somebody said so or because it was wise."""
    found = []
    if not view.settings.armed:
        found.append(
            Finding(
                about="the cluster",
                grave=True,
                problem="it is not armed",
                means="nothing is fenced, moved or restarted: whatever fails now stays down",
                advice="`outlast cluster set armed=yes`; with --what-if it tells what would be done at once",
            )
        )
    for name, node in sorted(view.nodes.items()):
        if node.quarantined:
            found.append(
                Finding(
                    about=name,
                    grave=False,
                    problem=f"it is quarantined: {node.quarantined}",
                    means="it takes no group for a while",
                    advice=f"find out why it was lost; then `outlast node release {name}`",
                )
            )
    return tuple(found)


def watchdog_findings(view: ClusterView) -> tuple[Finding, ...]:
    """Watchdogs that are set and do not count, or not as much as somebody may think."""
    found = []
    for name, session in sorted(view.sessions.items()):
        if session.watchdog_problem:
            found.append(
                Finding(
                    about=name,
                    grave=False,
                    problem=f"its watchdog does not count: {session.watchdog_problem}",
                    means=f"a {name} that hangs stays as it is until it is fenced, and nothing is proven by time",
                    advice=f"mend that, or take `watchdog` out of outlast.toml of {name} (docs/watchdog.md)",
                )
            )
        elif session.watchdog is Strength.VIRTUAL and not proving_s(session, view.settings):
            found.append(
                Finding(
                    about=name,
                    grave=False,
                    problem="its watchdog is one of a virtual machine: it stands still while that is paused, so its "
                    "time is no proof of death",
                    means="without another proof, what runs there waits for an administrator",
                    advice=f"`outlast fence add {name} AGENT ...` with an agent for its hypervisor (docs/watchdog.md)",
                )
            )
        elif session.watchdog is not None and not proving_s(session, view.settings):
            found.append(
                Finding(
                    about=name,
                    grave=False,
                    problem=f"its watchdog has the strength of a {session.watchdog.value}: it ends a node whose "
                    "service hangs, and its time is no proof of death",
                    means="without another proof, what runs there waits for an administrator",
                    advice="a device (`device:/dev/watchdog`); if you trust it, `outlast cluster set "
                    "watchdog_strength=...`",
                )
            )
    return tuple(found)


def hold_findings(view: ClusterView) -> tuple[Finding, ...]:
    if not view.settings.hold:
        return ()
    return (
        Finding(
            about="the cluster",
            grave=True,
            problem=f"nothing is started or stopped anywhere: {view.settings.hold}",
            means="whatever fails now stays down",
            advice="`outlast cluster confirm-ownership`",
        ),
    )


def lease_findings(leased: Iterable[str]) -> tuple[Finding, ...]:
    """`leased`: VMs whose definition has a storage lease."""
    return tuple(
        Finding(
            about=name,
            grave=False,
            problem="its definition has a storage lease, which Outlast neither sets up nor takes as proof of death",
            means="where libvirt's lock manager is sanlock, it starts elsewhere only when the lease is free: 68 s "
            "after its node's death at the earliest, whatever else has proven that before",
            advice="take the lease out of its definition, unless you want that (docs/storage-lease.md)",
        )
        for name in sorted(leased)
    )


def link_findings(me: str, unheard: Mapping[str, str]) -> tuple[Finding, ...]:
    """`unheard`: members whose service did not answer this node's over the link between them, and why not."""
    return tuple(
        Finding(
            about=node,
            grave=False,
            problem=f"its service does not answer the one of {me}: {why}",
            means=f"while the database is away, {me} and {node} promise each other nothing: both stop what they run",
            advice="let TCP port 7405 through between all nodes; `outlast cluster show` has their certificates",
        )
        for node, why in sorted(unheard.items())
    )


def migration_findings(view: ClusterView) -> tuple[Finding, ...]:
    """Nodes that can neither hand over what runs nor take it."""
    if len(view.sessions) < 2:
        return ()
    return tuple(
        Finding(
            about=name,
            grave=False,
            problem="it is not set up for live migration",
            means=f"what leaves {name}, or goes there, is shut down and started again instead",
            advice="docs/migration-tls.md says how; `outlast cluster create` and `join` do it by themselves, but where "
            "libvirt has certificates of its own",
        )
        for name, session in sorted(view.sessions.items())
        if not session.migration
    )


def migration_network_findings(view: ClusterView) -> tuple[Finding, ...]:
    """Nodes that are not in the network that live migrations are to go over."""
    network = view.settings.migration_network
    return tuple(
        Finding(
            about=name,
            grave=False,
            problem=f"it is not in the migration network: {why}",
            means=f"what is handed over to {name} as it runs, or by it, goes over the cluster's own links",
            advice=f"give it an address in {network} on a link that is up, or `outlast cluster set "
            "migration_network=none` (docs/migration.md)",
        )
        for name, why in migration.outside(view).items()
    )


def network_findings(view: ClusterView) -> tuple[Finding, ...]:
    """Networks that are missing, or lost, on nodes that may have to run a VM that needs them."""
    members = placement.members(view)
    found = []
    for node, lost in sorted(networks.lost_by_node(members).items()):
        for network, state in sorted(lost.items()):
            names = _joined_to(network, node, view)
            if names:
                found.append(_cut_off(node, state, names))
    return tuple(found)


def down(view: ClusterView) -> tuple[str, ...]:
    """Nodes that are silent or dead: nothing can be asked of them, and that is no fault of a link."""
    return tuple(sorted({*view.silences, *view.observed.silent_s}))


def down_findings(view: ClusterView) -> tuple[Finding, ...]:
    return tuple(
        Finding(
            about=name,
            grave=False,
            problem="it is down, so neither its link nor its way to the fence devices was tried",
            means="one node fewer can take over what runs on the others",
            advice=f"`outlast explain node {name}` tells why; `outlast validate` again when it is back",
        )
        for name in down(view)
    )


def database_findings(row: QuorumRow) -> tuple[Finding, ...]:
    """Members of the cluster database that are out of order, before one more is."""
    return tuple(
        Finding(
            about=member.name,
            grave=not row.quorum,
            problem=f"its member of the cluster database is not in order: {member.why}",
            means=row.words,
            advice=f"`outlast quorum show` on {member.name}, and the member's log (`journalctl -u outlast-etcd`) there",
        )
        for member in row.voters
        if member.why
    )


def contradiction(test: FenceTest, view: ClusterView) -> FenceTest:
    """A device that calls a living node off switches another machine, or lies: it would "prove" its death at once."""
    alive = test.node in view.sessions and test.node not in view.silences and test.node not in view.observed.silent_s
    if test.power != Power.OFF.value or not alive:
        return test
    words = f"it says that {test.node} is off, but {test.node} is alive: it switches another machine, or lies"
    return msgspec.structs.replace(test, problem=words, dangerous=True)


def _unprovable(node: str) -> Finding:
    return Finding(
        about=node,
        grave=True,
        problem="only an administrator's word could prove its death: no fence device, no watchdog that counts",
        means=WAITS.format(node=node),
        advice=f"`outlast fence add {node} AGENT ...` (see `outlast fence agents`), or `watchdog` in outlast.toml",
    )


def _useless(what: str, why: str, node: str, device: str) -> Finding:
    means = "it is never used: as if it were not there"
    advice = f"`outlast fence delete {node} {device}`, and `outlast fence add {node}` one that cuts the power"
    return Finding(what, True, f"it is no proof of death: {why}", means, advice)


def _problems(tests: Iterable[FenceTest]) -> list[Finding]:
    """The same trouble of the same device once, and who has it if not everybody has."""
    by_trouble: dict[tuple[str, str], list[FenceTest]] = {}
    askers: dict[str, set[str]] = {}
    for test in tests:
        askers.setdefault(test.device, set()).add(test.asked_by)
        if test.problem:
            by_trouble.setdefault((test.device, test.problem), []).append(test)
    found = []
    for (device, problem), same in by_trouble.items():
        names = {test.asked_by for test in same}
        whose = "" if names == askers[device] else f" (asked by {', '.join(sorted(names))})"
        found.append(_amiss(msgspec.structs.replace(same[0], problem=f"{problem}{whose}")))
    return found


def _amiss(test: FenceTest) -> Finding:
    what = f"{test.node}: {test.device}"
    if not test.proves:
        return _useless(what, test.problem, test.node, test.device)
    if test.dangerous:
        means = f"whatever cuts {test.node} off for a moment may then start its VMs twice"
        return Finding(
            what, True, test.problem, means, f"correct it, or `outlast fence delete {test.node} {test.device}`"
        )
    means = "it could not switch the node off now, and could prove nothing"
    return Finding(what, True, test.problem, means, f"mend it, then `outlast fence test {test.node}`")


def _alone(node: Node, view: ClusterView, tests: Iterable[FenceTest]) -> list[Finding]:
    """One board in the node itself, and nothing else."""
    session = view.sessions.get(node.name)
    if len(in_levels(node.fence)) != 1 or any(test.problem for test in tests):
        return []
    if session is not None and proving_s(session, view.settings) > 0:
        return []
    waits = WAITS_FOR_WORD.format(node=node.name)
    return [
        Finding(
            about=node.name,
            grave=False,
            problem="its death can be proven in one way only",
            means=f"if that device dies with it, as a board without power does, {waits}",
            advice="a second level with power of its own, or a watchdog",
        )
    ]


def _joined_to(network: str, node: str, view: ClusterView) -> list[str]:
    """Groups that need it and may come to that node."""
    groups = (one for one in view.groups.values() if not one.possible_owners or node in one.possible_owners)
    return sorted(one.name for one in groups if network in networks.needed(one, view.resources))


def _cut_off(node: str, state: NetworkState, names: list[str]) -> Finding:
    more = f" and {len(names) - TOLD} more" if len(names) > TOLD else ""
    who = ", ".join(names[:TOLD]) + more
    what = called_network(state.network)
    if state.is_missing:
        problem, means = f"it does not have {what}: {state.lost}", f"{who} could not start there"
    else:
        problem, means = f"{what} is lost there: {state.lost}", f"{who} would be cut off there, so nothing goes there"
    advice = "mend that on the node, or say which networks count: `outlast group set GROUP protected_networks=...`"
    return Finding(about=node, grave=False, problem=problem, means=means, advice=advice)
