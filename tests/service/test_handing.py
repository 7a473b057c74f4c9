"""What a node remembers of handing a resource over, and what it tells of it."""

import pytest

from build import group, resource
from outlast.core.owner.resource import S
from outlast.model.group import Group, Stop
from outlast.model.status import Handover
from outlast.service.hosting.local import Local

GOING = group("web", epoch=5, move_to="n2", stop=Stop.LIVE, moves=4)


def here(state: S, said: Handover, *, at: int = 5) -> Local:
    local = Local(resource("web"), 0.0)
    local.state, local.handover, local.handing = state, said, ("n2", at)
    return local


def test_that_it_stands_elsewhere_is_told_until_something_else_becomes_of_it() -> None:
    done = Handover(4, "n2", done=True)
    assert here(S.HANDED_OVER, done).handed_over(GOING) == done
    for state in S:
        if state is not S.HANDED_OVER:
            assert here(state, done).handed_over(GOING) is None


def test_a_failure_is_of_its_wish_and_where_it_stands_is_so_whatever_is_wished_since() -> None:
    later = group("web", epoch=5, move_to="n3", stop=Stop.LIVE, moves=5)
    failed, done = Handover(4, "n2", why="the connection broke"), Handover(4, "n2", done=True)
    assert here(S.ONLINE, failed).handed_over(GOING) == failed
    assert here(S.ONLINE, failed).handed_over(later) is None
    assert here(S.HANDED_OVER, done).handed_over(later) == done


@pytest.mark.parametrize("again", [group("web", epoch=7, moves=4), group("web", epoch=7, received_from="n2", moves=4)])
def test_who_is_the_owner_again_does_not_repeat_what_he_knew_when_he_was_it_before(again: Group) -> None:
    """Found by models/migration.pml: he would give it away to a node on which nothing of it stands any more."""
    local = here(S.HANDED_OVER, Handover(4, "n2", done=True))
    assert local.handed_over(again) is None
    assert local.handing_to(again) == ""
