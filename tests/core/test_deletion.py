"""What keeps a group or a resource from being deleted?"""

from collections.abc import Mapping

import msgspec
import pytest

import build
from outlast.core.group.deletion import may_run, why_not_group, why_not_resource
from outlast.model.group import Group
from outlast.model.node import ProofKind
from outlast.model.policy import StartAfter
from outlast.model.rule import Rule, RuleKind
from outlast.model.status import ResourceStatus, State
from outlast.model.view import ClusterView

SHARE = build.group("files")
PAIR = msgspec.structs.replace(SHARE, resources=("disk", "share"))


def off(group: Group, **states: State) -> ClusterView:
    """Nothing of it runs, but for what `states` says; its resources are no VMs."""
    status = build.status(group, State.OFFLINE)
    changed = {name: ResourceStatus(state) for name, state in states.items()}
    view = build.view(group, statuses=[msgspec.structs.replace(status, resources={**status.resources, **changed})])
    resources = {name: build.resource(name, type="dummy", group=group.name) for name in group.resources}
    return msgspec.structs.replace(view, resources=resources)


def needing(view: ClusterView, **depends_on: str) -> ClusterView:
    resources: Mapping[str, object] = {
        name: msgspec.structs.replace(resource, depends_on=depends_on.get(name, ""))
        for name, resource in view.resources.items()
    }
    return msgspec.structs.replace(view, resources=resources)


def test_an_empty_group_may_go_and_so_may_one_with_all_that_is_off_in_it() -> None:
    empty = msgspec.structs.replace(SHARE, resources=())
    assert why_not_group(empty, off(empty), with_resources=False) == ""
    assert why_not_group(PAIR, off(PAIR), with_resources=True) == ""


def test_what_is_in_a_group_goes_with_it_only_if_that_was_said() -> None:
    assert "it has disk, share; delete them first" in why_not_group(PAIR, off(PAIR), with_resources=False)


def test_a_group_that_another_one_starts_after_stays() -> None:
    web = build.group("web", start_after=(StartAfter("files"),))
    view = off(SHARE)
    view = msgspec.structs.replace(view, groups={**view.groups, "web": web})
    words = "web starts after it; change that first: `outlast group set web start_after=...`"
    assert why_not_group(SHARE, view, with_resources=True) == words


def test_a_group_that_a_rule_is_about_stays() -> None:
    rule = Rule("apart", RuleKind.DIFFERENT, ("files", "web"))
    view = msgspec.structs.replace(off(SHARE), rules={"apart": rule})
    assert why_not_group(SHARE, view, with_resources=True).startswith("the rule apart is about it")


def test_a_vm_is_let_go_and_not_deleted() -> None:
    view = build.view(SHARE, statuses=[build.status(SHARE, State.OFFLINE)])
    assert "`outlast vm unprotect files`" in why_not_group(SHARE, view, with_resources=True)
    assert "`outlast vm unprotect files`" in why_not_resource(view.resources["files"], view)


def test_what_others_need_stays() -> None:
    view = needing(off(PAIR), share="disk")
    words = "share needs it; change that first: `outlast resource set share depends_on=...`"
    assert why_not_resource(view.resources["disk"], view) == words
    assert why_not_resource(view.resources["share"], view) == ""


@pytest.mark.parametrize("state", [one for one in State if one not in (State.OFFLINE, State.FAILED)])
def test_what_runs_or_may_run_stays(state: State) -> None:
    view = off(PAIR, share=state)
    words = f"share is {state.value} on n1; first: `outlast resource offline share`"
    assert why_not_resource(view.resources["share"], view) == words
    assert why_not_resource(view.resources["disk"], view) == ""
    words = f"share is {state.value} on n1; first: `outlast group offline files`"
    assert why_not_group(PAIR, view, with_resources=True) == words


def test_what_failed_runs_nowhere() -> None:
    assert why_not_group(PAIR, off(PAIR, share=State.FAILED), with_resources=True) == ""


def test_what_a_silent_node_owns_stays_until_its_death_is_proven() -> None:
    view = off(SHARE)
    silent = msgspec.structs.replace(view, observed=build.observed(silent_s={"n1": 6.0}))
    assert "is silent and may still run it" in may_run(SHARE, SHARE.resources, silent)
    declared = msgspec.structs.replace(view, silences={"n1": build.silence("n1")})
    assert "is silent and may still run it" in may_run(SHARE, SHARE.resources, declared)
    dead = msgspec.structs.replace(view, silences={"n1": build.silence("n1", proof=ProofKind.FENCE)})
    assert may_run(SHARE, SHARE.resources, dead) == ""


def test_what_nobody_owns_or_who_left_in_order_owned_runs_nowhere() -> None:
    nobodys = msgspec.structs.replace(SHARE, owner="")
    assert may_run(nobodys, nobodys.resources, off(nobodys)) == ""
    left = msgspec.structs.replace(off(SHARE), sessions={})
    assert may_run(SHARE, SHARE.resources, left) == ""


def test_a_report_of_another_epoch_another_node_or_another_life_says_nothing() -> None:
    view = off(SHARE)
    for status in (
        build.status(SHARE, State.OFFLINE, epoch=SHARE.epoch - 1),
        build.status(SHARE, State.OFFLINE, by="n2"),
        build.status(SHARE, State.OFFLINE, life=2),
    ):
        told = msgspec.structs.replace(view, statuses={"files": status})
        assert may_run(SHARE, SHARE.resources, told) == "n1 has not said yet whether it runs; try again"


def test_a_resource_that_the_report_does_not_name_may_run() -> None:
    report = msgspec.structs.replace(build.status(SHARE, State.OFFLINE), resources={})
    told = msgspec.structs.replace(off(SHARE), statuses={"files": report})
    assert "is unknown on n1" in may_run(SHARE, SHARE.resources, told)
