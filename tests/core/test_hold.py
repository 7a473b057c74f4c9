"""After a restore the coordinator gives nothing away until ownership is confirmed, and says what it waits for."""

from typing import Any

import pytest

from build import group, silence, status, view
from outlast.core.coordinator.failover import decide
from outlast.core.foresight.protection import protection
from outlast.model.group import Group, Wanted
from outlast.model.node import ProofKind
from outlast.model.plan import Assign
from outlast.model.settings import Settings
from outlast.model.status import State

HELD = Settings(hold="the database was restored")
WEB = group("web", on="n2")


@pytest.mark.parametrize("of", [group("web", on=""), WEB, group("web", on="n2", move_to="n3")])
@pytest.mark.parametrize("why", ["no session", "failed", "dead"])
def test_nothing_is_given_to_anybody(of: Group, why: str) -> None:
    ways: dict[str, dict[str, Any]] = {
        "no session": {"sessions": []},
        "failed": {"statuses": [status(WEB, State.FAILED)]},
        "dead": {"silences": [silence("n2", proof=ProofKind.FENCE)]},
    }
    plan = decide(view(of, settings=HELD, **ways[why]))
    assert not [action for action in plan.actions if isinstance(action, Assign)]
    assert [waiting.group for waiting in plan.waiting] == ["web"]
    assert "confirm-ownership" in plan.waiting[0].why
    assert "the database was restored" in plan.waiting[0].why


def test_nobody_is_fenced() -> None:
    plan = decide(view(WEB, settings=HELD, silences=[silence("n2")]))
    assert plan.actions == ()


def test_what_runs_waits_for_nothing_but_is_not_protected() -> None:
    assert decide(view(WEB, settings=HELD)).waiting == ()
    (reason,) = protection(WEB, view(WEB, settings=HELD)).reasons
    assert reason == "nothing is started anywhere before `outlast cluster confirm-ownership`"


def test_what_is_wanted_offline_waits_for_nothing() -> None:
    off = group("web", on="", wanted=Wanted.OFFLINE)
    assert decide(view(off, settings=HELD)).waiting == ()
