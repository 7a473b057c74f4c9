"""What administrators set is kept: each policy broken on purpose, as the rules of safety are (`catalog.py`).

`rule` is the invariant of the simulator (docs/simulator.md) that must break when the scenario is played with it.
"""

from types import SimpleNamespace
from typing import Any

import msgspec

from mutations.broken import Break, always, method, swap
from mutations.mutation import Mutation
from outlast.core.coordinator import (
    balance,
    drain,
    failback,
    failing,
    failover,
    intake,
    moves,
    rule_keeping,
    spreading,
    storm,
    volume_loss,
)
from outlast.core.coordinator.round import Round
from outlast.core.foresight import protection
from outlast.core.group import deletion, dependencies
from outlast.core.owner.start_order import OPEN, gate
from outlast.core.owner.turns import Turns
from outlast.core.placement import admission, growth, placement
from outlast.core.placement.affinity import Judgement
from outlast.core.placement.capacity import Used
from outlast.core.volume import volumes
from outlast.service.hosting.records import Records


def _locks_are_open() -> None:
    gives_away = drain._give_away
    swap(gives_away, lambda group, round: gives_away(msgspec.structs.replace(group, locked=""), round))


def _always_armed() -> None:
    decide = failover.decide

    def armed(view: Any) -> Any:
        return decide(msgspec.structs.replace(view, settings=msgspec.structs.replace(view.settings, armed=True)))

    swap(decide, armed)


def _whatever_the_load() -> None:
    """Any move seems worth it, and no time need pass between two."""
    setattr(balance.Loads, "far_apart", lambda self, source, target: source != target)  # noqa: B010
    setattr(balance.Loads, "gain", lambda self, group, source, target: 1.0)  # noqa: B010
    balance.CALM_S = balance.SETTLED_S = 1.0


def _upside_down() -> None:
    """Once, from who has little to do to who has much."""
    setattr(balance.Loads, "_now", lambda self, node: 9.0 - self._placed.used(node).groups)  # noqa: B010
    setattr(balance.Loads, "gain", lambda self, group, source, target: 1.0)  # noqa: B010


def _for_little() -> None:
    balance.GAP, balance.GAIN = 0.01, 0.001


def _from_where_it_is_preferred() -> None:
    setattr(balance._Search, "_may_go", lambda self, group, source, target: True)  # noqa: B010


def _drains_by_name() -> None:
    def by_name(view: Any, groups: Any) -> Any:
        return sorted(groups, key=lambda group: group.name)

    setattr(drain, "placement", SimpleNamespace(**{**vars(placement), "in_order": by_name}))  # noqa: B010


def _drains_what_is_off() -> None:
    drains = drain.drain

    def all_of_it(round: Round) -> None:
        drains(round)
        for group in round.view.groups.values():
            if intake.gives_away(group.owner, round.view) and not group.move_to and not round.is_decided(group):
                round.wish_move(group, "n2", f"{group.owner} is drained")

    swap(drains, all_of_it)


def _each_lost_node_by_itself() -> None:
    in_order = placement.in_order
    swap(in_order, lambda view, *groups: sorted(in_order(view, *groups), key=lambda group: group.owner))


def _all_that_a_rule_is_about() -> None:
    def at_once(round: Round) -> None:
        for rule in round.view.rules.values():
            for group in [round.view.groups[name] for name in rule.groups]:
                if not group.move_to:
                    rule_keeping._moved(group, round)

    swap(rule_keeping.keep_rules, at_once)


def _first_come_first_served() -> Break:
    def by_name(view: Any, groups: Any = None) -> Any:
        return sorted(view.groups.values() if groups is None else groups, key=lambda group: group.name)

    return lambda: swap(placement.in_order, by_name)


def _both_instead_of_one() -> None:
    def all_hold(expression: dependencies.Expression, online: Any) -> bool:
        if isinstance(expression, dependencies.Name):
            return expression.name in online
        return all(all_hold(part, online) for part in expression.parts)

    swap(dependencies._holds, all_hold)


def _moves_a_coordinator_for_nothing() -> None:
    def spread(round: Round) -> None:
        group = round.view.groups["v1"]
        if group.owner == "n1" and not group.move_to and not round.acts() and round.view.observed.calm_s > 5.0:
            round.wish_move(group, "n2", "n1 coordinates it")

    swap(spreading.spread, spread)


POLICIES = (
    Mutation(
        "stays-on-a-lost-volume",
        22,
        "what needs a shared volume stays where it is lost",
        "scenarios/220-a-volume-lost-on-one-node.txt",
        always(volume_loss.follow_volumes, None),
    ),
    Mutation(
        "goes-where-the-volume-is-lost",
        14,
        "a node that has lost a volume is given what needs it",
        "scenarios/221-a-volume-lost-everywhere.txt",
        always(volumes.lost_for, {}),
    ),
    Mutation(
        "spreads-what-is-spread",
        15,
        "coordinators of volumes are moved although none has two more than another",
        "scenarios/222-coordinators-of-volumes-are-spread.txt",
        _moves_a_coordinator_for_nothing,
    ),
    Mutation(
        "both-instead-of-one",
        6,
        "who needs one of two is stopped when he loses one",
        "scenarios/102-one-of-two-is-enough.txt",
        _both_instead_of_one,
    ),
    Mutation(
        "start-in-any-order",
        13,
        "nobody waits for what he needs",
        "scenarios/100-group-of-several.txt",
        always(dependencies.may_start, True),
    ),
    Mutation(
        "stop-in-any-order",
        13,
        "what others need is stopped beside them",
        "scenarios/100-group-of-several.txt",
        always(dependencies.may_stop, True),
    ),
    Mutation(
        "start-before-the-others", 13, "no group waits for others", "scenarios/108-start-after.txt", always(gate, OPEN)
    ),
    Mutation(
        "first-come-first-started",
        13,
        "on a node with many groups to start, priorities and parallel_starts do not count",
        "scenarios/155-the-urgent-ones-start-first.txt",
        method(Turns, "_why_not", lambda self, group, rank, now, most: ""),
    ),
    Mutation(
        "expect-nobody",
        13,
        "whoever is looked at first starts first",
        "scenarios/155-the-urgent-ones-start-first.txt",
        method(Turns, "expect", lambda self, group, rank, now: None),
    ),
    Mutation(
        "endless-memory",
        14,
        "a node is given what its memory does not hold",
        "scenarios/109-urgent-ones-first.txt",
        method(Used, "lacks", lambda self, need: ""),
    ),
    Mutation(
        "switched-on-unasked",
        14,
        "more of a group is brought online than its node holds",
        "scenarios/154-no-room-for-what-is-switched-on.txt",
        always(growth.why_no_room, ""),
    ),
    Mutation(
        "first-come-first-served",
        14,
        "priorities do not count",
        "scenarios/109-urgent-ones-first.txt",
        _first_come_first_served(),
    ),
    Mutation(
        "hard-rules-bend",
        14,
        "a hard rule forbids nothing",
        "scenarios/111-kept-apart.txt",
        method(Judgement, "forbids", lambda self, node: ""),
    ),
    Mutation(
        "soft-rules-forgotten",
        14,
        "a soft rule is broken although it could be kept",
        "scenarios/114-in-different-racks.txt",
        method(Judgement, "breaks", lambda self, node: 0),
    ),
    Mutation(
        "paused-nodes-take-all",
        14,
        "a paused, drained or quarantined node is given groups",
        "scenarios/131-paused.txt",
        always(intake.refuses, ""),
    ),
    Mutation(
        "all-at-once",
        15,
        "a drain takes everything offline at once",
        "scenarios/115-drain.txt",
        method(moves.Moves, "full", lambda self, source, target: ""),
    ),
    Mutation(
        "another-target-whatever-the-load",
        15,
        "what runs goes to any other node when the one where it was to go is lost",
        "scenarios/147-drained-to-a-node-that-is-paused.txt",
        always(drain._still_serves, False),
    ),
    Mutation("locks-are-open", 15, "a locked group is moved by a drain", "scenarios/122-locked.txt", _locks_are_open),
    Mutation(
        "restless-balance", 15, "groups are moved back and forth", "scenarios/126-balance.txt", _whatever_the_load
    ),
    Mutation(
        "balance-upside-down",
        15,
        "balancing moves something from who has little to do to who has much",
        "scenarios/197-not-to-who-has-more-to-do.txt",
        _upside_down,
    ),
    Mutation(
        "balance-for-little",
        15,
        "balancing moves what brings less than it costs",
        "scenarios/200-not-worth-a-move.txt",
        _for_little,
    ),
    Mutation(
        "balance-minds-no-preference",
        15,
        "balancing takes something from where it is preferred to be",
        "scenarios/200-not-worth-a-move.txt",
        _from_where_it_is_preferred,
    ),
    Mutation(
        "balance-what-failed",
        15,
        "balancing moves what failed of late",
        "scenarios/201-what-balancing-leaves-alone.txt",
        always(balance.why_it_stays, ""),
    ),
    Mutation(
        "balance-minds-no-rule",
        15,
        "balancing breaks a soft rule that is kept",
        "scenarios/201-what-balancing-leaves-alone.txt",
        method(Judgement, "breaks", lambda self, node: 0),
    ),
    Mutation("drain-by-name", 14, "a drain minds no priority", "scenarios/115-drain.txt", _drains_by_name),
    Mutation(
        "drain-what-is-off",
        15,
        "a drain moves what is off, too",
        "scenarios/195-off-while-its-node-is-drained.txt",
        _drains_what_is_off,
    ),
    Mutation(
        "drain-to-paused-nodes",
        15,
        "what leaves one node is sent to another that takes nothing",
        "scenarios/198-not-to-a-node-that-is-paused.txt",
        always(intake.refuses, ""),
    ),
    Mutation(
        "each-lost-node-by-itself",
        14,
        "priorities count among what one node had, and not among what two had",
        "scenarios/190-two-nodes-lost-and-room-for-one.txt",
        _each_lost_node_by_itself,
    ),
    Mutation(
        "return-at-any-hour",
        15,
        "what is to return within certain hours returns at any",
        "scenarios/191-returns-at-night.txt",
        always(failback.in_hours, True),
    ),
    Mutation(
        "move-all-that-a-rule-is-about",
        15,
        "two are moved where one was enough",
        "scenarios/196-only-as-many-as-a-rule-needs.txt",
        _all_that_a_rule_is_about,
    ),
    Mutation(
        "delete-what-runs",
        3,
        "what runs is deleted, and nobody looks after it any more",
        "scenarios/194-made-and-deleted.txt",
        always(deletion.may_run, ""),
    ),
    Mutation(
        "promise-anything",
        19,
        "whatever breaks the promise to survive lost nodes is let in",
        "scenarios/192-promise-refused.txt",
        always(admission.admit, admission.Admission()),
    ),
    Mutation(
        "call-all-protected",
        20,
        "what has no room anywhere is called protected",
        "scenarios/193-lost-and-called-protected.txt",
        method(protection._Room, "find", lambda self, group: ""),
    ),
    Mutation(
        "any-place-will-do",
        20,
        "what would fit if the others went elsewhere is called protected",
        "scenarios/199-protected-but-not-by-the-first-place.txt",
        always(protection._is_plenty, True),
    ),
    Mutation(
        "heal-in-maintenance",
        16,
        "what is in maintenance is started again",
        "scenarios/120-group-in-maintenance.txt",
        method(Records, "left_alone", lambda self, local: ""),
    ),
    Mutation(
        "move-in-maintenance",
        16,
        "what is in maintenance is taken from a living owner",
        "scenarios/120-group-in-maintenance.txt",
        always(failing.in_maintenance, ""),
    ),
    Mutation("always-armed", 16, "it is decided all the same", "scenarios/119-not-armed.txt", _always_armed),
    Mutation(
        "no-storm-guard",
        17,
        "any number of nodes is fenced",
        "scenarios/125-storm-guard.txt",
        method(storm.Guard, "spares", lambda self, silence: ""),
    ),
)
