"""How many nodes may be fenced in a short time. Ten nodes, of which n2 and others are silent and own groups."""

from typing import Any

import msgspec

from build import group, node, observed, silence, view
from outlast.core.coordinator import marks, storm
from outlast.core.coordinator.failover import decide
from outlast.model.node import Node, ProofKind
from outlast.model.plan import ChangeNode, Fence, Plan
from outlast.model.settings import Settings
from outlast.model.view import ClusterView

TEN = tuple(f"n{number}" for number in range(1, 11))


def fenced_before(name: str) -> Node:
    return msgspec.structs.replace(node(name), fenced=(marks.fencing(f"{name}-life-0"),))


def storming(
    silent: tuple[str, ...], *, fenced: tuple[str, ...] = (), names: tuple[str, ...] = TEN, **changes: Any
) -> ClusterView:
    nodes = tuple(fenced_before(name) if name in fenced else node(name) for name in names)
    groups = [group(f"of-{name}", on=name) for name in silent]
    return view(*groups, nodes=nodes, silences=[silence(name) for name in silent], **changes)


def fences(plan: Plan) -> list[str]:
    return [action.node for action in plan.actions if isinstance(action, Fence)]


def test_so_many_are_fenced_and_then_an_administrator_is_asked() -> None:
    plan = decide(storming(("n2", "n3", "n4"), settings=Settings(most_fenced=2)))
    assert len(fences(plan)) == 2
    (spared,) = {"n2", "n3", "n4"} - set(fences(plan))
    (waiting,) = [waiting.why for waiting in plan.waiting if waiting.group == f"of-{spared}"]
    assert "the storm guard stands" in waiting
    assert "`outlast cluster release`" in waiting


def test_those_that_were_fenced_a_while_ago_count() -> None:
    assert fences(decide(storming(("n2",), fenced=("n3", "n4"), settings=Settings(most_fenced=2)))) == []
    assert fences(decide(storming(("n2",), fenced=("n3",), settings=Settings(most_fenced=2)))) == ["n2"]


def test_those_that_were_fenced_longer_ago_than_the_period_count_no_more_and_are_forgotten() -> None:
    old = observed(mark_age_s={"fenced n3-life-0": 600.0})
    plan = decide(storming(("n2",), fenced=("n3",), settings=Settings(most_fenced=1), observed=old))
    assert fences(plan) == ["n2"]
    assert ChangeNode("n3", "", fenced=()) in plan.actions


def test_a_fencing_that_has_begun_goes_on() -> None:
    seen = storming(("n2",), fenced=("n3",), settings=Settings(most_fenced=1))
    begun = msgspec.structs.replace(node("n2"), fenced=(marks.fencing("n2-life-1"),))
    assert fences(decide(msgspec.structs.replace(seen, nodes={**seen.nodes, "n2": begun}))) == ["n2"]


def test_a_node_that_is_fenced_again_counts_once() -> None:
    assert fences(decide(storming(("n2",), fenced=("n2",), settings=Settings(most_fenced=1)))) == ["n2"]


def test_that_a_node_is_spared_is_written_down_once_and_taken_back_when_it_is_over() -> None:
    settings = Settings(most_fenced=0)
    (note,) = decide(storming(("n2",), settings=settings)).actions
    assert isinstance(note, ChangeNode)
    assert note.spared == "n2-life-1"
    assert note.why.startswith("n2 is not fenced: the storm guard stands")
    seen = storming(("n2",), settings=settings)
    spared = msgspec.structs.replace(node("n2"), spared="n2-life-1")
    again = msgspec.structs.replace(seen, nodes={**seen.nodes, "n2": spared})
    assert decide(again).actions == ()
    released = decide(msgspec.structs.replace(again, settings=Settings()))
    assert ChangeNode("n2", "", spared="") in released.actions
    assert fences(released) == ["n2"]


def test_a_node_without_a_fence_device_is_not_spared_from_anything() -> None:
    seen = storming(("n2",), settings=Settings(most_fenced=0))
    bare = msgspec.structs.replace(seen, nodes={**seen.nodes, "n2": node("n2", fenced=False)})
    assert decide(bare).actions == ()


def test_a_proof_that_switches_nothing_off_is_not_held_back() -> None:
    seen = storming(("n2",), settings=Settings(most_fenced=0))
    proven = msgspec.structs.replace(seen, silences={"n2": silence("n2", proof=ProofKind.OPERATOR)})
    assert [action for action in decide(proven).actions if not isinstance(action, ChangeNode)]


def test_by_default_half_of_the_nodes_and_six_at_least_may_be_fenced() -> None:
    assert storm.limit(storming((), names=("n1", "n2", "n3"))) == 6
    assert storm.limit(storming((), names=TEN)) == 6
    assert storm.limit(storming((), names=tuple(f"n{number}" for number in range(64)))) == 32


def test_a_small_cluster_goes_on_down_to_its_last_node() -> None:
    for count in range(2, 8):
        names = tuple(f"n{number}" for number in range(1, count + 1))
        for dead in range(1, count):
            seen = storming((names[dead],), fenced=names[1:dead], names=names)
            assert fences(decide(seen)) == [names[dead]], f"{dead} of {count} are dead"
