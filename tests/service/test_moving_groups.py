"""What the running cluster does with groups that fail, that do not start by themselves, and that could be elsewhere."""

from collections import Counter

import msgspec
import pytest
from played import Refused, asked, events, group_of, play, played

from outlast.model.answers import GroupRow
from outlast.model.balance_answers import BalanceRow
from outlast.model.group import Wanted
from outlast.sim.world import World


def owners(world: World, *groups: str) -> list[str]:
    return [group_of(world, name).owner for name in groups]


APP = ("group app preferred=n1", "resource disk in=app", "resource web in=app needs=disk")


def test_a_group_of_which_one_resource_failed_is_taken_offline_and_goes_to_another_node_as_a_whole() -> None:
    with played("world", *APP, "start", "run 20") as world:
        assert (world.where("disk"), world.where("web")) == (["n1"], ["n1"])
        play(world, "kill vm web", "run 20")
        (node,) = world.where("web")
        assert node != "n1"
        assert world.where("disk") == [node]
        group = group_of(world, "app")
        assert (group.owner, group.move_to, [one.node for one in group.failures]) == (node, "", ["n1"])
        assert any(
            "app is to move to" in words and "it failed on n1: web:" in words for words in events(world, "intent")
        )


def test_a_resource_that_is_to_stay_failed_leaves_the_rest_running_where_it_is() -> None:
    lines = ("group app preferred=n1", "resource disk in=app", "resource web in=app action=nothing")
    with played("world", *lines, "start", "run 20", "kill vm web", "run 20") as world:
        assert (world.where("disk"), world.where("web")) == (["n1"], [])
        row = msgspec.convert(asked(world, "n2", "group.show", name="app"), GroupRow)
        assert "web failed and stays here, since its restart_action is nothing" in row.why


def test_what_does_not_start_by_itself_is_off_after_its_nodes_death_until_somebody_wants_it() -> None:
    with played("world", "vm web1 preferred=n2 priority=no-auto-start", "start", "run 20") as world:
        world.checks.wish("web1", Wanted.OFFLINE)  # as an administrator has said once and for all
        play(world, "power off n2", "run 40")
        left = group_of(world, "web1")
        assert (left.wanted, left.owner, world.where("web1")) == (Wanted.OFFLINE, "", [])
        assert left.wanted_by == "the cluster, since n2 is dead, and its priority is no auto start"
        asked(world, "n1", "group.online", name="web1")
        play(world, "run 20")
        assert len(world.where("web1")) == 1


def test_what_stays_failed_is_tried_again_after_its_retry_time() -> None:
    with played("world", "vm web1 preferred=n1 threshold=1 retry=60", "start", "run 20") as world:
        play(world, "kill vm web1", "run 20", "kill vm web1", "run 20")
        assert world.where("web1") == []
        play(world, "run 60")
        assert len(world.where("web1")) == 1
        assert any("its failures are forgotten, and it is tried anew" in words for words in events(world, "decided"))


# -- balance --------------------------------------------------------------------------------------------------------

SIX = tuple(f"vm web{number} balance=always possible=n1,n2" for number in range(1, 7))
ALL = tuple(f"web{number}" for number in range(1, 7))


def test_a_node_that_joins_gets_its_share_a_few_at_once_and_then_all_stays_where_it_is() -> None:
    with played("world", *SIX, "cluster balance=on-join", "start n1 n3", "run 20") as world:
        assert set(owners(world, *ALL)) == {"n1"}
        play(world, "start n2", "run 400")
        assert Counter(owners(world, *ALL)) == {"n1": 3, "n2": 3}
        moves = [words for words in events(world, "intent") if "to balance the load" in words]
        assert len(moves) == 3
        play(world, "run 3000")
        assert len([words for words in events(world, "intent") if "to balance the load" in words]) == 3


def test_without_the_setting_nothing_is_moved_but_an_administrator_can_have_it_done() -> None:
    with played("world", *SIX, "start n1 n3", "run 20", "start n2", "run 300") as world:
        assert set(owners(world, *ALL)) == {"n1"}
        row = msgspec.convert(asked(world, "n2", "balance.look"), BalanceRow)
        assert [(move.source, move.target) for move in row.moves] == [("n1", "n2")] * 3
        asked(world, "n2", "balance.run", timeout_s=120.0)
        play(world, "run 10")
        assert Counter(owners(world, *ALL)) == {"n1": 3, "n2": 3}
        assert sorted(len(world.where(name)) for name in ALL) == [1] * 6


def test_nothing_is_balanced_while_something_is_wrong() -> None:
    with played("world unfenced", *SIX, "start", "run 20", "power off n3", "run 20") as world:
        with pytest.raises(Refused) as refused:
            asked(world, "n1", "balance.run")
        assert "n3 is silent" in str(refused.value)


def test_by_default_nothing_is_moved_that_cannot_be_migrated_live_and_it_says_so() -> None:
    lines = tuple(f"vm web{number} possible=n1,n2" for number in range(1, 7))
    with played("world", *lines, "cluster balance=continuous", "start n1 n3", "run 20", "start n2", "run 300") as world:
        assert set(owners(world, *ALL)) == {"n1"}
        row = msgspec.convert(asked(world, "n1", "balance.look"), BalanceRow)
        assert row.moves == ()
        (why,) = row.stay
        assert why.startswith("n1 is not set up for live migration")


# -- protection -----------------------------------------------------------------------------------------------------


def test_every_answer_about_groups_has_the_level_of_their_protection() -> None:
    with played("world", "vm web1", "vm web2 possible=n1", "start", "run 20", "plugin damage n3", "run 20") as world:
        rows = {row.name: row for row in msgspec.convert(asked(world, "n2", "group.list"), list[GroupRow])}
        assert (rows["web1"].protected, rows["web1"].protection) == (True, "at risk")
        assert rows["web1"].at_risk_because[0].startswith("could not go everywhere: n3: its plugin for vm")
        assert (rows["web2"].protected, rows["web2"].protection) == (False, "not protected")
        story = asked(world, "n1", "explain.vm", name="web1")["now"]
        assert any(words.startswith("it is at risk: if n") for words in story)
        assert any(words.startswith("at risk: could not go everywhere") for words in story)
        status = asked(world, "n1", "status")
        assert any(words.startswith("web2 would stay down if its node died now") for words in status["alarms"])


def test_a_broken_promise_to_survive_lost_nodes_is_an_alarm_and_a_risk_for_all() -> None:
    lines = ("world nodes=2 memory=2048", "vm web1 memory=1024", "vm web2 memory=1024", "cluster survive_nodes=2")
    with played(*lines, "start", "run 20") as world:
        status = asked(world, "n1", "status")
        assert any(
            words.startswith("The promise to survive the loss of 2 nodes is broken") for words in status["alarms"]
        )
        (row, _) = msgspec.convert(status["groups"], list[GroupRow])
        assert (row.protected, row.protection) == (True, "at risk")
        assert row.at_risk_because[0].startswith("the promise to survive the loss of 2 nodes is broken")
