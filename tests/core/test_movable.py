"""How much of what runs may load balancing move at all, and why not the rest?"""

from build import group, node, session, view
from outlast.core.coordinator.movable import words
from outlast.model.group import Wanted
from outlast.model.node import Offer
from outlast.model.policy import Balance

NAMES = ("n1", "n2", "n3")


def test_whoever_has_the_load_balanced_hears_that_no_vm_can_be_moved_unnoticed() -> None:
    groups = [group(f"vm{number}", on=NAMES[number % 3]) for number in range(5)]
    assert words(view(*groups)) == (
        "balancing may move 0 of 5 groups; 5 stay where they are: vm0, vm1, vm2 and 2 more: vm cannot be migrated live "
        "(balance=always moves it all the same)"
    )


def test_what_may_be_moved_is_counted_and_the_rest_told_by_its_reasons() -> None:
    groups = [
        group("free", balance=Balance.ALWAYS),
        group("never", balance=Balance.NEVER),
        group("locked", on="n2", locked="it is old"),
        group("off", wanted=Wanted.OFFLINE),
        group("live", on="n3"),
    ]
    found = words(view(*groups))
    assert found.startswith("balancing may move 1 of 4 groups; 3 stay where they are: ")
    assert "locked: it is locked: it is old" in found
    assert "never: it is not to be moved for that (balance=never)" in found
    assert "off" not in found


def test_when_all_may_be_moved_nothing_else_is_said() -> None:
    sessions = [session(name, offers=[Offer("vm", functions=("migrate",))]) for name in NAMES]
    assert words(view(group("web"), sessions=sessions)) == "balancing may move 1 of 1 group"
    assert words(view(nodes=[node("n1")])) == "balancing may move 0 of 0 groups"
