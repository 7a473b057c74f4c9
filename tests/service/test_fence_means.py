"""Who may be switched off? Only a node whose silence stands in the database now, by a node that has a session."""

from collections.abc import Awaitable, Callable

from fence_script import LoopClock
from last_moment import Scene

from build import incarnation, session, silence
from outlast.model import keys
from outlast.ports.database import Delete
from outlast.service.fence.means import may_fence
from outlast.service.store import put

SILENT = put(keys.SILENCES + "n2", silence("n2"))
BACK = (put(keys.SESSIONS + "n2", session("n2", life=2)), Delete(SILENT.key))


def allowed(before: Callable[[Scene], object], *, life: int = 1) -> bool:
    """Asked in the moment after `before`, when no news of it have arrived yet."""
    found: list[bool] = []

    async def story(scene: Scene) -> None:
        before(scene)
        found.append(await may_fence(scene.store, scene.own, LoopClock())("n2", incarnation("n2", life)))

    told: Callable[[Scene], Awaitable[None]] = story
    Scene(SILENT).play(told, key="", happens=lambda: None)
    return found[0]


def test_a_node_whose_silence_stands_may_be_switched_off() -> None:
    assert allowed(lambda scene: None)


def test_a_node_that_is_back_this_very_moment_is_left_alone() -> None:
    assert not allowed(lambda scene: scene.commit(*BACK))


def test_another_life_of_the_node_is_left_alone() -> None:
    assert not allowed(lambda scene: None, life=2)


def test_who_has_no_session_switches_nobody_off() -> None:
    assert not allowed(lambda scene: scene.own.closed())


def test_who_cannot_read_whether_the_silence_stands_switches_nobody_off() -> None:
    assert not allowed(lambda scene: scene.database.cut("n1"))
