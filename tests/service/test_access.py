"""Users, API tokens and the audit log: who gets in from outside, what they may do, and what is written down of it."""

import contextlib
from typing import Any

import pytest
from asking_from_outside import on_the_node, outside, refusal
from played import Refused, asked, events, play, played

from outlast.model.health import Json
from outlast.service.access.signing_in import MOST_SESSIONS, SESSION_S
from outlast.sim.world import World

SETUP = ("world", "vm web1", "vm web2", "start", "run 10")
PASSWORD = "correct horse"


def user(world: World, name: str, role: str = "viewer", **more: Json) -> str:
    """Makes one and signs in; the word of the session."""
    asked(world, "n1", "user.create", name=name, role=role, password=PASSWORD, **more)
    return signed_in(world, name)


def signed_in(world: World, name: str, password: str = PASSWORD) -> str:
    word: str = outside(world, "session.open", name=name, password=password)["session"]
    return word


def test_who_signs_in_may_look_and_who_does_not_may_nothing() -> None:
    with played(*SETUP) as world:
        session = user(world, "vera")
        assert outside(world, "session.show", session)["user"] == "vera"
        assert len(outside(world, "group.list", session)) == 2
        for wrong in ("", "outlast-session-" + "0" * 64, "outlast-api-" + "0" * 64, "root"):
            assert refusal(world, "group.list", wrong) == "sign-in"


def test_a_role_counts_for_what_is_asked_and_the_event_log_names_who_it_was() -> None:
    with played(*SETUP) as world:
        viewer, operator = user(world, "vera"), user(world, "olaf", "operator", groups=["web1"])
        assert refusal(world, "group.offline", viewer, name="web1") == "denied"
        assert refusal(world, "group.offline", operator, name="web2") == "denied"
        outside(world, "group.offline", operator, name="web1")
        assert events(world, "intent")[-1].endswith(": olaf by way of n1")


def test_a_session_ends_when_it_is_signed_out_when_its_time_is_up_and_with_its_user() -> None:
    with played(*SETUP) as world:
        first, second, third = user(world, "vera"), signed_in(world, "vera"), signed_in(world, "vera")
        outside(world, "session.close", first)
        assert refusal(world, "status", first) == "sign-in"
        world.machines["n1"].clock.wall_error_s = SESSION_S
        assert refusal(world, "status", second) == "sign-in"
        world.machines["n1"].clock.wall_error_s = 0
        assert outside(world, "session.show", third)["user"] == "vera"
        asked(world, "n1", "user.delete", name="vera")
        assert refusal(world, "status", third) == "sign-in"


def test_another_password_ends_all_sessions_but_the_one_that_changed_it() -> None:
    with played(*SETUP) as world:
        other, mine = user(world, "vera"), signed_in(world, "vera")
        with pytest.raises(Refused, match="the present password is another one"):
            outside(world, "user.passwd", mine, name="vera", password="battery staple", current="wrong")
        outside(world, "user.passwd", mine, name="vera", password="battery staple", current=PASSWORD)
        assert refusal(world, "status", other) == "sign-in"
        assert outside(world, "session.show", mine)["user"] == "vera"
        assert refusal(world, "session.open", name="vera", password=PASSWORD) == "sign-in"
        assert signed_in(world, "vera", "battery staple")


def test_who_is_disabled_is_out_at_once_and_what_is_changed_of_a_role_counts_at_once() -> None:
    with played(*SETUP) as world:
        session = user(world, "olaf", "operator")
        asked(world, "n1", "user.set", name="olaf", values={"role": "viewer"})
        assert refusal(world, "group.offline", session, name="web1") == "denied"
        asked(world, "n1", "user.set", name="olaf", values={"enabled": "no"})
        assert refusal(world, "status", session) == "sign-in"
        assert refusal(world, "session.open", name="olaf", password=PASSWORD) == "sign-in"


def test_who_guesses_has_to_wait_and_then_the_right_password_is_no_use_either() -> None:
    with played(*SETUP) as world:
        user(world, "vera")
        kinds = [refusal(world, "session.open", name="vera", password="wrong") for _ in range(11)]
        assert kinds == ["sign-in"] * 10 + ["limited"]
        assert refusal(world, "session.open", name="vera", password=PASSWORD) == "limited"
        play(world, "run 310")
        assert signed_in(world, "vera")


def test_one_user_has_so_many_sessions_and_no_more() -> None:
    with played(*SETUP) as world:
        first = user(world, "vera")
        for _ in range(MOST_SESSIONS):
            last = signed_in(world, "vera")
        assert refusal(world, "status", first) == "sign-in"
        assert outside(world, "session.show", last)["user"] == "vera"
        assert len(world.services["n2"].node.store.signed_in) == MOST_SESSIONS


def test_a_token_gets_in_until_it_is_deleted_or_its_time_is_up() -> None:
    with played(*SETUP) as world:
        made = asked(world, "n1", "token.create", name="backup", role="operator", lifetime_s=3600)
        word = made["token"]
        assert outside(world, "session.show", word)["user"] == "token backup"
        outside(world, "group.offline", word, name="web1")
        assert refusal(world, "session.close", word) == "usage"
        world.machines["n1"].clock.wall_error_s = 3601
        assert refusal(world, "status", word) == "sign-in"
        world.machines["n1"].clock.wall_error_s = 0
        asked(world, "n1", "token.delete", name="backup")
        assert refusal(world, "status", word) == "sign-in"


def test_neither_passwords_nor_tokens_stand_in_the_database() -> None:
    with played(*SETUP) as world:
        session = user(world, "vera")
        token = asked(world, "n1", "token.create", name="backup")["token"]
        everything = b"".join(entry.key.encode() + entry.value for entry in world.database.entries(""))
        for secret in (session, token, PASSWORD):
            assert secret.encode() not in everything


def test_every_change_is_written_down_also_what_was_refused_and_what_root_did_on_the_node() -> None:
    with played(*SETUP) as world:
        operator = user(world, "olaf", "operator")
        outside(world, "group.offline", operator, name="web1")
        with pytest.raises(Refused):
            outside(world, "group.move", operator, name="web2", to="n9")
        outside(world, "group.list", operator)
        on_the_node(world, "user.create", name="eva", password=PASSWORD)
        told = [
            (one["who"], one["address"], one["verb"], one["result"] == "done")
            for one in asked(world, "n2", "audit.list")
        ]
        assert told == [
            ("olaf", "10.9.9.9", "session.open", True),
            ("olaf", "10.9.9.9", "group.offline", True),
            ("olaf", "10.9.9.9", "group.move", False),
            ("root", "control socket", "user.create", True),
        ]
        (last,) = asked(world, "n2", "audit.list", limit=1)
        assert last["arguments"]["password"] == "(hidden)"


def test_the_audit_log_is_read_back_page_by_page_and_what_did_not_end_well_is_picked_out() -> None:
    with played(*SETUP) as world:
        operator = user(world, "olaf", "operator")
        for to in ("n2", "n9", "n3"):
            with contextlib.suppress(Refused):
                outside(world, "group.move", operator, name="web1", to=to)
        play(world, "run 2")
        everything = asked(world, "n2", "audit.list")
        last = asked(world, "n2", "audit.list", limit=2)
        older = asked(world, "n2", "audit.list", limit=2, before=last[0]["id"])
        assert older + last == everything
        assert asked(world, "n2", "audit.list", before=everything[0]["id"]) == []
        assert asked(world, "n2", "audit.list", before="not kept any more") == []
        (wrong,) = asked(world, "n2", "audit.list", ended="not done")
        assert wrong["arguments"] == {"name": "web1", "to": "n9"}
        assert len(asked(world, "n2", "audit.list", ended="done", verb="group.")) == 2


def test_what_was_changed_since_somebody_looked_is_not_changed_by_them() -> None:
    with played(*SETUP) as world:
        session = user(world, "anna", "administrator")
        store = world.services["n1"].node.store
        seen = store.revision_of("control/groups/web1")
        outside(world, "group.set", session, as_seen=seen, name="web1", values={"priority": "high"})
        with pytest.raises(Refused, match="changed it since you looked") as refused:
            outside(world, "group.set", session, as_seen=seen, name="web1", values={"priority": "low"})
        assert refused.value.kind == "changed"
        assert store.groups["web1"].priority.value == "high"


def test_what_a_user_may_is_changed_only_as_it_was_seen() -> None:
    with played(*SETUP) as world:
        session = user(world, "anna", "administrator")
        user(world, "otto", "viewer")
        seen = world.services["n1"].node.store.revision_of("control/users/otto")
        outside(world, "user.set", session, as_seen=seen, name="otto", values={"role": "operator"})
        with pytest.raises(Refused, match="changed it since you looked"):
            outside(world, "user.set", session, as_seen=seen, name="otto", values={"role": "administrator"})
        assert outside(world, "user.show", session, name="otto")["role"] == "operator"


def test_what_a_user_cannot_be_is_refused() -> None:
    with played(*SETUP) as world:
        for wrong in (
            {"name": "a b"},
            {"password": "short"},
            {"role": "king"},
            {"groups": ["web1"]},
            {"role": "operator", "groups": ["nowhere"]},
        ):
            with pytest.raises(Refused) as refused:
                asked(world, "n1", "user.create", **{"name": "anna", "password": PASSWORD, **wrong})
            assert refused.value.kind == "usage"
        user(world, "anna")
        with pytest.raises(Refused, match="already"):
            asked(world, "n1", "user.create", name="anna", password=PASSWORD)


def test_who_knows_an_event_is_told_all_that_came_after_it_and_then_what_comes() -> None:
    with played(*SETUP) as world:
        known = asked(world, "n1", "events")[-1]["id"]
        asked(world, "n1", "group.offline", name="web1")
        found: list[Any] = []

        async def follow() -> None:
            async for kind, event in service.node.command("events.follow", {"after": known}):
                assert kind == "item"
                found.append(event)

        service = world.services["n2"]
        service.process.context.run(world.loop.create_task, follow())
        play(world, "run 5")
        asked(world, "n1", "group.offline", name="web2")
        play(world, "run 5")
        everything = [event["id"] for event in asked(world, "n1", "events")]
        assert [event["id"] for event in found] == everything[everything.index(known) + 1 :]
        assert [event["kind"] for event in found].count("intent") == 2


def test_an_event_that_is_no_longer_kept_cannot_be_followed_on_from() -> None:
    with played(*SETUP) as world, pytest.raises(Refused, match="there is no event") as refused:
        asked(world, "n1", "events.follow", after="gone")
    assert refused.value.kind == "usage"


def test_what_would_become_of_a_resource_taken_offline_live_is_refused_as_the_word_itself_is() -> None:
    with played(*SETUP) as world:
        for verb, more in (("resource.would", {"verb": "offline"}), ("resource.offline", {})):
            with pytest.raises(Refused, match="cannot go offline live"):
                asked(world, "n1", verb, name="web1", stop="live", **more)


def test_of_a_node_that_there_is_not_no_fence_device_is_shown() -> None:
    with played(*SETUP) as world, pytest.raises(Refused, match='there is no node "n9"'):
        asked(world, "n1", "fence.show", node="n9", device="x")


def test_outlast_web_is_told_where_the_nodes_are() -> None:
    with played(*SETUP) as world:
        told = outside(world, "web.nodes")
        assert told == {"me": "n1", "addresses": {name: f"{name}.simulated" for name in ("n1", "n2", "n3")}}
