"""Who may ask for what: by role, and by group."""

import pytest

from outlast.core.access.permissions import NEEDS, NODE_ONLY, READ, Scope, why_no_role, why_not
from outlast.model.access import Account, Role
from outlast.service.commands.registry import COMMANDS, STREAMS

VIEWER = Account("vera", Role.VIEWER)
OPERATOR = Account("olaf", Role.OPERATOR)
OF_WEB = Account("otto", Role.OPERATOR, ("web",))
ADMINISTRATOR = Account("anna", Role.ADMINISTRATOR)
GROUP_OF = {"web1": "web", "db1": "db"}


def why(account: Account, verb: str, **arguments: object) -> str:
    return why_not(account, verb, arguments, lambda name: GROUP_OF.get(name, ""))


def test_of_every_verb_it_is_said_who_may_ask_for_it_and_of_no_other() -> None:
    assert {*NEEDS, *NODE_ONLY} == {*COMMANDS, *STREAMS}
    assert not {*NEEDS} & {*NODE_ONLY}


def test_a_viewer_sees_everything_and_changes_nothing() -> None:
    assert why(VIEWER, "group.show", name="web") == ""
    assert why(VIEWER, "group.move", name="web") == "group.move takes the role operator; vera is a viewer"
    allowed = {verb for verb in NEEDS if not why(VIEWER, verb)}
    assert [verb for verb in allowed if NEEDS[verb].changes] == []


def test_an_operator_moves_and_drains_but_defines_nothing() -> None:
    assert why(OPERATOR, "group.move", name="web") == ""
    assert why(OPERATOR, "node.drain", name="n1") == ""
    for verb in ("resource.create", "group.set", "fence.add", "user.create", "audit.list"):
        assert "takes the role administrator" in why(OPERATOR, verb, name="web"), verb


def test_an_operator_of_some_groups_is_a_viewer_of_the_rest() -> None:
    assert why(OF_WEB, "group.move", name="web") == ""
    assert why(OF_WEB, "resource.offline", name="web1") == "", "web1 is a resource of web"
    assert why(OF_WEB, "group.show", name="db") == ""
    words = "otto is an operator for web only, and a viewer of everything else"
    assert words in why(OF_WEB, "group.move", name="db")
    assert words in why(OF_WEB, "resource.offline", name="db1")
    assert words in why(OF_WEB, "node.drain", name="n1"), "a node has groups of others"


def test_an_administrator_may_do_everything_but_what_is_asked_on_the_node_itself() -> None:
    assert [verb for verb in NEEDS if why(ADMINISTRATOR, verb)] == []
    assert "outlast cluster leave" in why(ADMINISTRATOR, "node.leave")


def test_what_nobody_has_thought_of_is_refused() -> None:
    assert "no verb" in why(ADMINISTRATOR, "group.explode")


def test_everybody_may_change_their_own_password_and_nobody_elses() -> None:
    assert NEEDS["user.passwd"].scope is Scope.OWN
    assert why(VIEWER, "user.passwd", name="vera") == ""
    assert why(VIEWER, "user.passwd", name="anna") != ""


def test_what_only_looks_is_not_written_down() -> None:
    assert not READ.changes
    assert [
        verb for verb, need in NEEDS.items() if not need.changes and verb.endswith(("create", "set", "delete"))
    ] == ["cluster.would_set"]


@pytest.mark.parametrize(("role", "fits"), [(Role.VIEWER, False), (Role.OPERATOR, True), (Role.ADMINISTRATOR, False)])
def test_only_an_operator_can_be_limited_to_groups(role: Role, fits: bool) -> None:
    assert (why_no_role(role, ("web",)) == "") is fits
    assert why_no_role(role, ()) == ""
