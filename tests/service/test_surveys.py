"""Who answers what is asked of nodes?"""

import msgspec
from played import play, played

from outlast.model import keys
from outlast.model.survey import Answer, Survey
from outlast.service.store import put
from outlast.sim.world import World

ALL = ("n1", "n2", "n3")


def asked(world: World, nodes: tuple[str, ...] = ALL, verb: str = "list", **arguments: str) -> None:
    """Somebody has asked these nodes, and waits."""
    question = put(keys.SURVEYS + "x", Survey("x", "n2", "vm", verb, arguments, nodes))
    world.loop.call_soon(lambda: world.database.commit([], [question]))
    play(world, "run 1")


def answers(world: World) -> dict[str, str]:
    found = world.database.entries(keys.ANSWERS)
    decoded = (msgspec.json.decode(entry.value, type=Answer) for entry in found)
    return {answer.node: answer.problem for answer in decoded}


def test_every_node_answers() -> None:
    with played("world", "start", "run 5") as world:
        asked(world)
        assert answers(world) == {"n1": "", "n2": "", "n3": ""}


def test_nobody_else_does_what_one_node_is_asked_for() -> None:
    with played("world", "vm web1", "start", "run 5") as world:
        asked(world, ("n2",), "probe_write", path="/srv/web1.img", token="word")
        assert answers(world) == {"n2": ""}


def test_a_node_answers_also_what_was_asked_before_its_service_was_there() -> None:
    with played("world", "start", "run 5", "kill service n1 restart=3") as world:
        asked(world)
        assert "n1" not in answers(world)
        play(world, "run 10")
        assert answers(world)["n1"] == ""
