"""Who answers what is asked of all nodes?"""

import msgspec
from played import play, played

from outlast.model import keys
from outlast.model.survey import Answer, Survey
from outlast.service.store import put
from outlast.sim.world import World


def asked(world: World) -> None:
    """Somebody has asked all nodes for their VMs, and waits."""
    question = put(keys.SURVEYS + "x", Survey("x", "n2", "vm", "list"))
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


def test_a_node_answers_also_what_was_asked_before_its_service_was_there() -> None:
    with played("world", "start", "run 5", "kill service n1 restart=3") as world:
        asked(world)
        assert "n1" not in answers(world)
        play(world, "run 10")
        assert answers(world)["n1"] == ""
