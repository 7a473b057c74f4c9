"""What would happen if these nodes were lost now? The decision itself is played."""

import msgspec

from build import group, node, observed, resource, session, view
from outlast.core.coordinator.failover import decide
from outlast.core.foresight.what_if import node_down, without
from outlast.model.foresight import Restart
from outlast.model.group import Wanted
from outlast.model.plan import Assign
from outlast.model.policy import Priority
from outlast.model.settings import Settings
from outlast.model.view import ClusterView

WEB, DB, OFF = group("web", on="n2"), group("db", on="n1"), group("off", on="n2", wanted=Wanted.OFFLINE)


def restarts(seen: ClusterView, *lost: str) -> dict[str, Restart]:
    return {row.group: row for row in node_down(seen, lost).restarts}


def sized(**memory_mib: int) -> list[object]:
    return [resource(name, memory_mib=size) for name, size in memory_mib.items()]


def test_what_ran_there_goes_where_the_decision_would_put_it_and_says_why() -> None:
    seen = view(WEB, DB, OFF)
    found = restarts(seen, "n2")
    assert set(found) == {"web"}
    assert (found["web"].owner, found["web"].to) == ("n2", "n3")
    assert found["web"].why.startswith("n3: ")
    decided = [action for action in decide(without(seen, ["n2"])).actions if isinstance(action, Assign)]
    assert [(one.group, one.owner) for one in decided] == [("web", "n3")]


def test_what_would_find_no_room_says_so_node_by_node_and_priority_decides_who() -> None:
    groups = [
        group("small", on="n2", priority=Priority.HIGH),
        group("large", on="n2"),
        group("here", on="n1"),
    ]
    seen = view(
        *groups,
        nodes=[node("n1"), node("n2")],
        sessions=[session(name, memory_mib=1000) for name in ("n1", "n2")],
        resources=sized(small=300, large=600, here=400),
    )
    found = restarts(seen, "n2")
    assert found["small"].to == "n1"
    assert found["large"].to == ""
    assert "it has 300 MiB of memory left of 1000, and 600 are needed" in found["large"].why
    (after,) = node_down(seen, ["n2"]).nodes
    assert (after.groups_before, after.groups_after, after.memory_left_mib) == (1, 2, 300)


def test_several_nodes_are_lost_at_once() -> None:
    found = restarts(view(WEB, DB), "n1", "n2")
    assert {name: row.to for name, row in found.items()} == {"web": "n3", "db": "n3"}


def test_the_deciding_node_may_be_among_the_lost() -> None:
    assert restarts(view(WEB, DB, me="n1"), "n1")["db"].to in ("n2", "n3")


def test_nothing_is_changed_by_asking() -> None:
    seen = view(WEB, DB)
    before = msgspec.json.encode(seen)
    node_down(seen, ["n2"])
    assert msgspec.json.encode(seen) == before


def test_a_death_that_nothing_could_prove_is_said() -> None:
    nodes = [node("n1"), node("n2", fenced=False), node("n3")]
    (note,) = node_down(view(WEB, nodes=nodes), ["n2"]).notes
    assert note.startswith("the death of n2 could not be proven")
    assert node_down(view(WEB), ["n2"]).notes == ()


def test_votes_that_would_be_lost_are_said() -> None:
    seen = view(WEB, observed=observed(voters=("n1", "n2", "n3")))
    assert node_down(seen, ["n2"]).notes == ()
    (note,) = node_down(seen, ["n2", "n3"]).notes
    assert note.startswith("n2 and n3 would take 2 of 3 votes of the cluster database along")
    vital = view(WEB, observed=observed(voters=("n1", "n2"), vital=("n2",)))
    assert any(note.startswith("the cluster database would stop with n2") for note in node_down(vital, ["n2"]).notes)


def test_a_promise_that_would_be_broken_afterwards_is_said() -> None:
    seen = view(
        WEB,
        DB,
        settings=Settings(survive_nodes=1),
        sessions=[session(name, memory_mib=1000) for name in ("n1", "n2", "n3")],
        resources=sized(web=600, db=600),
    )
    (note,) = node_down(seen, ["n2"]).notes
    assert note.startswith("afterwards: the promise to survive the loss of 1 node is broken")


def test_without_any_node_left_everything_waits() -> None:
    found = node_down(view(WEB, DB), ["n1", "n2", "n3"])
    assert found.notes == ("no node would be left",)
    assert [row.to for row in found.restarts] == ["", ""]


def test_what_starts_by_an_administrators_word_only_would_stay_off() -> None:
    manual = msgspec.structs.replace(WEB, priority=Priority.NO_AUTO_START)
    row = restarts(view(manual), "n2")["web"]
    assert row.to == ""
    assert row.why != ""


def test_a_node_that_left_in_order_takes_nothing_along() -> None:
    seen = view(DB, sessions=[session("n1"), session("n3")])
    assert without(seen, ["n2"]).silences == {}
