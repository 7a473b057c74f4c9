"""The rules of safety, each broken on purpose: by a change of the real code, made from outside while it runs.

Nothing in the product knows of this; there is no switch that turns a rule off. A mutation is a function that breaks one
rule for the process that calls it. `run.py` gives each a process of its own, and lets the suite find it.
"""

from mutations import broken
from mutations.broken import always, method, swap
from mutations.by_hand import BY_HAND
from mutations.moves import MOVES
from mutations.mutation import Mutation
from mutations.saves import SAVES
from outlast.adapters.watchdog import virtual
from outlast.core.fence import agents, proof
from outlast.core.group import deletion, group_state
from outlast.core.membership import certainty, membership, permit, watchdog
from outlast.core.membership import timing as times
from outlast.core.membership.permit import Judgement, Order
from outlast.core.owner import witness
from outlast.core.quorum import force_quorum, roll_call, voting
from outlast.service import membership as service_membership
from outlast.service.commands import nodes
from outlast.service.fence import hearing
from outlast.service.hosting import cleaning, standing
from outlast.service.hosting.resources import Resources
from outlast.service.quorum.member_keeper import MemberKeeper
from outlast.service.store import Store
from outlast.sim.clock import SimClock

__all__ = ["IN_A_LAB", "MUTATIONS", "Mutation"]

MUTATIONS = (
    Mutation(
        "assign-without-compare",
        1,
        "a new owner is written without comparing what the decision rests on",
        "service/test_last_moment.py",
        broken.compares_nothing("assign"),
    ),
    Mutation("forget-epoch", 1, "a change of owner raises no epoch", "core/test_failover.py", broken.no_new_epoch),
    Mutation(
        "start-without-taking-back",
        1,
        "an owner starts while its report that nothing runs stands",
        "core/test_duty.py",
        broken.starts_without_taking_back,
    ),
    Mutation(
        "report-not-compared",
        1,
        "an old report may be written after the newer one that took it back",
        "service/test_old_knowledge.py",
        broken.reports_compare_only_the_group,
    ),
    Mutation(
        "bind-when-sent",
        1,
        "what is made up to be told of one group does not bind while another one's report is under way",
        "service/test_groups_of_several.py",
        broken.binds_only_when_it_is_sent,
    ),
    Mutation(
        "forget-unheard-reports",
        1,
        "a report whose answer was lost is taken for one that was never written",
        "service/test_old_knowledge.py",
        method(standing.StandingReports, "may_stand", lambda self, name, epoch: False),
    ),
    Mutation(
        "open-on-an-old-picture",
        1,
        "a session opens although the node's picture is older than it",
        "service/test_old_knowledge.py",
        broken.opens_on_an_old_picture,
    ),
    Mutation(
        "renew-from-answer",
        2,
        "the permit counts from the answer to a renewal",
        "service/test_sessions.py",
        broken.permit_from_the_answer,
    ),
    Mutation(
        "run-without-session",
        2,
        "a session counts as valid for ever",
        "core/test_membership.py",
        method(membership.Session, "valid", lambda self, now: True),
    ),
    Mutation(
        "announce-while-silent",
        2,
        "a node that was called silent meanwhile announces a start, and starts",
        "service/test_reports.py",
        broken.reports_while_it_is_called_silent,
    ),
    Mutation(
        "permit-not-kept",
        3,
        "resource hosts go on when the permit has passed",
        "core/test_permit.py",
        method(permit.Guard, "judge", lambda self, record, now_s, service_gone: Judgement(Order.RUN)),
    ),
    Mutation(
        "continue-after-the-permit",
        3,
        "a session goes on although its permit has passed",
        "service/test_sessions.py",
        broken.continues_whatever_the_permit,
    ),
    Mutation(
        "disarm-while-it-runs",
        3,
        "the watchdog stops counting although something runs",
        "core/test_watchdog.py",
        always(watchdog.must_count, False),
    ),
    Mutation(
        "start-unarmed",
        3,
        "something is started before the declared watchdog counts",
        "core/test_watchdog.py",
        always(watchdog.may_start, True),
    ),
    Mutation(
        "feed-late",
        3,
        "an answer feeds the watchdog although the permit that it gave is over",
        "service/test_watchdog_counts.py",
        always(watchdog.may_feed, True),
    ),
    Mutation(
        "take-over-without-proof", 4, "a silence counts as a death", "core/test_failover.py", broken.silence_is_death
    ),
    Mutation(
        "proof-of-another-life",
        4,
        "what a fence device said of an earlier life counts for this one",
        "core/test_proof.py",
        lambda: swap(proof._report, broken.any_life_is_proven),
    ),
    Mutation(
        "watchdog-too-early",
        4,
        "the watchdog's word is taken when half its time has passed",
        "core/test_timing.py",
        lambda: swap(times.watchdog_proof_s, lambda watchdog_s: watchdog_s / 2),
    ),
    Mutation(
        "judge-while-cut-off",
        4,
        "an observer judges others while its own writes fail",
        "core/test_membership.py",
        broken.judges_while_cut_off,
    ),
    Mutation(
        "silence-without-compare",
        4,
        "a silence is written although the node has renewed meanwhile",
        "service/test_last_moment.py",
        broken.compares_nothing("_declare_silent"),
    ),
    Mutation(
        "renew-past-a-silence",
        4,
        "a renewal does not compare that no silence stands",
        "service/test_sessions.py",
        method(service_membership.Membership, "_silence_key", property(lambda self: "silences/nobody")),
    ),
    Mutation(
        "any-watchdog-is-proof",
        4,
        "a watchdog of any strength is trusted with a death",
        "core/test_watchdog.py",
        lambda: swap(watchdog.proving_s, lambda session, settings: session.watchdog_s),
    ),
    Mutation(
        "one-supply-is-enough",
        4,
        "one device of a fencing level is enough",
        "core/test_fencing.py",
        broken.one_of_a_level_is_enough,
    ),
    Mutation(
        "any-agent-is-proof",
        4,
        "a fence agent that only cuts a node off from its storage is believed",
        "core/test_agents.py",
        always(agents.no_proof, ""),
    ),
    Mutation(
        "trust-a-virtual-watchdog",
        4,
        "the watchdog of a virtual machine, which can be paused, counts as one of hardware",
        "contracts/test_virtual_watchdogs.py",
        always(virtual.hypervisor, ""),
    ),
    Mutation(
        "believe-every-device",
        4,
        "a fence device is believed although its node still answers",
        "service/test_ladder.py",
        method(hearing.Ear, "goes_on", broken.never_heard),
    ),
    Mutation(
        "session-before-stop",
        6,
        "a returning node does not look at what still runs",
        "service/test_old_knowledge.py",
        lambda: swap(cleaning.clean, broken.nothing_is_in_the_way),
    ),
    Mutation(
        "dead-host-means-off",
        7,
        "what a resource host had started ends with it",
        "core/test_resource.py",
        broken.a_host_that_died_ran_nothing,
    ),
    Mutation(
        "partly-running-as-off",
        8,
        "a group of which something still runs is given away like one of which nothing does",
        "core/test_failing.py",
        always(group_state.nothing_runs, True),
    ),
    Mutation(
        "unknown-as-failed",
        8,
        "what cannot be told counts as failed",
        "core/test_failover.py",
        broken.unknown_is_failed,
    ),
    Mutation(
        "delete-what-may-run",
        8,
        "a group or a resource is deleted although it may run, and could be made anew and started beside it",
        "core/test_deletion.py",
        always(deletion.may_run, ""),
    ),
    Mutation(
        "fail-without-terminating",
        8,
        "what an administrator has fail is told as failed, and is not terminated first",
        "service/test_failing_on_purpose.py",
        broken.fails_without_terminating,
    ),
    Mutation(
        "heal-what-was-switched-off",
        10,
        "what somebody switched off counts as failed",
        "core/test_resource.py",
        broken.nothing_is_meant,
    ),
    Mutation(
        "forget-own-stops",
        10,
        "what the cluster itself had begun to stop is forgotten with the service that began it",
        "scenarios/34-service-dies-in-its-own-stop.txt",
        method(Resources, "_note_stop", lambda self, local, stop: None),
    ),
    Mutation(
        "hold-holds-nothing",
        10,
        "after a restore things are started before anybody has confirmed who owns what",
        "core/test_duty.py",
        broken.hold_holds_nothing,
    ),
    Mutation(
        "promises-bind-nobody",
        11,
        "a promise to decide nothing is forgotten at once",
        "core/test_certainty.py",
        broken.promises_bind_nobody,
    ),
    Mutation(
        "some-promises-are-enough",
        11,
        "not everyone on the list has to promise",
        "core/test_certainty.py",
        always(certainty.missing, ()),
    ),
    Mutation(
        "promise-whatever-is-known",
        11,
        "a promise is given although a silence is known, or another life, or nobody knows what became of a write",
        "core/test_certainty.py",
        always(certainty.why_not, ""),
    ),
    Mutation(
        "watchdog-for-strangers",
        11,
        "a coordinator that was not asked takes the watchdog's word",
        "core/test_proof.py",
        always(proof._was_asked, True),
    ),
    Mutation(
        "count-through-an-outage",
        11,
        "the age of a silence counts while the database is away",
        "service/test_old_knowledge.py",
        broken.time_of_an_outage_counts,
    ),
    Mutation(
        "count-ignored",
        11,
        "a promise counts in full, though a part of the silence was counted",
        "core/test_certainty.py",
        lambda: broken.swap(certainty.counts_from, lambda asked_at_s, promise: asked_at_s),
    ),
    Mutation(
        "insist-on-what-was-counted",
        11,
        "whose own renewal is overdue holds against others what it has counted, until it knows that it is cut off",
        "scenarios/277-one-node-loses-the-database-first.txt",
        method(membership.Observer, "held_against_s", membership.Observer.counted_s),
    ),
    Mutation(
        "word-of-what-came-back",
        11,
        "a member whose data were gone, as it said itself, is believed that nothing is decided without it",
        "service/test_member_keeper.py",
        method(MemberKeeper, "vote_look", MemberKeeper.look),
    ),
    Mutation(
        "watchdog-during-a-promise",
        11,
        "the watchdog's time counts during a promise too",
        "service/test_promises.py",
        method(certainty.Pledges, "over_s", lambda self, node, now: float("inf")),
    ),
    Mutation(
        "write-against-a-promise",
        11,
        "the coordinator does not look at its promises when it writes",
        "service/test_promises.py",
        method(certainty.Pledges, "begin", lambda self, node, now: not self._under_way.setdefault(node, 1) or True),
    ),
    Mutation(
        "no-roll-call",
        6,
        "after a boot a member starts at once",
        "core/test_roll_call.py",
        lambda: swap(roll_call.roll_call, broken.starts_at_once),
    ),
    Mutation(
        "half-a-roll-call",
        6,
        "nobody need be heard before a member starts",
        "core/test_roll_call.py",
        always(roll_call.must_be_heard, []),
    ),
    Mutation(
        "disk-from-the-past",
        6,
        "nobody asks whether a disk is older than the others remember",
        "core/test_roll_call.py",
        always(roll_call._past, ""),
    ),
    Mutation(
        "forget-the-hold",
        6,
        "a service that is killed while the quorum is forced forgets that nothing may be started yet",
        "service/test_hold_of_a_forced_quorum.py",
        broken.forgets_the_hold,
    ),
    Mutation(
        "take-back-what-was-tried",
        6,
        "a member whose start alone was tried is started again as one of several",
        "service/test_hold_of_a_forced_quorum.py",
        broken.takes_back_what_was_tried,
    ),
    Mutation(
        "follow-another-history",
        6,
        "a node that knew more than the database that went on does as that says",
        "service/test_hold_of_a_forced_quorum.py",
        method(Store, "_lost_history", lambda self: setattr(self, "_another", False)),
    ),
    Mutation(
        "go-alone-unfenced",
        4,
        "the last of two goes on alone although the other one may live",
        "core/test_last_one.py",
        broken.unfenced_last_one,
    ),
    Mutation(
        "go-alone-without-the-end-of-the-log",
        1,
        "the last of two goes on alone without what it has not heard to be committed",
        "service/test_last_word.py",
        broken.drops_the_end_of_the_log,
    ),
    Mutation(
        "go-alone-in-a-new-life",
        11,
        "a node that has just booted goes on alone",
        "core/test_last_one.py",
        broken.last_one_of_another_life,
    ),
    Mutation(
        "vote-away-the-majority",
        11,
        "a voter is removed although too few of the others are well",
        "core/test_voting.py",
        method(voting._Round, "_may_go", lambda self, member: True),
    ),
    Mutation(
        "force-where-the-vote-may-be-gone",
        11,
        "a quorum is forced on a node that left in order, although the others may start without it",
        "core/test_voting_model.py",
        always(force_quorum._may_be_out, ""),
    ),
    Mutation(
        "confirm-down-the-living",
        4,
        "an administrator's word is taken for a node that lives",
        "service/test_last_moment.py",
        lambda: swap(nodes._silence, broken.whoever_it_is),
    ),
    Mutation(
        "decide-by-wall-clock",
        12,
        "decisions are made by the wall clock, which jumps",
        "scenarios/21-clock-jumps.txt",
        method(SimClock, "now", SimClock.wall),
    ),
    Mutation(
        "believe-one-witness",
        8,
        "a plugin's word that nothing runs is believed, whatever its own list says",
        "scenarios/210-plugin-calls-failed-what-runs.txt",
        always(witness.contradiction, ""),
    ),
    *MOVES,
    *BY_HAND,
    *SAVES,
)

IN_A_LAB = (
    Mutation(
        "lock-the-images",
        5,
        "guests run with QEMU's lock on their disks, so that the lock hides what Outlast does not prevent",
        "lab/test_lab_guests.py::test_two_copies_on_one_disk_are_found_by_the_disk_and_by_the_watcher",
        broken.images_are_locked,
    ),
)
"""What only real QEMUs can show. Tried where there is a lab (`test_in_a_lab.py`), or by name."""
