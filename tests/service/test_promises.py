"""While the database is away: who runs on, who waits, and are promises kept in the moment of writing (rule 11)?"""

import asyncio
import itertools
from typing import Any

import pytest
from last_moment import Scene
from played import events, incarnation_of, play, played, session_of

from build import incarnation, silence
from outlast.core.membership.timing import timing
from outlast.model import keys
from outlast.service.commands.context import CommandError, Named
from outlast.service.commands.nodes import confirm_down
from outlast.service.store import put
from outlast.sim.database import Fate
from outlast.sim.world import World

TWO_VMS = ("vm web1 preferred=n1", "vm web2 preferred=n2", "start", "run 20")
NODES = ("n1", "n2", "n3")
TIMES = timing(5.0)


def lives(world: World) -> dict[str, str]:
    return {name: incarnation_of(world, name) for name in NODES}


def runs_on(world: World, node: str) -> str:
    """What the node says of the outage."""
    return world.services[node].node.observation.view().observed.runs_on


def validated(world: World, node: str) -> list[tuple[str, str]]:
    """About whom `outlast validate` finds what, there."""
    found: list[Any] = []
    service = world.services[node]

    async def ask() -> None:
        async for kind, value in service.node.command("validate", {}):
            if kind == "result":
                found.append(value)

    asking = service.process.context.run(world.loop.create_task, ask())
    play(world, "run 30")
    assert asking.done()
    (findings,) = found
    return [(finding["about"], finding["problem"]) for finding in findings]


def unheard(world: World, node: str) -> list[str]:
    """Whose service does not answer that of the node, as `outlast validate` says there."""
    return [about for about, problem in validated(world, node) if "does not answer the one of" in problem]


@pytest.mark.parametrize("how", ["cut", "refuse"])
def test_ten_minutes_without_the_database_cost_no_session_and_no_vm(how: str) -> None:
    with played("world watchdogs", *TWO_VMS) as world:
        before = lives(world)
        play(world, f"database {how} all", "run 600")
        assert "n1 runs on: n2, n3 promised to decide nothing meanwhile" in runs_on(world, "n1")
        play(world, "database mend all", "run 20")
        assert lives(world) == before
        assert (world.where("web1"), world.where("web2")) == (["n1"], ["n2"])
        assert events(world, "permit") == events(world, "node-silent") == []
        told = events(world, "outage")
        assert len(told) == len(NODES)
        assert all("promised to decide nothing meanwhile" in words for words in told)
        assert runs_on(world, "n1") == ""


@pytest.mark.parametrize("phase_s", [0.0, 0.2, 0.4, 0.6, 0.8])
@pytest.mark.parametrize("away_s", [3.0, 4.0, 4.5, 5.0, 6.0])
def test_the_database_may_be_back_at_any_moment_of_a_permit(phase_s: float, away_s: float) -> None:
    with played("world jitter seed=7 watchdogs", *TWO_VMS, f"run {phase_s + 0.01}") as world:
        before = lives(world)
        play(world, "database cut all", f"run {away_s}", "database mend all", "run 20")
        assert lives(world) == before
        assert events(world, "permit") == []


def test_who_reaches_the_database_promises_nothing_and_the_one_that_does_not_stops_in_time() -> None:
    with played("world unfenced", *TWO_VMS) as world:
        before = incarnation_of(world, "n1")
        play(world, "database cut n1", "run 3")
        assert "no promise of n2, n3: it reaches the database, and counts the silence of n1" in runs_on(world, "n1")
        play(world, "run 10")
        assert world.where("web1") == []
        assert events(world, "node-silent") != []
        play(world, "database mend n1", "run 20")
        assert incarnation_of(world, "n1") != before


def test_who_reaches_the_database_promises_what_is_left_of_the_time_that_it_counts_and_no_more() -> None:
    def promised_until_s(world: World) -> float:
        return world.now + world.services["n2"].node.observation.view().observed.promised_s["n1"]

    with played("world unfenced", *TWO_VMS, "database cut n1", "run 2") as world:
        until_s = promised_until_s(world)
        assert world.now + 1.0 < until_s <= world.now + TIMES.node_timeout_s - 2.0 + TIMES.renew_interval_s
        play(world, "run 1.5")
        assert promised_until_s(world) == pytest.approx(until_s)
        assert events(world, "node-silent") == []
        play(world, f"run {until_s - world.now + 0.1}")
        assert world.where("web1") == []
        assert events(world, "node-silent") != []


def test_a_node_alone_runs_on() -> None:
    with played("world nodes=1", "vm web1", "start", "run 10") as world:
        before = incarnation_of(world, "n1")
        play(world, "database cut all", "run 60", "database mend all", "run 10")
        assert incarnation_of(world, "n1") == before
        assert events(world, "outage") != []


@pytest.mark.parametrize("restarted", NODES)
def test_a_service_that_has_just_started_promises_as_soon_as_it_has_a_picture(restarted: str) -> None:
    with played("world watchdogs", *TWO_VMS) as world:
        before = lives(world)
        play(world, f"kill service {restarted} restart=1", "run 5", "database cut all", "run 20")
        assert f"{restarted} runs on: " in runs_on(world, restarted)
        play(world, "database mend all", "run 20")
        assert lives(world) == before
        assert (world.where("web1"), world.where("web2")) == (["n1"], ["n2"])


def test_a_service_that_has_no_picture_promises_nothing() -> None:
    with played("world", *TWO_VMS, "database cut all", "kill service n3 restart=1", "run 20") as world:
        assert world.where("web1") == world.where("web2") == []


@pytest.mark.parametrize("phase_s", [0.0, 0.2, 0.4, 0.6, 0.8])
@pytest.mark.parametrize("sooner_s", [0.5, 1.0, 1.5, 2.0, 2.4])
def test_one_node_may_lose_the_database_so_much_sooner_than_the_others(sooner_s: float, phase_s: float) -> None:
    """By the time that a client needs to find another member. Theirs is overdue before its own permit ends."""
    with played("world jitter seed=7 watchdogs", *TWO_VMS, f"run {phase_s + 0.01}") as world:
        before = lives(world)
        play(world, "database cut n1", f"run {sooner_s}", "database cut all", "run 20")
        assert (world.where("web1"), world.where("web2")) == (["n1"], ["n2"])
        play(world, "database mend all", "run 20")
        assert lives(world) == before


@pytest.mark.parametrize("order", list(itertools.permutations(NODES)), ids="-".join)
@pytest.mark.parametrize("apart_s", [0.4, 1.7, 6.0])
def test_members_that_hang_one_after_the_other_in_a_young_cluster_cost_nothing(
    apart_s: float, order: tuple[str, ...]
) -> None:
    with played("world members=3 watchdogs", *TWO_VMS[:2], "start", "run 7") as world:
        before = lives(world)
        for node in order:
            play(world, f"member freeze {node}", f"run {apart_s}")
        play(world, "run 20")
        assert (world.where("web1"), world.where("web2")) == (["n1"], ["n2"])
        play(world, *(f"member thaw {node}" for node in order), "run 20")
        assert lives(world) == before
        assert events(world, "permit") == events(world, "node-silent") == []


def test_the_list_of_those_who_must_wait_follows_who_is_a_member() -> None:
    with played("world", "vm web1 preferred=n1", "start n1 n2", "run 20") as world:
        session = session_of(world, "n1")
        assert session is not None
        assert session.peers == ("n2",)
        play(world, "start n3", "run 5")
        session = session_of(world, "n1")
        assert session is not None
        assert sorted(session.peers) == ["n2", "n3"]
        play(world, "vm web2 preferred=n2", "run 5", "power off n2", "run 10")
        session = session_of(world, "n1")
        assert session is not None
        assert session.peers == ("n3",)


def test_a_link_that_is_cut_is_found_before_the_database_is_away() -> None:
    with played("world", *TWO_VMS) as world:
        assert unheard(world, "n1") == []
        play(world, "cut n1 n3 service")
        assert unheard(world, "n1") == ["n3"]
        assert unheard(world, "n2") == []


def test_a_node_that_is_off_is_told_as_down_and_its_link_is_not_blamed() -> None:
    with played("world unfenced", *TWO_VMS, "power off n3", "run 10") as world:
        assert unheard(world, "n1") == []
        assert ("n3", "it is down, so") in {(about, problem[:14]) for about, problem in validated(world, "n1")}


def test_an_opening_whose_answer_was_lost_is_looked_for_and_no_second_one_is_written() -> None:
    with played("world unfenced", *TWO_VMS, "database cut n1", "run 8") as world:
        play(world, "database mend n1", "database deafen n1", "run 60")
        joined = [words for words in events(world, "node-joined") if words.startswith("n1 ")]
        assert len(joined) == 2
        assert world.where("web1") == ["n1"]


# --- kept in the moment of writing ------------------------------------------------------------------------------------

SILENCE = keys.SILENCES + "n2"


def nothing() -> None:
    return


def test_a_node_that_was_promised_to_wait_for_is_declared_silent_when_the_promise_has_ended() -> None:
    async def story(scene: Scene) -> None:
        scene.pledges.promise("n2", 15.0, asyncio.get_running_loop().time())
        await scene.coordinate(14.5)
        assert scene.silences() == {}
        await scene.coordinate(3.0)
        assert list(scene.silences()) == ["n2"]

    Scene(away=["n3"]).play(story, key="nobody writes this", happens=nothing)


def test_while_its_silence_is_being_written_a_node_is_promised_nothing() -> None:
    undecided: list[bool] = []
    scene = Scene(away=["n3"])

    async def story(scene: Scene) -> None:
        assert not scene.pledges.undecided("n2")
        await scene.coordinate(7.0)
        assert list(scene.silences()) == ["n2"]
        assert not scene.pledges.undecided("n2")

    scene.play(story, key=SILENCE, happens=lambda: undecided.append(scene.pledges.undecided("n2")))
    assert undecided == [True]


@pytest.mark.parametrize("fate", [Fate.LOST, Fate.UNHEARD])
def test_a_node_about_which_something_was_written_whose_answer_was_lost_is_promised_nothing_until_that_is_read(
    fate: Fate,
) -> None:
    scene = Scene(away=["n3"])

    async def story(scene: Scene) -> None:
        await scene.coordinate(6.0)
        assert scene.pledges.undecided("n2")
        await scene.coordinate(10.0)
        assert not scene.pledges.undecided("n2")
        assert list(scene.silences()) == ["n2"]

    scene.play(story, key=SILENCE, happens=lambda: scene.database.next_write("n1", fate))


def test_an_administrators_word_is_not_taken_against_a_node_that_was_promised_to_wait_for() -> None:
    async def story(scene: Scene) -> None:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(6.0)
        scene.pledges.promise("n2", 5.0, loop.time())
        with pytest.raises(CommandError, match=r"promised to decide nothing against n2 for 5\.0 s more; try again"):
            await confirm_down(scene.context, Named("n2"))
        assert scene.silences() == {}
        await asyncio.sleep(5.1)
        await confirm_down(scene.context, Named("n2"))
        assert scene.silences()["n2"].incarnation == incarnation("n2")

    Scene(away=["n3"]).play(story, key="nobody writes this", happens=nothing)


def test_a_silence_that_stood_before_this_node_watched_counts_from_a_time_out_later() -> None:
    """Its node may have been promised to wait for until then; and a service that has started again forgets promises."""
    ages: list[float] = []

    async def story(scene: Scene) -> None:
        for _ in range(4):
            await asyncio.sleep(3.0)
            ages.append(scene.context.view().observed.silence_age_s["n2"])

    Scene(put(SILENCE, silence("n2"))).play(story, key="nobody writes this", happens=nothing)
    assert ages == pytest.approx([0.0, 1.0, 4.0, 7.0], abs=0.1)


def test_a_silence_counts_from_when_a_promise_to_its_node_is_over() -> None:
    """Somebody else has declared it; until then the node may run on, and feed its watchdog."""
    ages: list[float] = []

    async def story(scene: Scene) -> None:
        await asyncio.sleep(12.0)
        scene.pledges.promise("n2", 3.0, asyncio.get_running_loop().time())
        scene.commit(put(SILENCE, silence("n2")))
        for _ in range(3):
            await asyncio.sleep(2.0)
            ages.append(scene.context.view().observed.silence_age_s["n2"])

    Scene(away=["n3"]).play(story, key="nobody writes this", happens=nothing)
    assert ages == pytest.approx([0.0, 1.0, 3.0], abs=0.1)


def test_a_silence_that_this_node_declared_counts_from_then() -> None:
    async def story(scene: Scene) -> None:
        await scene.coordinate(6.0)
        silent_since = asyncio.get_running_loop().time()
        age_s = scene.context.view().observed.silence_age_s["n2"]
        await asyncio.sleep(3.0)
        later_s = scene.context.view().observed.silence_age_s["n2"]
        assert later_s - age_s == pytest.approx(asyncio.get_running_loop().time() - silent_since)

    Scene(away=["n3"]).play(story, key="nobody writes this", happens=nothing)
