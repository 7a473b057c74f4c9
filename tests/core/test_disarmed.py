"""While the cluster is not armed nothing is decided, and everybody is told what waits for that."""

from typing import Any

import msgspec
import pytest

from build import group, observed, session, silence, status, view
from outlast.core.coordinator.arming import ARMED
from outlast.core.coordinator.failover import decide
from outlast.model.group import Group, Wanted
from outlast.model.node import ProofKind
from outlast.model.plan import Plan
from outlast.model.rule import Rule, RuleKind
from outlast.model.settings import Settings
from outlast.model.status import State

WEB = group("web", on="n2")
DISARMED = Settings(armed=False)


def decided(*groups: Group, **changes: Any) -> Plan:
    armed = decide(view(*groups, **changes))
    assert armed.actions, "armed, something would be done"
    return decide(view(*groups, **changes, settings=DISARMED))


@pytest.mark.parametrize(
    ("groups", "changes", "why"),
    [
        ([group("web", on="")], {}, "it has no owner"),
        ([WEB], {"observed": observed(silent_s={"n2": 9.0})}, "n2 is silent"),
        ([WEB], {"silences": [silence("n2")]}, "n2 is silent"),
        ([WEB], {"silences": [silence("n2", proof=ProofKind.FENCE)]}, "n2 is silent"),
        ([WEB], {"sessions": [session("n1"), session("n3")]}, "n2 left the cluster"),
        ([WEB], {"statuses": [status(WEB, State.FAILED)]}, "it failed on n2: as it is"),
        (
            [group("web", on="n2", move_to="n3")],
            {"statuses": [status(WEB, State.OFFLINE)]},
            "it is to move to n3",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_whatever_happened_nothing_is_done_and_the_words_say_why(
    groups: list[Group], changes: dict[str, Any], why: str
) -> None:
    plan = decided(*groups, **changes)
    assert plan.actions == ()
    assert [(one.group, one.why) for one in plan.waiting] == [("web", f"{ARMED}: {why}")]


@pytest.mark.parametrize(
    "changes",
    [{"observed": observed(silent_s={"n2": 9.0})}, {"silences": [silence("n2")], "voters": ("n1", "n2", "n3")}],
)
def test_nor_while_ownership_is_to_be_confirmed_besides(changes: dict[str, Any]) -> None:
    """A hold of a restored backup or a forced quorum makes nobody armed."""
    if "voters" in changes:
        changes = {
            "silences": changes["silences"],
            "observed": observed(silence_age_s={"n2": 1e6}, voters=changes["voters"]),
        }
    held = msgspec.structs.replace(DISARMED, hold="the database was restored")
    assert decide(view(WEB, **changes, settings=held)).actions == ()


def test_a_broken_rule_moves_nobody() -> None:
    rules = [Rule("off", RuleKind.NOT_ON, ("web",), ("n2",), hard=True)]
    assert decided(WEB, rules=rules) == Plan()


@pytest.mark.parametrize("state", [State.ONLINE, State.OFFLINE, State.ONLINE_PENDING])
def test_what_its_living_owner_sees_to_waits_for_nothing(state: State) -> None:
    assert decide(view(WEB, statuses=[status(WEB, state)], settings=DISARMED)) == Plan()


def test_what_is_wanted_offline_waits_for_nothing() -> None:
    off = group("web", on="n2", wanted=Wanted.OFFLINE)
    assert decide(view(off, silences=[silence("n2")], settings=DISARMED)) == Plan()
