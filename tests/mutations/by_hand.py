"""What people bring, start or stop past the cluster: taken over although its owner has not said that nothing of it
runs, or taken for what it is not."""

from typing import Any

from mutations.broken import always, method, swap
from mutations.mutation import Mutation
from outlast.core.coordinator import adopting
from outlast.core.membership.membership import LAPSE_COUNTS_S, Session
from outlast.core.owner import duty, resource, telling
from outlast.core.owner.duty import Step
from outlast.core.owner.resource import Verdict
from outlast.model.group import Came, Group
from outlast.model.view import ClusterView
from outlast.service.hosting.reporting import Reporting


def follows_without_its_owners_word() -> None:
    """Whoever says that somebody migrated it to him gets it."""

    def brought(group: Group, view: ClusterView) -> str:
        found = adopting.appearance(group, view)
        return found.node if found is not None and found.came is Came.BROUGHT else ""

    setattr(adopting, "brought", brought)  # noqa: B010


def lets_strays_run_on() -> None:
    original = duty.next_step

    def next_step(*arguments: Any, **options: Any) -> Step:
        found = original(*arguments, **options)
        return Step.NOTHING if found is Step.STAND_STILL else found

    swap(original, next_step)


def adopts_just_as_it_failed() -> None:
    original = resource.judge

    def judge(*arguments: Any, **options: Any) -> Verdict:
        return original(*arguments, **{**options, "about_to_go": False})

    swap(original, judge)


def takes_what_arrives_for_switched() -> None:
    original = resource.judge

    def judge(*arguments: Any, **options: Any) -> Verdict:
        return original(*arguments, **{**options, "wanted_off": False, "was_arriving": False})

    swap(original, judge)


def forgets_when_its_owner_died() -> None:
    original = adopting.may_become

    def may_become(*arguments: Any, **options: Any) -> str:
        return original(*arguments, **{**options, "owner_was_dead": True})

    swap(original, may_become)


def mixes_up_two_lives() -> None:
    """What left its owner in one life counts as what came elsewhere in another."""
    original = adopting.went_away

    def went_away(group: Group, view: ClusterView, **options: Any) -> bool:
        return original(group, view)

    swap(original, went_away)


BY_HAND = (
    Mutation(
        "follow-what-came-in-another-life",
        9,
        "what was migrated by hand before its owner started it anew goes on when it is migrated again: older memory",
        "core/test_adopting.py",
        mixes_up_two_lives,
    ),
    Mutation(
        "adopt-without-its-owners-word",
        1,
        "what somebody started on another node becomes that node's, although it may run with its owner",
        "core/test_adopting.py",
        always(adopting._owner_has_it, ""),
    ),
    Mutation(
        "follow-without-its-owners-word",
        1,
        "what somebody migrated by hand becomes the other node's before its owner has said that it went away",
        "core/test_adopting.py",
        follows_without_its_owners_word,
    ),
    Mutation(
        "went-away-is-no-promise",
        1,
        "an owner starts again what went away by hand, while the coordinator may be giving it to where it went",
        "service/test_past_the_cluster.py",
        lambda: swap(telling.is_promise, lambda told: told.state in telling.RUNS_NOTHING),
    ),
    Mutation(
        "adopt-just-as-it-failed",
        1,
        "what somebody starts where it has just failed runs on there, while another node is about to start it",
        "core/test_resource.py",
        adopts_just_as_it_failed,
    ),
    Mutation(
        "stay-off-while-its-host-is-replaced",
        1,
        "what somebody started by hand is still told to be off, and by now wanted online, while its host is replaced",
        "scenarios/290-started-by-hand-and-its-host-dies-before-it-is-told.txt",
        always(telling.stands_for_a_moment, True),
    ),
    Mutation(
        "adopt-before-its-owner-is-heard-of",
        1,
        "what stands where somebody started it goes on, although its owner may have run it since and is not heard of",
        "scenarios/252-started-by-hand-before-its-owner-died.txt",
        always(adopting.is_heard, True),
    ),
    Mutation(
        "renew-and-tell-later",
        1,
        "an owner who is heard of again does not say that its report that nothing runs is about to be taken back",
        "scenarios/305-started-twice-while-the-database-is-away.txt",
        method(Reporting, "_untold", lambda _: ()),
    ),
    Mutation(
        "forget-when-its-owner-died",
        1,
        "what stands where somebody started it goes on, although its owner may have run it after that, and died",
        "core/test_adopting.py",
        forgets_when_its_owner_died,
    ),
    Mutation(
        "take-what-arrives-for-switched",
        10,
        "what is migrated to its owner by hand counts as switched on before it is there, and off if it does not come",
        "scenarios/291-migrated-by-hand-to-its-owner-and-cut-off.txt",
        takes_what_arrives_for_switched,
    ),
    Mutation(
        "take-the-permits-end-for-a-hand",
        10,
        "what ended for want of a permit counts as switched off at the console when its host has not told of it yet",
        "scenarios/250-permit-lapsed-while-the-service-was-frozen.txt",
        method(Session, "may_have_ended", lambda self, began_at, now: False),
    ),
    Mutation(
        "take-a-hand-for-the-permits-end",
        10,
        "what somebody stops just after the permit had passed is started again, although it was started since",
        "scenarios/255-stopped-by-hand-just-after-the-permit-had-passed.txt",
        method(Session, "may_have_ended", lambda self, began_at, now: now - self.lapsed_at < LAPSE_COUNTS_S),
    ),
    Mutation(
        "let-strays-run-on",
        9,
        "what came by hand to a node that does not own it runs on there until it is known whose it is",
        "core/test_duty.py",
        lets_strays_run_on,
    ),
)
