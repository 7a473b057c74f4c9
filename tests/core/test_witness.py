"""A plugin's word and its own list of what runs: when are they held against each other, and what if they differ?"""

import pytest

from outlast.core.owner.resource import E, S, runs_nothing
from outlast.core.owner.witness import NOTHING_RUNS, contradiction, is_asked
from outlast.model.health import Found

RUNS = Found("ip", "ip", running=True)
OFF = Found("ip", "ip", running=False)
STANDS = Found("ip", "ip", running=True, stands=True)
OTHER = Found("another", "another", running=True)


@pytest.mark.parametrize("claim", NOTHING_RUNS)
@pytest.mark.parametrize("state", [S.ONLINE, S.UNCERTAIN, S.STUCK])
def test_that_nothing_runs_is_held_against_the_list_where_something_ran(state: S, claim: E) -> None:
    assert is_asked(state, claim, ran=False, doubted=False)


@pytest.mark.parametrize("ran", [True, False])
def test_of_what_a_new_host_calls_off_the_list_is_asked_only_if_it_ran(ran: bool) -> None:
    assert is_asked(S.OPENING, E.FOUND_OFFLINE, ran=ran, doubted=False) is ran


@pytest.mark.parametrize("state", [state for state in S if runs_nothing(state)])
def test_that_it_runs_after_all_is_held_against_the_list(state: S) -> None:
    assert is_asked(state, E.FOUND_ONLINE, ran=False, doubted=False)


@pytest.mark.parametrize("event", [E.FOUND_ONLINE, E.FOUND_UNCERTAIN])
def test_what_is_no_news_is_not_asked_about(event: E) -> None:
    assert not is_asked(S.ONLINE, event, ran=True, doubted=False)


def test_once_they_have_differed_it_is_believed_online_only_when_both_say_so() -> None:
    assert is_asked(S.UNCERTAIN, E.FOUND_ONLINE, ran=True, doubted=True)
    assert not is_asked(S.UNCERTAIN, E.FOUND_ONLINE, ran=True, doubted=False)


@pytest.mark.parametrize(
    ("claim", "listed", "words"),
    [
        (E.FOUND_OFFLINE, [RUNS, OTHER], "says that it does not run, and lists it as running"),
        (E.FOUND_FAILED, [RUNS], "says that it does not run, and lists it as running"),
        (E.FOUND_LEFT, [RUNS], "says that it does not run, and lists it as running"),
        (E.FOUND_OFFLINE, [OFF, OTHER], ""),
        (E.FOUND_OFFLINE, [OTHER], ""),
        (E.FOUND_FAILED, [STANDS], ""),
        (E.FOUND_ONLINE, [RUNS], ""),
        (E.FOUND_ONLINE, [STANDS], ""),
        (E.FOUND_ONLINE, [OFF, OTHER], "says that it runs, and does not list it"),
        (E.FOUND_ONLINE, [], "says that it runs, and does not list it"),
        (E.FOUND_UNCERTAIN, [RUNS], ""),
    ],
)
def test_two_that_contradict_each_other_prove_nothing(claim: E, listed: list[Found], words: str) -> None:
    found = contradiction(claim, "dummy", "ip", listed)
    assert words in found
    assert bool(words) is bool(found)
