"""Failure injection: what an administrator has fail is terminated where it runs, and then counts as any failure."""

from typing import Any

import pytest
from played import Refused, asked, events, group_of, play, played

from outlast.sim.world import World

SETUP = ("world", "vm web preferred=n2", "start", "run 15")


def refusal(world: World, name: str) -> str:
    with pytest.raises(Refused) as refused:
        asked(world, "n1", "resource.fail", name=name)
    return str(refused.value)


def would(world: World, name: str) -> Any:
    return asked(world, "n3", "resource.would", name=name, verb="fail")


def test_a_vm_that_is_to_fail_is_ended_first_and_then_runs_on_another_node() -> None:
    with played(*SETUP) as world:
        assert would(world, "web")["to"] in ("n1", "n3")
        foretold = would(world, "web")["to"]
        row = asked(world, "n1", "resource.fail", name="web")
        assert row["settled"] is False
        play(world, "run 10")
        assert world.where("web") == [foretold] == [group_of(world, "web").owner]
        assert events(world, "failed") == ["web failed on n2: an administrator on n1 had it fail"]
        assert [failure.why for failure in group_of(world, "web").failures] == ["an administrator on n1 had it fail"]


def test_it_may_be_asked_of_the_owner_itself() -> None:
    with played(*SETUP) as world:
        asked(world, "n2", "resource.fail", name="web")
        play(world, "run 10")
        assert group_of(world, "web").owner != "n2"


def test_it_counts_towards_the_limit_of_failovers() -> None:
    with played(*SETUP) as world:
        for _ in range(3):
            asked(world, "n1", "resource.fail", name="web")
            play(world, "run 10")
        row = asked(world, "n1", "group.show", name="web")
        assert (row["state"], row["settled"]) == ("failed", True)
        assert "which is its limit" in row["why"]
        assert "it is failed" in refusal(world, "web")


def test_what_may_be_restarted_where_it_is_is() -> None:
    with played("world", "vm web preferred=n2 restarts=2", "start", "run 15") as world:
        assert "it would be restarted there, up to 2 times" in would(world, "web")["words"]
        asked(world, "n1", "resource.fail", name="web")
        play(world, "run 10")
        assert (world.where("web"), group_of(world, "web").owner, group_of(world, "web").failures) == (["n2"], "n2", ())


def test_what_is_off_cannot_fail() -> None:
    with played(*SETUP) as world:
        asked(world, "n1", "group.offline", name="web")
        play(world, "run 10")
        assert refusal(world, "web") == "web cannot be made to fail: it is offline, and only what runs can fail"


def test_a_question_that_its_asker_left_behind_does_no_harm_to_a_service_that_starts_later() -> None:
    with played(*SETUP) as world:
        arguments = {"name": "web"}
        world.administer("n1", "resource.fail", arguments)
        play(world, "run 0.05", "kill service n1 restart=1", "kill service n2 restart=1", "run 20")
        owner = group_of(world, "web").owner
        play(world, f"kill service {owner} restart=1", "run 20")
        assert group_of(world, "web").owner == owner
        assert len(world.where("web")) == 1
        assert len(events(world, "failed")) <= 1


def test_what_fails_on_its_only_node_is_tried_again_there_ever_more_rarely() -> None:
    with played("world", "vm web possible=n2 threshold=50", "start", "run 15") as world:
        play(world, "trouble web failing_starts=1000", "kill vm web", "run 20")
        spent = len(group_of(world, "web").failures)
        assert 4 <= spent <= 7, "0, 0, 1, 2, 4 and 8 s after the one before"
        play(world, "trouble web", "run 20")
        assert world.where("web") == ["n2"]
