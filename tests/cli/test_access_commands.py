"""outlast user, api-token and audit."""

import io
import json
import sys
from collections.abc import Callable

import pytest

from command_line import Outlast
from fake_service import FakeService, Refusal, Result
from outlast.model.access import Audit
from outlast.model.access_answers import ApiTokenMade, ApiTokenRow, GrantRow, SignInRow, UserRow

pytest_plugins = ("cli_fixtures",)
ANNA = UserRow("anna", "administrator", (), True, 0.0, 2)
OTTO = UserRow("otto", "operator", ("web1", "web2"), False, 0.0, 0)
PAM = SignInRow(
    "pam",
    True,
    {"service": "outlast"},
    [GrantRow("web team", "operator", ("web1", "web2")), GrantRow("staff", "viewer", ())],
    "on n1: there is no /etc/pam.d/outlast",
)
TOKEN = ApiTokenRow("backup", "viewer", (), "an administrator on n1", 0.0, 86400.0)


Give = Callable[[str], None]


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> Give:
    """Says what stands on the standard input."""

    def give(text: str) -> None:
        monkeypatch.setattr(sys, "stdin", io.StringIO(text))

    return give


def test_users_are_listed_with_what_they_may_do(fake: FakeService, outlast: Outlast) -> None:
    fake.answers["user.list"] = Result([ANNA, OTTO])
    assert outlast("user", "list").lines() == [
        "user  role           groups      state              made",
        "anna  administrator  all         signed in 2 times  1970-01-01",
        "otto  operator       web1, web2  disabled           1970-01-01",
    ]


def test_one_user_is_shown(fake: FakeService, outlast: Outlast) -> None:
    fake.answers["user.show"] = Result(OTTO)
    assert outlast("user", "show", "otto").lines()[1] == "otto  operator  web1, web2  disabled  1970-01-01"
    assert fake.arguments("user.show") == {"name": "otto"}
    assert json.loads(outlast("--json", "user", "show", "otto").out)["groups"] == ["web1", "web2"]


def test_the_password_is_read_and_never_an_argument(fake: FakeService, outlast: Outlast, given: Give) -> None:
    fake.answers["user.create"] = Result(OTTO)
    given("correct horse\n")
    words = ("user", "create", "otto", "--role", "operator", "--groups", "web1,web2", "--password-stdin")
    assert outlast(*words).out == "otto may sign in as an operator of web1, web2\n"
    assert fake.arguments("user.create") == {
        "name": "otto",
        "role": "operator",
        "groups": ["web1", "web2"],
        "password": "correct horse",
    }


def test_without_a_password_nothing_is_asked_of_the_cluster(fake: FakeService, outlast: Outlast, given: Give) -> None:
    given("")
    assert outlast("user", "passwd", "otto").code == 2
    assert fake.verbs() == []


def test_a_user_is_changed_by_settings(fake: FakeService, outlast: Outlast) -> None:
    fake.answers["user.set"] = Result(OTTO)
    assert outlast("user", "set", "otto", "enabled=no", "groups=web1,web2").out == (
        "otto is an operator of web1, web2, and cannot sign in\n"
    )
    assert fake.arguments("user.set") == {"name": "otto", "values": {"enabled": "no", "groups": "web1,web2"}}


def test_who_is_signed_in_by_another_way_is_listed_too(fake: FakeService, outlast: Outlast) -> None:
    fake.answers["user.list"] = Result([ANNA, UserRow("olaf", "operator", ("web1",), True, 0.0, 2, "pam")])
    words = outlast("user", "list").lines()[2].split()
    assert words == ["olaf", "operator", "web1", *("signed", "in", "2", "times", "by", "PAM")]


def test_a_way_to_sign_in_is_shown_with_what_it_gives_and_with_what_is_wrong_with_it(
    fake: FakeService, outlast: Outlast
) -> None:
    fake.answers["sign_in.list"] = Result([PAM])
    assert outlast("sign-in", "list").lines() == [
        "pam: service=outlast",
        "It does not work on n1: there is no /etc/pam.d/outlast",
        "way  group     role      of",
        "pam  web team  operator  web1, web2",
        "pam  staff     viewer    all",
    ]
    fake.answers["sign_in.list"] = Result([])
    assert "outlast sign-in set" in outlast("sign-in", "list").out


def test_ways_to_sign_in_are_set_granted_and_taken_back(fake: FakeService, outlast: Outlast) -> None:
    for verb in ("sign_in.set", "sign_in.grant", "sign_in.revoke"):
        fake.answers[verb] = Result(PAM)
    outlast("sign-in", "set", "pam", "service=sshd", "enabled=no")
    assert fake.arguments("sign_in.set") == {"way": "pam", "values": {"service": "sshd", "enabled": "no"}}
    outlast("sign-in", "grant", "pam", "web team", "--role", "operator", "--groups", "web1,web2")
    wanted = {"way": "pam", "member": "web team", "role": "operator", "groups": ["web1", "web2"]}
    assert fake.arguments("sign_in.grant") == wanted
    assert json.loads(outlast("sign-in", "revoke", "pam", "staff", "--json").out)["way"] == "pam"
    assert fake.arguments("sign_in.revoke") == {"way": "pam", "member": "staff"}
    fake.answers["sign_in.delete"] = Result("nobody signs in by way of PAM any more")
    assert outlast("sign-in", "delete", "pam").out == "nobody signs in by way of PAM any more\n"


def test_the_secret_of_a_client_is_read_and_never_an_argument(fake: FakeService, outlast: Outlast, given: Give) -> None:
    redirects = ("https://n1:9443/sign-in", "https://n2:9443/sign-in")
    settings = {"issuer": "https://login.example", "client_id": "outlast", "client_secret": "***"}
    fake.answers["sign_in.set"] = Result(SignInRow("openid", True, settings, [], "", redirects))
    words = ("sign-in", "set", "openid", "issuer=https://login.example", "client_id=outlast")
    assert "does not belong in a command line" in outlast(*words, "client_secret=hush").err
    assert fake.verbs() == []
    given("hush\n")
    assert outlast(*words, "client_secret=-").lines()[:3] == [
        "openid: issuer=https://login.example, client_id=outlast, client_secret=***",
        "The provider must know this redirect URI: https://n1:9443/sign-in",
        "The provider must know this redirect URI: https://n2:9443/sign-in",
    ]
    values = fake.arguments("sign_in.set")["values"]
    assert values == {"issuer": "https://login.example", "client_id": "outlast", "client_secret": "hush"}
    outlast("sign-in", "set", "openid", "client_secret=")
    assert fake.arguments("sign_in.set")["values"] == {"client_secret": ""}


def test_a_user_is_signed_out_everywhere(fake: FakeService, outlast: Outlast) -> None:
    fake.answers["user.sign_out"] = Result("olaf is signed out everywhere")
    assert outlast("user", "sign-out", "olaf").out == "olaf is signed out everywhere\n"
    assert fake.arguments("user.sign_out") == {"name": "olaf"}


def test_a_token_is_printed_alone_so_that_a_script_can_take_it(fake: FakeService, outlast: Outlast) -> None:
    fake.answers["token.create"] = Result(ApiTokenMade("outlast-api-00", TOKEN, "ab" * 32))
    ended = outlast("api-token", "create", "backup", "--days", "1")
    assert (ended.out, ended.err) == ("outlast-api-00\n", "")
    assert fake.arguments("token.create")["lifetime_s"] == 86400.0
    assert outlast("api-token", "create", "backup", "--days", "-1").code == 2


def test_tokens_are_listed_with_until_when_they_are_good(fake: FakeService, outlast: Outlast) -> None:
    fake.answers["token.list"] = Result([TOKEN])
    assert outlast("api-token", "list").lines() == [
        "token   role    groups  good until  made by",
        "backup  viewer  all     1970-01-02  an administrator on n1",
    ]


def test_the_audit_log_tells_who_what_from_where_and_how_it_ended(fake: FakeService, outlast: Outlast) -> None:
    one = Audit("1", 0.0, "n1", "anna", "10.0.0.9", "group.move", {"name": "web1", "to": ""}, "web1 is locked")
    fake.answers["audit.list"] = Result([one])
    assert outlast("audit", "--who", "anna").lines()[1] == (
        "1970-01-01 00:00:00.000  anna  10.0.0.9  n1    group.move name=web1  web1 is locked"
    )
    assert fake.arguments("audit.list") == {"limit": 50, "who": "anna", "verb": "", "ended": "any"}
    outlast("audit", "--failed")
    assert fake.arguments("audit.list")["ended"] == "not done"
    assert json.loads(outlast("audit", "--json").out)[0]["verb"] == "group.move"


def test_what_is_refused_is_said(fake: FakeService, outlast: Outlast) -> None:
    fake.answers["user.delete"] = Refusal("usage", 'there is no user "x"')
    assert outlast("user", "delete", "x").err == 'outlast: there is no user "x"\n'
