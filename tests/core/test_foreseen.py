"""What the cluster would do at once is told before it is."""

import msgspec

from build import group, node, observed, silence, view
from outlast.core.foresight.foreseen import foreseen
from outlast.model.node import ProofKind
from outlast.model.settings import Settings


def test_nothing_is_foreseen_when_nothing_would_be_different() -> None:
    assert foreseen(view(group("web")), view(group("web"))) == ()


def test_who_would_be_called_silent_once_the_cluster_is_armed() -> None:
    lost = view(group("web", on="n2"), observed=observed(silent_s={"n2": 60.0}))
    disarmed = msgspec.structs.replace(lost, settings=Settings(armed=False))
    (words,) = foreseen(disarmed, lost)
    assert words.startswith("n2 would be declared silent")


def test_who_would_be_fenced_and_what_would_go_where() -> None:
    waiting = view(group("web", on="n2"), silences=[silence("n2")])
    assert foreseen(msgspec.structs.replace(waiting, settings=Settings(armed=False)), waiting) == (
        "n2 would be fenced",
    )
    dead = view(group("web", on="n2"), silences=[silence("n2", proof=ProofKind.FENCE)])
    (words,) = foreseen(msgspec.structs.replace(dead, settings=Settings(armed=False)), dead)
    assert words.startswith("web would go to n1: n2 is dead")


def test_what_would_be_done_anyway_is_not_told() -> None:
    drained = msgspec.structs.replace(node("n1"), paused=True, draining=True)
    seen = view(group("web"), nodes=(drained, node("n2")))
    assert foreseen(seen, msgspec.structs.replace(seen, settings=Settings(most_fenced=1))) == ()
    assert foreseen(view(group("web")), seen) == ("web would move to n2: n1 is drained",)
