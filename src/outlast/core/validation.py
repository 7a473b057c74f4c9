"""What of a cluster would not work when it is needed? Found before the first failure."""

from collections.abc import Iterable, Mapping

import msgspec

from outlast.core.fencing import called, in_levels
from outlast.core.protection import provable
from outlast.core.watchdog import proving_s
from outlast.model.answers import FenceTest, Finding, QuorumRow
from outlast.model.fence import Power
from outlast.model.node import Node
from outlast.model.view import ClusterView

WAITS_FOR_WORD = "what runs there is down until an administrator says `outlast node confirm-down {node}`"
WAITS = f"if it fails, {WAITS_FOR_WORD}"


def fence_findings(view: ClusterView, tests: Iterable[FenceTest]) -> tuple[Finding, ...]:
    """`tests`: what every fence device answered when a node asked for its status; any node may have to use it."""
    told = list(tests)
    found: list[Finding] = []
    for name, node in sorted(view.nodes.items()):
        if not provable(name, view):
            found.append(_unprovable(name))
        mine = [test for device in node.fence for test in told if (test.node, test.device) == (name, called(device))]
        found.extend(_problems(mine))
        found.extend(_alone(node, view, mine))
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
        elif session.watchdog is not None and not proving_s(session, view.settings):
            found.append(
                Finding(
                    about=name,
                    grave=False,
                    problem=f"its watchdog has the strength of a {session.watchdog.value}: it ends a node whose "
                    "service hangs, and its time is no proof of death",
                    means="without another proof, what runs there waits for an administrator",
                    advice="a device (`device:/dev/watchdog`); if you trust it, `outlast cluster set "
                    "--watchdog-strength`",
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
