"""Where is the screen of a VM, and who is told?"""

import pytest
from asking_from_outside import outside, refusal
from played import Refused, asked, play, played
from test_access import user


def test_every_node_knows_on_which_node_the_screen_is() -> None:
    with played("world", "vm web1 preferred=n2", "start", "run 10") as world:
        assert asked(world, "n1", "vm.screen", name="web1") == {"vm": "web1", "node": "n2", "host": "", "port": 0}


def test_the_owner_asks_its_plugin_and_hands_its_words_on() -> None:
    with played("world", "vm web1 preferred=n2", "start", "run 10") as world:
        with pytest.raises(Refused) as refused:
            asked(world, "n2", "vm.screen", name="web1")
        assert "does not know the verb screen" in str(refused.value), "simulated VMs have no screen"


def test_a_vm_without_an_owner_has_no_screen() -> None:
    with played("world", "vm web1 offline", "start", "run 10") as world:
        with pytest.raises(Refused) as refused:
            asked(world, "n1", "vm.screen", name="web1")
        assert str(refused.value) == "web1 has no owner now, so it has no screen"


def test_who_sees_a_screen_types_on_it_so_it_takes_an_operator_of_that_vm() -> None:
    with played("world", "vm web1 preferred=n2", "vm web2 preferred=n2", "start", "run 10") as world:
        viewer, operator = user(world, "vera"), user(world, "olaf", "operator", groups=["web1"])
        assert refusal(world, "vm.screen", viewer, name="web1") == "denied"
        assert refusal(world, "vm.screen", operator, name="web2") == "denied"
        assert outside(world, "vm.screen", operator, name="web1")["node"] == "n2"
        play(world, "run 2")
        told = asked(world, "n1", "audit.list")
        assert [(one["who"], one["verb"], one["result"]) for one in told if one["verb"] == "vm.screen"] == [
            ("olaf", "vm.screen", "done")
        ]
