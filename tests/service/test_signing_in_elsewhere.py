"""Signing in at an OpenID Connect provider: who comes back is who it says, once, in time, and to no browser but the one
that left.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from asking_from_outside import on_the_node, outside, refusal
from played import Refused, asked, events, play, played

from outlast.adapters.secrets import FileSecrets
from outlast.core.access.openid import FLOW_S
from outlast.model.health import Json
from outlast.sim.provider import ISSUER
from outlast.sim.world import World

SECRET = "hush-hush-hush"
HERE = "https://n1:9443"
CLIENT = {"issuer": ISSUER, "client_id": "outlast", "client_secret": SECRET, "label": "Example"}


@contextmanager
def cluster(directory: Path, **values: Json) -> Iterator[World]:
    """anna, olaf and gus are known at the provider; the administrators and the web team have a role."""
    with played("world", "vm web1", "vm web2") as world:
        secrets = FileSecrets(directory)
        secrets.create()
        world.daemons.secrets = secrets
        play(world, "start", "run 10")
        asked(world, "n1", "sign_in.set", way="openid", values={**CLIENT, **values})
        asked(world, "n1", "sign_in.grant", way="openid", member="/admins", role="administrator")
        asked(world, "n1", "sign_in.grant", way="openid", member="web team", role="operator", groups=["web1"])
        world.daemons.provider.people.update(
            s1={"preferred_username": "anna", "groups": ["/admins", "web team"]},
            s2={"preferred_username": "olaf", "groups": "web team"},
            s3={"preferred_username": "gus", "groups": ["guests"]},
            s4={"preferred_username": "eve\n", "groups": ["/admins"]},
            s5={"email": "x@example.org", "realm_access": {"roles": ["/admins"]}},
        )
        yield world


def come_back(world: World, subject: str, **otherwise: str) -> str:
    """Leave, prove to the provider who one is, and come back; the word of the session."""
    begun = outside(world, "session.to_provider", origin=HERE)
    code, state = world.daemons.provider.enter(begun["url"], subject)
    given = {"flow": begun["flow"], "state": state, "code": code, **otherwise}
    word: str = outside(world, "session.from_provider", **given)["session"]
    return word


def why_not(world: World, subject: str, **otherwise: str) -> tuple[str, str]:
    with pytest.raises(Refused) as refused:
        come_back(world, subject, **otherwise)
    return refused.value.kind, str(refused.value)


def test_who_comes_back_has_the_role_of_its_groups_and_logs_name_the_way(tmp_path: Path) -> None:
    with cluster(tmp_path) as world:
        anna, olaf = come_back(world, "s1"), come_back(world, "s2")
        shown = outside(world, "session.show", olaf)
        assert (shown["user"], shown["role"], shown["groups"]) == ("olaf (OpenID Connect)", "operator", ("web1",))
        outside(world, "group.offline", anna, name="web2")
        assert events(world, "intent")[-1].endswith(": anna (OpenID Connect) by way of n1")
        first = asked(world, "n1", "audit.list", verb="session.open")[0]
        assert (first["who"], first["address"], first["result"]) == ("anna (OpenID Connect)", "10.9.9.9", "done")
        assert first["arguments"] == {"name": "anna", "way": "openid", "subject": "s1"}
        assert [(row["name"], row["way"]) for row in asked(world, "n2", "user.list")] == [
            ("anna", "openid"),
            ("olaf", "openid"),
        ]


def test_the_page_to_sign_in_is_told_what_to_offer_and_nothing_else(tmp_path: Path) -> None:
    with played("world", "vm web1", "start", "run 10") as world:
        assert outside(world, "session.ways") == []
        assert refusal(world, "session.to_provider", origin=HERE) == "impossible"
    with cluster(tmp_path) as world:
        assert outside(world, "session.ways") == [{"way": "openid", "label": "Example"}]
        asked(world, "n1", "sign_in.set", way="openid", values={"enabled": "no"})
        assert outside(world, "session.ways") == []


def test_the_secret_is_in_no_record_no_answer_and_no_log(tmp_path: Path) -> None:
    with cluster(tmp_path) as world:
        come_back(world, "s1")
        shown = asked(world, "n1", "sign_in.list")
        assert shown[0]["settings"]["client_secret"] == "***"
        everything = b"".join(entry.key.encode() + entry.value for entry in world.database.entries(""))
        assert SECRET.encode() not in everything
        on_the_node(world, "sign_in.set", way="openid", values=CLIENT)
        audit = asked(world, "n1", "audit.list", verb="sign_in.set")
        assert audit[0]["arguments"]["values"]["client_secret"] == "(hidden)"
        assert SECRET not in f"{shown} {events(world, 'access')} {audit}"
        sealed = [entry.key for entry in world.database.entries("secrets/openid/")]
        asked(world, "n1", "sign_in.set", way="openid", values={"client_secret": "another one"})
        again = [entry.key for entry in world.database.entries("secrets/openid/")]
        assert len(sealed) == len(again) == 1
        assert sealed != again
        asked(world, "n1", "sign_in.delete", way="openid")
        assert list(world.database.entries("secrets/openid/")) == []


def test_a_sign_in_that_came_back_does_not_come_back_again(tmp_path: Path) -> None:
    with cluster(tmp_path) as world:
        begun = outside(world, "session.to_provider", origin=HERE)
        code, state = world.daemons.provider.enter(begun["url"], "s1")
        given = {"flow": begun["flow"], "state": state, "code": code}
        assert outside(world, "session.from_provider", **given)["session"]
        code, _ = world.daemons.provider.enter(begun["url"], "s1")  # also with a code that is good
        with pytest.raises(Refused, match="was ended already"):
            outside(world, "session.from_provider", **{**given, "code": code})


def test_nobody_comes_back_in_another_browser_with_another_state_or_late(tmp_path: Path) -> None:
    with cluster(tmp_path) as world:
        for wrong in ({"flow": ""}, {"flow": "gAAAA"}, {"state": ""}, {"state": "x" * 43}):
            assert why_not(world, "s1", **wrong)[0] == "sign-in"
        mine = outside(world, "session.to_provider", origin=HERE)
        assert why_not(world, "s1", flow=mine["flow"])[0] == "sign-in"  # an attacker's code, in my browser
        begun = outside(world, "session.to_provider", origin=HERE)
        code, state = world.daemons.provider.enter(begun["url"], "s1")
        play(world, f"run {FLOW_S + 1}")
        assert refusal(world, "session.from_provider", flow=begun["flow"], state=state, code=code) == "sign-in"


def test_a_code_of_another_sign_in_is_of_no_use(tmp_path: Path) -> None:
    with cluster(tmp_path) as world:
        other = outside(world, "session.to_provider", origin=HERE)
        code, _ = world.daemons.provider.enter(other["url"], "s1")
        kind, words = why_not(world, "s2", code=code)
        assert (kind, words) == ("sign-in", "what Example says is not believed: invalid_grant")


def test_any_node_takes_up_what_another_began(tmp_path: Path) -> None:
    with cluster(tmp_path) as world:
        begun = outside(world, "session.to_provider", origin=HERE)
        code, state = world.daemons.provider.enter(begun["url"], "s1")
        found = outside(world, "session.from_provider", node="n2", flow=begun["flow"], state=state, code=code)
        assert outside(world, "session.show", found["session"])["user"] == "anna (OpenID Connect)"


def test_who_has_no_role_or_no_name_is_told_what_is_missing(tmp_path: Path) -> None:
    with cluster(tmp_path) as world:
        kind, words = why_not(world, "s3")
        assert kind == "denied"
        assert "none of the groups of gus at Example (claim groups) (guests) was granted one" in words
        assert "Example does not say who you are" in why_not(world, "s4")[1]
        assert "there is no text in the claim preferred_username" in why_not(world, "s5")[1]
        values = {"name_claim": "email", "groups_claim": "realm_access.roles"}
        asked(world, "n1", "sign_in.set", way="openid", values=values)
        # The simulated provider tells what is asked for by its whole name.
        world.daemons.provider.people["s5"] = {"email": "x@example.org", "realm_access.roles": ["/admins"]}
        assert outside(world, "session.show", come_back(world, "s5"))["role"] == "administrator"


def test_a_name_of_a_local_user_is_that_users_alone(tmp_path: Path) -> None:
    with cluster(tmp_path) as world:
        anna = come_back(world, "s1")
        asked(world, "n1", "user.create", name="anna", role="viewer", password="correct horse")
        assert refusal(world, "status", anna) == "sign-in"
        assert why_not(world, "s1") == (
            "denied",
            "anna is a user of the cluster, and signs in with the password of that",
        )


def test_another_provider_ends_the_sessions_of_the_one_before(tmp_path: Path) -> None:
    with cluster(tmp_path) as world:
        anna = come_back(world, "s1")
        asked(world, "n1", "sign_in.set", way="openid", values={"label": "Another"})
        assert outside(world, "session.show", anna)["role"] == "administrator"
        asked(world, "n1", "sign_in.set", way="openid", values={"issuer": "https://another.example"})
        assert refusal(world, "status", anna) == "sign-in"


def test_what_the_provider_refuses_or_cannot_tell_now_is_told_in_words(tmp_path: Path) -> None:
    with cluster(tmp_path) as world:
        assert why_not(world, "s1", code="", error="access_denied", error_description="not today") == (
            "denied",
            "Example did not sign you in: access_denied not today",
        )
        begun = outside(world, "session.to_provider", origin=HERE)
        code, state = world.daemons.provider.enter(begun["url"], "s1")
        world.daemons.provider.down = True
        for verb, given in (
            ("session.to_provider", {"origin": HERE}),
            ("session.from_provider", {"flow": begun["flow"], "state": state, "code": code}),
        ):
            with pytest.raises(Refused, match=r"nobody can sign in with Example now: .* cannot be reached") as refused:
                outside(world, verb, **given)
            assert refused.value.kind == "impossible"
        (row,) = asked(world, "n1", "sign_in.list")
        assert row["problem"] == f"on n1: {ISSUER} cannot be reached"


def test_who_tries_with_what_is_not_believed_has_to_wait(tmp_path: Path) -> None:
    with cluster(tmp_path) as world:
        kinds = [why_not(world, "s1", code="guessed")[0] for _ in range(11)]
        assert kinds == ["sign-in"] * 10 + ["limited"]
        play(world, "run 310")
        assert come_back(world, "s1")


def test_the_provider_is_told_to_come_back_only_to_where_it_was_set_to(tmp_path: Path) -> None:
    with cluster(tmp_path) as world:
        (row,) = asked(world, "n1", "sign_in.list")
        assert list(row["redirects"]) == [f"https://n{number}:9443/sign-in" for number in (1, 2, 3)]
    with cluster(tmp_path, origins="https://vms.example.org") as world:
        (row,) = asked(world, "n1", "sign_in.list")
        assert list(row["redirects"]) == ["https://vms.example.org/sign-in"]
        with pytest.raises(Refused, match=r"sign in at https://vms\.example\.org"):
            outside(world, "session.to_provider", origin=HERE)
        assert outside(world, "session.to_provider", origin="https://vms.example.org")["url"].startswith(ISSUER)


def test_settings_that_cannot_be_meant_are_refused(tmp_path: Path) -> None:
    with cluster(tmp_path) as world:
        for wrong, why in (
            ({"issuer": "http://login.example"}, "asked by https:// only"),
            ({"issuer": ""}, "takes an address"),
            ({"client_id": ""}, "client_id takes 1 to 256"),
            ({"origins": "n1:9443"}, "no address of a console"),
            ({"origins": "https://["}, "no address of a console"),
            ({"authority": "corp.pem"}, "the path of a file"),
            ({"service": "outlast"}, "has no setting"),
        ):
            with pytest.raises(Refused, match=why):
                asked(world, "n1", "sign_in.set", way="openid", values=wrong)
    with (
        played("world", "vm web1", "start", "run 10") as world,
        pytest.raises(Refused, match="n1 can ask no OpenID Connect provider"),
    ):
        asked(world, "n1", "sign_in.set", way="openid", values=CLIENT)
