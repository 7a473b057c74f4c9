"""What a browser is sent to a provider with, and who it is that the claims speak of."""

from urllib.parse import parse_qs, urlsplit

import pytest

from outlast.core.access.openid import (
    Flow,
    NotKnown,
    challenge_of,
    claim,
    entrance,
    members_of,
    name_of,
    why_no_origin,
    why_no_url,
)
from outlast.model.access import OpenIdSignIn

SETTINGS = OpenIdSignIn("https://login.example", "outlast", scopes=("profile", "groups"))
FLOW = Flow("the-state", "the-nonce", "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "https://n1:9443/sign-in", 0.0)


def test_the_challenge_is_that_of_the_example_in_rfc_7636() -> None:
    assert challenge_of(FLOW.verifier) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_a_browser_takes_along_the_challenge_and_never_the_verifier() -> None:
    url = entrance("https://login.example/enter", SETTINGS, FLOW)
    asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    assert asked == {
        "response_type": "code",
        "client_id": "outlast",
        "redirect_uri": "https://n1:9443/sign-in",
        "scope": "openid profile groups",
        "state": "the-state",
        "nonce": "the-nonce",
        "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
        "code_challenge_method": "S256",
    }
    assert entrance("https://login.example/enter?tenant=1", SETTINGS, FLOW).startswith(
        "https://login.example/enter?tenant=1&response_type=code"
    )


def test_groups_are_a_list_or_a_single_text_and_whatever_else_is_none() -> None:
    for told, groups in (
        (["a", "/b c"], ("a", "/b c")),
        ("a", ("a",)),
        (["a", 1, None, "", ["b"]], ("a",)),
        (None, ()),
        (True, ()),
        ({"a": True}, ()),
    ):
        assert members_of({"groups": told}, SETTINGS) == groups
    assert members_of({}, SETTINGS) == ()


def test_a_claim_is_found_by_its_name_or_by_the_way_to_it() -> None:
    claims = {"realm_access": {"roles": ["a"]}, "https://example.org/groups": ["b"], "plain": "c"}
    assert claim(claims, "realm_access.roles") == ["a"]
    assert claim(claims, "https://example.org/groups") == ["b"]
    assert claim(claims, "realm_access.other") is None
    assert claim(claims, "plain.other") is None
    assert claim(claims, "") is None


@pytest.mark.parametrize("name", [None, "", 7, ["anna"], "an na", "anna\n", "x" * 64, "anna (PAM)"])
def test_who_has_no_name_that_could_stand_in_a_log_is_nobody(name: object) -> None:
    with pytest.raises(NotKnown):
        name_of({"preferred_username": name}, SETTINGS)


def test_a_provider_is_asked_by_tls_only_but_on_this_very_machine() -> None:
    for good in (
        "https://login.example.org/realms/main",
        "https://[::1]:8443",
        "http://localhost:8080",
        "http://[::1]",
    ):
        assert why_no_url(good) == ""
    for bad in (
        "",
        "login.example.org",
        "http://login.example.org",
        "https://",
        "https://a?b",
        "https://u@a",
        "https://[",
    ):
        assert why_no_url(bad)


def test_the_address_of_a_console_has_no_path() -> None:
    assert why_no_origin("https://n1.example.org:9443") == ""
    for bad in ("", "n1", "http://n1", "https://n1/", "https://n1/sign-in", "https://", "https://["):
        assert why_no_origin(bad)
