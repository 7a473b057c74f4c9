"""What would become of a resource that failed now?"""

from typing import Any

import msgspec

import build
from outlast.core.foresight.foretelling import Fate, of_failure
from outlast.model.policy import RestartAction
from outlast.model.view import ClusterView

WEB = build.group("web")
PAIR = msgspec.structs.replace(build.group("files"), resources=("disk", "share"))


def seen(**of_web: Any) -> ClusterView:
    view = build.view(WEB)
    return msgspec.structs.replace(view, resources={"web": msgspec.structs.replace(view.resources["web"], **of_web)})


def fate(view: ClusterView) -> Fate:
    return of_failure(view.resources["web"], WEB, view)


def test_a_vm_that_fails_is_started_on_another_node() -> None:
    assert fate(seen()) == Fate("web would be terminated on n1; web would be started on n2", "n2")


def test_where_it_may_be_restarted_that_comes_first() -> None:
    words = (
        "web would be terminated on n1; it would be restarted there, up to 3 times within 900 s; after that web would "
        "be started on n2"
    )
    assert fate(seen(restart_threshold=3)) == Fate(words)


def test_what_is_only_restarted_stays_failed_in_the_end() -> None:
    words = (
        "web would be terminated on n1; it would be restarted there, once within 900 s; after that it would stay "
        "failed there"
    )
    assert fate(seen(restart_threshold=1, restart_action=RestartAction.RESTART)) == Fate(words)


def test_what_nobody_shall_restart_stays_failed() -> None:
    view = seen(restart_threshold=3, restart_action=RestartAction.NOTHING)
    assert fate(view) == Fate("web would be terminated on n1; it would stay failed there")


def test_when_no_other_node_can_take_it_it_is_tried_again_where_it_is() -> None:
    alone = msgspec.structs.replace(seen(), sessions={"n1": build.session("n1")})
    assert fate(alone) == Fate("web would be terminated on n1; web would be started there again")


def test_when_its_failovers_are_spent_it_waits_for_somebody() -> None:
    spent = msgspec.structs.replace(WEB, failures=(build.failure("web-1"), build.failure("web-2")))
    view = build.view(spent)
    found = of_failure(view.resources["web"], spent, view)
    assert found.to == ""
    assert "it would stay failed there, waiting for an administrator" in found.words


def test_what_needs_it_goes_offline_and_all_of_the_group_moves() -> None:
    view = build.view(PAIR)
    share = msgspec.structs.replace(view.resources["share"], depends_on="disk")
    view = msgspec.structs.replace(view, resources={**view.resources, "share": share})
    words = "disk would be terminated on n1, and share would go offline, needing it; all of files would move to n2"
    assert of_failure(view.resources["disk"], PAIR, view) == Fate(words, "n2")
