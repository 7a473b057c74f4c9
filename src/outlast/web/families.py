"""Which metrics are there, what do they mean, and where do their samples come from? The table of all of them.

Of states there is one sample for each thing, with its present state as a label and the value 1: seven for each group
would be as many more lines for the same words. Prometheus' conventions hold for names; docs/metrics.md explains each.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric

from outlast.model.metrics import Distribution, Metrics

MIB = 1024 * 1024
GROUP_STATES = ("online", "offline", "partially online", "failed", "online pending", "offline pending", "unknown")
PROTECTIONS = ("protected", "at risk", "not protected")

Labels = Sequence[str]
Numbers = Iterable[tuple[Labels, float]]
Times = Iterable[tuple[Labels, Distribution]]


class Gauge(NamedTuple):
    name: str
    words: str
    labels: tuple[str, ...]
    samples: Callable[[Metrics], Numbers]

    def family(self, metrics: Metrics) -> Metric:
        family = GaugeMetricFamily(self.name, self.words, labels=self.labels)
        for labels, value in self.samples(metrics):
            family.add_metric(labels, value)
        return family


class Counter(NamedTuple):
    name: str
    """Ends with _total."""
    words: str
    labels: tuple[str, ...]
    samples: Callable[[Metrics], Numbers]

    def family(self, metrics: Metrics) -> Metric:
        family = CounterMetricFamily(self.name, self.words, labels=self.labels)
        for labels, value in self.samples(metrics):
            family.add_metric(labels, value)
        return family


class Histogram(NamedTuple):
    name: str
    words: str
    labels: tuple[str, ...]
    samples: Callable[[Metrics], Times]

    def family(self, metrics: Metrics) -> Metric:
        family = HistogramMetricFamily(self.name, self.words, labels=self.labels)
        for labels, times in self.samples(metrics):
            family.add_metric(labels, buckets=list(buckets(times)), sum_value=times.sum_s)
        return family


def one(value: Callable[[Metrics], float]) -> Callable[[Metrics], Numbers]:
    return lambda metrics: [((), value(metrics))]


def counted(states: Iterable[str], found: Iterable[str]) -> Numbers:
    counts = dict.fromkeys(states, 0)
    for state in found:
        counts[state] = counts.get(state, 0) + 1
    return [((state,), count) for state, count in counts.items()]


def buckets(times: Distribution) -> Iterator[tuple[str, float]]:
    """Prometheus adds them up."""
    total = 0
    for bound, count in zip((*map(str, times.bounds_s), "+Inf"), times.counts, strict=True):
        total += count
        yield bound, total


FAMILIES: tuple[Gauge | Counter | Histogram, ...] = (
    Gauge(
        "outlast_info",
        "Always 1: which node of which cluster answers, and its version.",
        ("cluster_name", "node", "version"),
        lambda m: [((m.cluster, m.node, m.version), 1)],
    ),
    # --- the cluster, as the answering node sees it ---
    Gauge(
        "outlast_groups",
        "Number of groups in each state.",
        ("state",),
        lambda m: counted(GROUP_STATES, (group.state for group in m.groups)),
    ),
    Gauge(
        "outlast_groups_protection",
        "Number of groups at each level of protection: would they run again by themselves?",
        ("protection",),
        lambda m: counted(PROTECTIONS, (group.protection for group in m.groups)),
    ),
    Gauge(
        "outlast_group_state",
        "Always 1: the present state of a group, its owner, and whether it is wanted online.",
        ("group", "owner", "wanted", "state"),
        lambda m: [((each.name, each.owner, each.wanted, each.state), 1) for each in m.groups],
    ),
    Gauge(
        "outlast_group_protection",
        "Always 1: the present level of protection of a group.",
        ("group", "protection"),
        lambda m: [((each.name, each.protection), 1) for each in m.groups],
    ),
    Gauge(
        "outlast_resource_state",
        'Always 1: the present state of a resource (of a VM: type="vm") and its owner.',
        ("resource", "type", "group", "owner", "state"),
        lambda m: [((each.name, each.type, each.group, each.owner, each.state), 1) for each in m.resources],
    ),
    Gauge(
        "outlast_node_state",
        "Always 1: the present state of a node.",
        ("node", "state"),
        lambda m: [((each.name, each.state), 1) for each in m.nodes],
    ),
    Gauge(
        "outlast_node_groups",
        "Number of groups that a node owns and that are wanted online.",
        ("node",),
        lambda m: [((each.name,), each.groups) for each in m.nodes],
    ),
    Gauge(
        "outlast_node_memory_bytes",
        "Memory that resources may use on a node; missing where it is not known.",
        ("node",),
        lambda m: [((each.name,), each.memory_mib * MIB) for each in m.nodes if each.memory_mib],
    ),
    Gauge(
        "outlast_node_memory_given_bytes",
        "Memory of a node that is given to groups, those that move there included.",
        ("node",),
        lambda m: [((each.name,), each.memory_used_mib * MIB) for each in m.nodes],
    ),
    Gauge(
        "outlast_node_watchdog_seconds",
        "Countdown of the armed watchdog that a node declares; 0: there is none.",
        ("node",),
        lambda m: [((each.name,), each.watchdog_s) for each in m.nodes],
    ),
    Gauge(
        "outlast_alarms",
        "Number of alarms, as in `outlast status`: what stays down until somebody does something, or is held back.",
        (),
        one(lambda m: m.alarms),
    ),
    Gauge("outlast_armed", "0: the cluster was told to fence, move and restart nothing.", (), one(lambda m: m.armed)),
    Gauge(
        "outlast_held",
        "1: nothing is started or stopped before somebody confirms what runs where.",
        (),
        one(lambda m: m.held),
    ),
    # --- sessions and time-outs ---
    Gauge(
        "outlast_node_timeout_seconds",
        "A node of which nothing comes for so long is silent.",
        (),
        one(lambda m: m.node_timeout_s),
    ),
    Gauge(
        "outlast_node_last_record_seconds",
        "Since the answering node saw the last session record of a node; the limit is outlast_node_timeout_seconds.",
        ("node",),
        lambda m: [((each.name,), each.last_record_s) for each in m.nodes if each.last_record_s is not None],
    ),
    Histogram(
        "outlast_session_gap_seconds",
        "Times between two session records of a node, as the answering node saw them.",
        ("node",),
        lambda m: [((each.name,), each.gaps) for each in m.nodes if each.gaps is not None],
    ),
    Gauge(
        "outlast_session_permit_seconds",
        "How long a renewal of its session lets a node run what it owns.",
        (),
        one(lambda m: m.permit_s),
    ),
    Gauge(
        "outlast_session_permit_left_seconds",
        "How long the answering node may still run what it owns without another renewal; 0: it has no session.",
        (),
        one(lambda m: m.permit_left_s),
    ),
    # --- the cluster database ---
    Gauge(
        "outlast_database_age_seconds",
        "So old is what the answering node knows of the cluster; 0 while it reaches the database.",
        (),
        one(lambda m: m.database_age_s),
    ),
    Histogram(
        "outlast_database_seconds",
        "How long the database took to answer a read or a commit.",
        ("operation",),
        lambda m: [((each.operation,), each.times) for each in m.database],
    ),
    Counter(
        "outlast_database_failures_total",
        "Reads and commits that got no answer, or could not be written.",
        ("operation", "kind"),
        lambda m: [((each.operation, kind), n) for each in m.database for kind, n in each.failures.items()],
    ),
    Gauge(
        "outlast_quorum",
        "1: the members of the database agree. Missing where nobody votes (SQLite), as all about the quorum.",
        (),
        lambda m: [((), m.quorum.quorum)] if m.quorum is not None else [],
    ),
    Gauge(
        "outlast_quorum_margin",
        "So many more voters can be lost at once and the rest goes on; below 0: it does not go on now.",
        (),
        lambda m: [((), m.quorum.margin)] if m.quorum is not None else [],
    ),
    Gauge(
        "outlast_quorum_voters",
        "Number of members of the database that vote, by whether they are well.",
        ("well",),
        lambda m: [(("yes",), m.quorum.well), (("no",), m.quorum.voters - m.quorum.well)] if m.quorum else [],
    ),
    # --- the coordinator ---
    Gauge("outlast_coordinator", "1: the answering node coordinates.", (), one(lambda m: m.coordinates)),
    Gauge(
        "outlast_coordinator_term",
        "Goes up by one with each change of the coordinator.",
        (),
        one(lambda m: m.term),
    ),
    Counter(
        "outlast_decisions_total",
        "Decisions that the answering node wrote down as the coordinator.",
        ("kind",),
        lambda m: [((kind,), count) for kind, count in m.decisions.items()],
    ),
    Histogram(
        "outlast_failover_seconds",
        "From the last sign of life of a group's node, or from the group's failure, until it was online elsewhere.",
        ("cause",),
        lambda m: [((each.cause,), each.times) for each in m.failovers if each.phase == "whole"],
    ),
    Histogram(
        "outlast_failover_phase_seconds",
        "Phases of failovers: detected, proven (of each lost node); decided, started, answered (of each group).",
        ("cause", "phase"),
        lambda m: [((each.cause, each.phase), each.times) for each in m.failovers if each.phase != "whole"],
    ),
    Counter(
        "outlast_fence_attempts_total",
        "How often the answering node asked a fence device of a node, by what came of it.",
        ("node", "device", "action", "result"),
        lambda m: [((each.node, each.device, each.action, each.result), each.count) for each in m.fencing],
    ),
    # --- resource hosts and plugins ---
    Counter(
        "outlast_resource_host_ends_total",
        "How often a resource host of the answering node ended and was replaced.",
        ("host", "reason"),
        lambda m: [((each.host, each.why), each.count) for each in m.hosts],
    ),
    Histogram(
        "outlast_plugin_call_seconds",
        "How long calls into the plugins of the answering node took.",
        ("type", "call"),
        lambda m: [((each.type, each.call), each.times) for each in m.calls],
    ),
    Counter(
        "outlast_plugin_calls_missed_total",
        "Calls into plugins that missed their deadline.",
        ("type", "call"),
        lambda m: [((each.type, each.call), each.missed) for each in m.calls],
    ),
    Gauge(
        "outlast_plugin_call_deadline_seconds",
        "Deadline of the last call into a plugin; where progress is told it counts from the last word.",
        ("type", "call"),
        lambda m: [((each.type, each.call), each.deadline_s) for each in m.calls],
    ),
)
