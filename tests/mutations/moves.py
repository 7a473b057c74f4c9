"""Live migration: what stands on two nodes at once runs on one. Each part broken on purpose (`broken_moves.py`)."""

from mutations import broken_moves
from mutations.broken import always, method
from mutations.mutation import Mutation
from outlast.core.owner import duty
from outlast.core.owner.duty import Duty, Step
from outlast.service.hosting.handing import Handing

MOVES = (
    Mutation(
        "take-up-whatever-stands",
        9,
        "an old copy goes on, because something of that name stands there",
        "core/test_duty.py",
        always(duty._with_what_stands_here, Step.TAKE_UP),
    ),
    Mutation(
        "received-without-a-word",
        9,
        "a copy goes on although its owner has not said that nothing of it runs any more",
        "core/test_handing_over.py",
        broken_moves.whatever_the_owner_says,
    ),
    Mutation(
        "run-what-is-received",
        9,
        "the destination runs what arrives before the database says so",
        "core/test_duty.py",
        lambda: broken_moves.the_destination(Duty.RUN),
    ),
    Mutation(
        "failed-hand-over-is-done",
        9,
        "a migration that failed counts as one that came through",
        "core/test_resource.py",
        broken_moves.failed_is_done,
    ),
    Mutation(
        "guess-where-it-went",
        9,
        "what has gone to another node went where the record says by now",
        "scenarios/163-called-back-too-late-and-service-killed.txt",
        broken_moves.guesses_where_it_went,
    ),
    Mutation(
        "end-what-is-about-to-arrive",
        9,
        "the destination terminates the copy that is about to be its own, and the VM starts anew for nothing",
        "scenarios/160-migrated-live.txt",
        broken_moves.ends_what_arrives,
    ),
    Mutation(
        "forget-that-it-was-handed-over",
        10,
        "what the cluster has handed over itself counts as migrated away by somebody",
        "core/test_own_stop.py",
        broken_moves.forgets_that_it_was_handed_over,
    ),
    Mutation(
        "call-online-what-leaves",
        9,
        "what a former host has begun to hand over counts as online while that is still under way",
        "scenarios/260-host-dies-and-its-migration-is-about-to-end.txt",
        method(Handing, "is_left_behind", lambda *_: False),
    ),
)
