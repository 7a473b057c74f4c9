"""Who coordinates: whoever writes the record when there is reason to. n1 coordinates unless a test says otherwise."""

from typing import Any

import pytest

from build import incarnation, observed, session, silence, view
from outlast.core.coordinator.election import claim, coordinates
from outlast.model.node import Coordinator


def test_nobody_claims_while_the_coordinator_is_alive() -> None:
    assert claim(view(me="n2"), incarnation("n2")) is None


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"coordinator": None}, "there was no coordinator"),
        ({"sessions": [session("n2"), session("n3")]}, "n1 left the cluster"),
        ({"sessions": [session("n1", life=2), session("n2")]}, "n1 has started again"),
        ({"silences": [silence("n1")]}, "n1 is declared silent"),
        ({"observed": observed(silent_s={"n1": 5.13})}, "n1 was silent for 5.1 s"),
    ],
)
def test_a_coordinator_that_is_no_good_is_followed_by_the_next_term(changes: dict[str, Any], why: str) -> None:
    found = view(me="n2", **changes)
    claimed = claim(found, incarnation("n2"))
    assert claimed is not None
    term = 2 if found.coordinator else 1
    assert claimed == (Coordinator("n2", incarnation("n2"), term), why)


def test_a_node_coordinates_only_in_the_life_that_the_database_names() -> None:
    assert coordinates(view(), incarnation("n1"))
    assert not coordinates(view(), incarnation("n1", life=2))
    assert not coordinates(view(me="n2"), incarnation("n2"))
    assert not coordinates(view(coordinator=None), incarnation("n1"))
