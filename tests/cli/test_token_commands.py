"""outlast cluster token: giving one out, listing them, and taking them back."""

import json
import time

import msgspec
import pytest

from command_line import Outlast
from fake_service import FakeService, Result
from outlast.core.joining.tokens import Token, encode, id_in
from outlast.model.answers import Revoked, TokenRow

pytest_plugins = ("cli_fixtures",)

WORD = encode(Token("10.0.0.11", bytes(16), bytes(16)))
UNUSED = TokenRow("3f2a91bc", "node", "", 0.0)
JOINING = TokenRow("77d0e1f2", "witness", "w1", 0.0)


def test_a_token_is_one_word_and_in_json_its_id_stands_beside_it(fake: FakeService, outlast: Outlast) -> None:
    fake.answers["cluster.token"] = Result(WORD)
    assert outlast("cluster", "token").out == f"{WORD}\n"
    assert json.loads(outlast("cluster", "token", "--json").out) == {"token": WORD, "id": id_in(WORD)}


def test_the_list_says_for_what_each_is_and_who_uses_it(fake: FakeService, outlast: Outlast) -> None:
    fresh = msgspec.structs.replace(UNUSED, until_s=time.time() + 10 * 3600 + 60)
    fake.answers["cluster.tokens"] = Result([fresh, JOINING])
    assert outlast("cluster", "token", "--list").lines() == [
        "id        for      state",
        "3f2a91bc  node     not used yet; good for 10 h",
        "77d0e1f2  witness  w1 is just joining",
    ]
    assert [row["id"] for row in json.loads(outlast("cluster", "token", "--list", "--json").out)] == [
        "3f2a91bc",
        "77d0e1f2",
    ]
    assert "cluster.token" not in fake.verbs(), "a list gives none out"


def test_no_token_is_said_in_words(fake: FakeService, outlast: Outlast) -> None:
    fake.answers |= {"cluster.tokens": Result([]), "cluster.revoke": Result(Revoked([], []))}
    assert "there is none; outlast cluster token gives one out" in outlast("cluster", "token", "--list").out
    assert outlast("cluster", "token", "--revoke", "all").lines() == ["there is no token that could be taken back"]


def test_one_is_taken_back_by_its_id_and_a_machine_that_was_joining_keeps_its_certificate(
    fake: FakeService, outlast: Outlast
) -> None:
    fake.answers["cluster.revoke"] = Result(Revoked([JOINING], []))
    first, second = outlast("cluster", "token", "--revoke", "77d0", width=200).lines()
    assert fake.arguments("cluster.revoke") == {"token": "77d0"}
    assert first == "the token 77d0e1f2 for a witness is taken back"
    assert "has forgotten w1" in second
    assert "wipe w1" in second


def test_all_takes_back_what_nobody_uses_and_says_what_is_left(fake: FakeService, outlast: Outlast) -> None:
    fake.answers["cluster.revoke"] = Result(Revoked([UNUSED], [JOINING]))
    assert outlast("cluster", "token", "--revoke", "all", width=200).lines() == [
        "the token 3f2a91bc for a node is taken back",
        "w1 is just joining with 77d0e1f2; if it shall not: outlast cluster token --revoke 77d0e1f2",
    ]
    assert json.loads(outlast("cluster", "token", "--revoke", "all", "--json").out)["kept"][0]["name"] == "w1"


@pytest.mark.parametrize("more", [("--list",), ("--witness",), ("--lifetime-s", "60")])
def test_giving_out_and_taking_back_are_not_done_at_once(
    fake: FakeService, outlast: Outlast, more: tuple[str, ...]
) -> None:
    ended = outlast("cluster", "token", "--revoke", "all", *more)
    assert ended.code == 2
    assert more[0] in ended.err
    assert fake.verbs() == []
