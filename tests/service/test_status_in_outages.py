"""What does a node answer about the cluster while it knows less than usual, and about itself, of which it knows all?"""

from typing import Any

from played import play, played

from outlast.sim.world import World

TWO_VMS = ("vm web1 preferred=n1", "vm web2 preferred=n2", "start", "run 20")
LOST = ("cut n1 n2 service", "cut n1 n3 service", "database cut all")
"""Nobody promises n1 anything any more."""


def answer(world: World, node: str, verb: str, **arguments: Any) -> Any:
    found: list[Any] = []
    service = world.services[node]

    async def ask() -> None:
        found.extend([value async for kind, value in service.node.command(verb, arguments) if kind == "result"])

    asking = service.process.context.run(world.loop.create_task, ask())
    play(world, "run 3")
    assert asking.done()
    asking.result()
    return found[0]


def states(world: World, node: str, verb: str = "group.list") -> dict[str, tuple[str, str]]:
    return {row["name"]: (row["state"], row["why"]) for row in answer(world, node, verb)}


def test_a_node_that_stopped_its_vms_does_not_call_them_online_and_says_how_old_the_rest_is() -> None:
    with played("world", *TWO_VMS) as world:
        play(world, *LOST, "run 20")
        assert world.where("web1") == []
        status = answer(world, "n1", "status")
        vms = {row["name"]: row for row in status["vms"]}
        assert vms["web1"]["state"] == "offline"
        assert vms["web1"]["why"].startswith("n1 stopped it 1")
        assert vms["web2"]["state"] == "online", "as it was known last"
        assert 15 < status["age_s"] < 30
        assert status["session"]
        nodes = {row["name"]: row for row in status["nodes"]}
        assert nodes["n1"]["state"] == "out"
        assert "no session now" in nodes["n1"]["why"]
        state, why = states(world, "n1")["web2"]
        assert (state, why.startswith("as of 2")) == ("online", True), "where no title says it, each row does"
        state, why = states(world, "n1", "node.list")["n2"]
        assert (state, why.startswith("as of 2")) == ("up", True)


def test_a_node_that_runs_on_says_the_same_of_its_own_vms_and_how_old_the_rest_is() -> None:
    with played("world", *TWO_VMS) as world:
        play(world, "database cut all", "run 20")
        status = answer(world, "n1", "status")
        assert [(row["name"], row["state"], row["why"]) for row in status["vms"]] == [
            ("web1", "online", ""),
            ("web2", "online", ""),
        ]
        assert (status["session"], status["age_s"] > 15) == ("", True)


def test_what_ended_while_the_database_is_away_is_known_where_it_ran() -> None:
    with played("world", *TWO_VMS) as world:
        play(world, "database cut all", "run 10", "guest shutdown web1", "run 10")
        assert states(world, "n1")["web1"][0] == "offline"


def test_with_the_database_every_node_answers_the_same_and_nothing_is_old() -> None:
    with played("world", *TWO_VMS) as world:
        play(world, *LOST, "run 20", "heal all", "database mend all", "run 30")
        answers = [answer(world, name, "status") for name in ("n1", "n2", "n3")]
        assert [one["age_s"] for one in answers] == [0.0, 0.0, 0.0]
        assert answers[0]["vms"] == answers[1]["vms"] == answers[2]["vms"]
        assert {row["state"] for row in answers[0]["vms"]} == {"online"}
