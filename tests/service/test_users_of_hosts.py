"""Users of the hosts sign in (PAM): who they are, what the groups that they are in give them, and what ends it."""

import pytest
from asking_from_outside import on_the_node, outside, refusal
from played import Refused, asked, events, play, played

from outlast.model.health import Json
from outlast.service.access.signing_in import MOST_SESSIONS, SESSION_S
from outlast.sim.host_users import HANGS_S, HostUsers
from outlast.sim.world import World

SETUP = ("world", "vm web1", "vm web2", "start", "run 10")
PASSWORD = "the host's own"


def with_pam(world: World) -> HostUsers:
    """Of anna, olaf and gus the hosts know; the administrators, the web team and the staff have a role."""
    users = world.daemons.host_users
    users.passwords.update(dict.fromkeys(("anna", "olaf", "gus"), PASSWORD))
    users.groups.update(anna=("staff", "admins"), olaf=("staff", "web-team"), gus=("guests",))
    asked(world, "n1", "sign_in.set", way="pam")
    asked(world, "n1", "sign_in.grant", way="pam", member="admins", role="administrator")
    asked(world, "n1", "sign_in.grant", way="pam", member="web-team", role="operator", groups=["web1"])
    asked(world, "n1", "sign_in.grant", way="pam", member="staff", role="viewer")
    return users


def sign_in(world: World, name: str, password: str = PASSWORD) -> str:
    word: str = outside(world, "session.open", name=name, password=password)["session"]
    return word


def why_not(world: World, name: str, password: str = PASSWORD) -> tuple[str, str]:
    with pytest.raises(Refused) as refused:
        sign_in(world, name, password)
    return refused.value.kind, str(refused.value)


def test_nobody_is_asked_for_until_an_administrator_says_so() -> None:
    with played(*SETUP) as world:
        world.daemons.host_users.passwords["anna"] = PASSWORD
        assert refusal(world, "session.open", name="anna", password=PASSWORD) == "sign-in"
        assert world.daemons.host_users.asked == []


def test_a_user_of_the_host_has_the_role_that_a_group_gives_and_logs_name_the_way() -> None:
    with played(*SETUP) as world:
        with_pam(world)
        anna, olaf = sign_in(world, "anna"), sign_in(world, "olaf")
        shown = outside(world, "session.show", olaf)
        assert (shown["user"], shown["role"], shown["groups"]) == ("olaf (PAM)", "operator", ("web1",))
        outside(world, "group.offline", olaf, name="web1")
        assert refusal(world, "group.offline", olaf, name="web2") == "denied"
        outside(world, "group.offline", anna, name="web2")
        assert events(world, "intent")[-1].endswith(": anna (PAM) by way of n1")
        first = asked(world, "n1", "audit.list", verb="session.open")[0]
        assert (first["who"], first["address"], first["result"]) == ("anna (PAM)", "10.9.9.9", "done")
        assert first["arguments"] == {"name": "anna", "way": "pam"}


def test_a_name_that_is_a_user_of_the_cluster_is_never_asked_of_the_host() -> None:
    with played(*SETUP) as world:
        users = with_pam(world)
        asked(world, "n1", "user.create", name="anna", role="viewer", password="correct horse")
        assert why_not(world, "anna")[0] == "sign-in"
        assert outside(world, "session.show", sign_in(world, "anna", "correct horse"))["role"] == "viewer"
        asked(world, "n1", "user.set", name="anna", values={"enabled": "no"})
        assert why_not(world, "anna")[0] == "sign-in"
        assert users.asked == []


def test_nor_is_that_user_known_to_the_host_by_another_spelling() -> None:
    with played(*SETUP) as world:
        with_pam(world)
        assert outside(world, "session.show", sign_in(world, "OLAF"))["user"] == "olaf (PAM)"
        asked(world, "n1", "user.create", name="anna", role="viewer", password="correct horse")
        assert why_not(world, "ANNA") == (
            "denied",
            "anna is a user of the cluster, and signs in with the password of that",
        )


def test_a_user_whom_the_host_calls_by_what_can_be_no_name_here_is_refused() -> None:
    with played(*SETUP) as world:
        users = with_pam(world)
        users.called["anna"] = "CORP\\anna admin"
        assert why_not(world, "anna")[0] == "denied"
        assert world.services["n1"].node.store.signed_in == {}


def test_who_is_in_no_group_that_has_a_role_is_told_which_there_are_and_what_to_do() -> None:
    with played(*SETUP) as world:
        with_pam(world)
        assert why_not(world, "gus") == (
            "denied",
            "gus has no role here: none of the groups of gus on n1 (guests) was granted one; an administrator can: "
            "outlast sign-in grant pam guests --role viewer",
        )
        assert world.services["n1"].node.store.signed_in == {}


def test_a_wrong_password_of_a_host_user_is_told_in_the_same_words_and_counts() -> None:
    with played(*SETUP) as world:
        users = with_pam(world)
        assert why_not(world, "anna", "wrong") == why_not(world, "nobody", "wrong")
        kinds = [why_not(world, "anna", "wrong")[0] for _ in range(10)]
        assert kinds == ["sign-in"] * 9 + ["limited"]
        asked_before = len(users.asked)
        assert why_not(world, "anna")[0] == "limited"
        assert len(users.asked) == asked_before
        play(world, "run 310")
        assert sign_in(world, "anna")


def test_what_is_taken_back_counts_at_once_and_what_the_host_changes_with_the_next_sign_in() -> None:
    with played(*SETUP) as world:
        users = with_pam(world)
        anna, olaf = sign_in(world, "anna"), sign_in(world, "olaf")
        asked(world, "n1", "sign_in.revoke", way="pam", member="admins")
        assert outside(world, "session.show", anna)["role"] == "viewer"
        asked(world, "n1", "sign_in.revoke", way="pam", member="staff")
        assert refusal(world, "session.show", anna) == "sign-in"
        users.groups["olaf"] = ()
        assert outside(world, "session.show", olaf)["role"] == "operator"
        assert "olaf is in no group on n1" in why_not(world, "olaf")[1]


def test_the_way_switched_off_or_deleted_ends_all_who_came_by_it_and_nobody_else() -> None:
    with played(*SETUP) as world:
        with_pam(world)
        asked(world, "n1", "user.create", name="lisa", role="viewer", password="correct horse")
        lisa, anna = sign_in(world, "lisa", "correct horse"), sign_in(world, "anna")
        asked(world, "n1", "sign_in.set", way="pam", values={"enabled": "no"})
        assert refusal(world, "status", anna) == "sign-in"
        assert why_not(world, "anna")[0] == "sign-in"
        asked(world, "n1", "sign_in.set", way="pam", values={"enabled": "yes"})
        assert outside(world, "session.show", anna)["user"] == "anna (PAM)"
        asked(world, "n1", "sign_in.delete", way="pam")
        assert refusal(world, "status", anna) == "sign-in"
        assert outside(world, "session.show", lisa)["user"] == "lisa"


def test_a_user_of_the_cluster_who_is_made_later_takes_the_name_over() -> None:
    with played(*SETUP) as world:
        with_pam(world)
        anna = sign_in(world, "anna")
        asked(world, "n1", "user.create", name="anna", role="viewer", password="correct horse")
        assert refusal(world, "status", anna) == "sign-in"


def test_who_is_signed_in_by_way_of_the_host_is_listed_and_can_be_signed_out() -> None:
    with played(*SETUP) as world:
        with_pam(world)
        anna, _ = sign_in(world, "anna"), sign_in(world, "anna")
        rows: list[dict[str, Json]] = asked(world, "n1", "user.list")
        assert [(row["name"], row["role"], row["signed_in"], row["way"]) for row in rows] == [
            ("anna", "administrator", 2, "pam")
        ]
        asked(world, "n1", "user.sign_out", name="anna")
        assert refusal(world, "status", anna) == "sign-in"
        assert asked(world, "n1", "user.list") == []
        with pytest.raises(Refused, match="nobody is signed in as anna"):
            asked(world, "n1", "user.sign_out", name="anna")


def test_a_session_by_way_of_the_host_has_an_end_and_there_are_so_many_and_no_more() -> None:
    with played(*SETUP) as world:
        with_pam(world)
        first = sign_in(world, "anna")
        for _ in range(MOST_SESSIONS):
            last = sign_in(world, "anna")
        assert refusal(world, "status", first) == "sign-in"
        world.machines["n1"].clock.wall_error_s = SESSION_S
        assert refusal(world, "status", last) == "sign-in"


def test_while_pam_hangs_users_of_the_cluster_sign_in_and_the_cluster_goes_on() -> None:
    with played(*SETUP) as world:
        users = with_pam(world)
        asked(world, "n1", "user.create", name="lisa", role="viewer", password="correct horse")
        users.hangs = True
        on_the_node(world, "status")
        began = world.now
        kind, words = why_not(world, "anna")
        assert kind == "impossible"
        assert "users of n1 cannot sign in now: PAM did not answer within 20 s" in words
        assert HANGS_S <= world.now - began < HANGS_S + 1
        began = world.now
        assert sign_in(world, "lisa", "correct horse")
        assert world.now - began < 1


def test_what_cannot_be_granted_is_refused_with_words() -> None:
    with played(*SETUP) as world:
        with pytest.raises(Refused, match="begin with: outlast sign-in set pam"):
            asked(world, "n1", "sign_in.grant", way="pam", member="staff")
        with_pam(world)
        for wrong, why in (
            ({"way": "ldap", "member": "staff"}, "no way to sign in that is called"),
            ({"way": "pam", "member": ""}, "a group takes 1 to 256 characters"),
            ({"way": "pam", "member": "staff", "groups": ["web1"]}, "a viewer sees everything"),
            ({"way": "pam", "member": "staff", "role": "operator", "groups": ["web9"]}, "there is no group"),
        ):
            with pytest.raises(Refused, match=why):
                asked(world, "n1", "sign_in.grant", **wrong)
        for service in ("", "../passwd", "a/b", "x" * 300):
            with pytest.raises(Refused, match=r"the name of a file in /etc/pam\.d"):
                asked(world, "n1", "sign_in.set", way="pam", values={"service": service})


def test_only_an_administrator_says_who_signs_in_and_never_more_than_its_own() -> None:
    with played(*SETUP) as world:
        with_pam(world)
        olaf = sign_in(world, "olaf")
        for verb, arguments in (
            ("sign_in.list", {}),
            ("sign_in.grant", {"way": "pam", "member": "web-team", "role": "administrator"}),
            ("user.sign_out", {"name": "anna"}),
            ("user.passwd", {"name": "olaf", "password": "another one", "current": PASSWORD}),
        ):
            assert refusal(world, verb, olaf, **arguments) == "denied"
