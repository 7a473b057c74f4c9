"""A provider's word is taken when it has signed it, for us, now, for this sign-in, and never otherwise; and whatever it
does, there is an answer in time: a real provider, one that lies, and the simulator's.
"""

import asyncio
import contextlib
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
import oidc_provider_mock
import pytest

from outlast.adapters.openid import HttpOpenId
from outlast.adapters.web_certificate import FileWebCertificate
from outlast.core.access.openid import Flow, entrance
from outlast.model.access import OpenIdSignIn
from outlast.ports.openid import Client, NoAnswer, NotBelieved, OpenId
from outlast.sim.provider import ISSUER, Outsider, SimOpenId
from outlast.web import tls
from outlast.web.config import WebConfig
from provider_of_tests import EC, ED, OTHER_RSA, Provider, signed

WANTED = ("preferred_username", "groups")
CLAIMS = {"preferred_username": "anna", "groups": ["admins", "web team"]}
FLOW = Flow("state", "nonce", "verifier-" * 6, "https://n1:9443/sign-in", 0.0)
SECRET = "hush-hush-hush"


@dataclass
class Place:
    openid: OpenId
    client: Client
    enter: Callable[[str], str]
    """What somebody does there who is sent to that address; the code with which the browser comes back."""

    async def code(self, flow: Flow = FLOW) -> str:
        settings = OpenIdSignIn(self.client.issuer, self.client.client_id)
        return self.enter(entrance(await self.openid.endpoint(self.client), settings, flow))

    async def claims(self, code: str, flow: Flow = FLOW, client: Client | None = None) -> dict[str, Any]:
        asked = {"verifier": flow.verifier, "redirect": flow.redirect, "nonce": flow.nonce}
        return dict(await self.openid.claims(client or self.client, code, wanted=WANTED, **asked))


@contextlib.contextmanager
def real() -> Iterator[Place]:
    users = [oidc_provider_mock.User(sub="s1", claims=CLAIMS)]
    with oidc_provider_mock.run_server_in_thread(require_client_registration=True, user_claims=users) as server:
        issuer = f"http://localhost:{server.server_port}"
        made = json.loads(posted(f"{issuer}/oauth2/clients", json.dumps({"redirect_uris": [FLOW.redirect]})).read())

        def enter(url: str) -> str:
            came_back = urlsplit(posted(url, urlencode({"sub": "s1"})).headers["location"])
            assert f"{came_back.scheme}://{came_back.netloc}{came_back.path}" == FLOW.redirect
            assert parse_qs(came_back.query)["state"] == [FLOW.state]
            return str(parse_qs(came_back.query)["code"][0])

        yield Place(HttpOpenId(), Client(issuer, made["client_id"], made["client_secret"]), enter)


@contextlib.contextmanager
def simulated() -> Iterator[Place]:
    outsider = Outsider({"s1": CLAIMS})
    yield Place(SimOpenId(outsider), Client(ISSUER, "outlast"), lambda url: outsider.enter(url, "s1")[0])


def posted(url: str, content: str) -> Any:
    class Stay(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *_: Any) -> None:
            return None

    kind = "application/json" if content.startswith("{") else "application/x-www-form-urlencoded"
    try:
        return urllib.request.build_opener(Stay).open(
            urllib.request.Request(url, content.encode(), {"Content-Type": kind}), timeout=20
        )
    except urllib.error.HTTPError as answer:
        return answer


BOTH = pytest.mark.parametrize("made", [real, simulated])
Made = Callable[[], contextlib.AbstractContextManager[Place]]


@BOTH
def test_who_comes_back_with_a_code_is_told_of_once(made: Made) -> None:
    async def play(place: Place) -> None:
        code = await place.code()
        assert await place.claims(code) == {"sub": "s1", **CLAIMS}
        with pytest.raises(NotBelieved, match="invalid_grant"):
            await place.claims(code)
        with pytest.raises(NotBelieved):
            await place.claims("guessed")

    with made() as place:
        asyncio.run(play(place))


@BOTH
def test_what_belongs_to_another_sign_in_is_not_believed(made: Made) -> None:
    async def play(place: Place) -> None:
        other = Flow("state", "another nonce", FLOW.verifier, FLOW.redirect, 0.0)
        with pytest.raises(NotBelieved, match="nonce is another one"):
            await place.claims(await place.code(), other)
        elsewhere = Flow("state", "nonce", FLOW.verifier, "https://n2:9443/sign-in", 0.0)
        with pytest.raises(NotBelieved):
            await place.claims(await place.code(), elsewhere)

    with made() as place:
        asyncio.run(play(place))


def test_a_client_that_does_not_know_the_secret_is_refused_by_a_real_provider_and_the_secret_is_not_told() -> None:
    with real() as place, pytest.raises(NotBelieved, match="invalid_client") as refused:
        asyncio.run(place.claims("any", client=place.client._replace(client_secret=SECRET)))
    assert SECRET not in str(refused.value)


def ask(provider: Provider, client_secret: str = SECRET, **options: Any) -> dict[str, Any]:
    client = Client(provider.issuer, "outlast", client_secret, options.pop("authority", ""))
    return asyncio.run(Place(HttpOpenId(**options), client, str).claims("code"))


def test_the_verifier_and_the_secret_go_to_the_provider_and_nowhere_else() -> None:
    with Provider() as provider:
        assert ask(provider)["preferred_username"] == "anna"
        (headers, form) = next((headers, form) for path, headers, form in provider.asked if path == "/token")
        assert (form["code_verifier"], form["redirect_uri"], form["code"]) == (FLOW.verifier, FLOW.redirect, "code")
        assert headers["authorization"].startswith("Basic ")
        assert "client_secret" not in form
        provider.found = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}
        ask(provider)
        assert provider.asked[-2][2]["client_secret"] == SECRET
        ask(provider, client_secret="")
        assert provider.asked[-2][2]["client_id"] == "outlast"


@pytest.mark.parametrize(("key", "algorithm", "kid"), [(EC, "ES256", "e"), (ED, "EdDSA", "d")])
def test_a_provider_may_sign_by_other_algorithms_with_keys_of_theirs(key: Any, algorithm: str, kid: str) -> None:
    with Provider(token=lambda claims: signed(claims, key, algorithm, kid)) as provider:
        assert ask(provider)["sub"] == "s1"


def tampered(claims: dict[str, Any]) -> str:
    head, _, tail = signed(claims).split(".")
    return ".".join((head, signed({**claims, "groups": ["everything"]}).split(".")[1], tail))


def but(**changed: Any) -> Callable[[dict[str, Any]], str]:
    def make(claims: dict[str, Any]) -> str:
        return signed({name: value for name, value in {**claims, **changed}.items() if value is not None})

    return make


LIES: dict[str, tuple[Callable[[dict[str, Any]], str], str]] = {
    "by another key": (lambda claims: signed(claims, OTHER_RSA), "Signature verification failed"),
    "by a key that nobody has": (lambda claims: signed(claims, OTHER_RSA, kid="x"), "no key that could have"),
    "by a key of another kind": (lambda claims: signed(claims, OTHER_RSA, kid="e"), "no key that could have"),
    "by nobody": (lambda claims: jwt.encode(claims, "", "none"), 'signed by "none"'),
    "by our own secret": (lambda claims: jwt.encode(claims, SECRET * 3, "HS256"), 'signed by "HS256"'),
    "changed": (tampered, "Signature verification failed"),
    "no token": (lambda _: "", "is not good"),
    "no token at all": (lambda _: "a.b.c", "is not good"),
    "for somebody else": (but(aud="another"), "Audience"),
    "for several, given to another": (but(aud=["outlast", "another"], azp="another"), "another client"),
    "of another issuer": (but(iss="https://another.example"), "Invalid issuer"),
    "of the past": (but(exp=int(time.time()) - 120), "expired"),
    "of the future": (but(iat=int(time.time()) + 3600, nbf=int(time.time()) + 3600), "not yet valid"),
    "for ever": (but(exp=None), "exp"),
    "of nobody": (but(sub=None), "sub"),
    "of another sign-in": (but(nonce="another"), "nonce is another one"),
    "of no sign-in": (but(nonce=None), "nonce is another one"),
}


@pytest.mark.parametrize("lie", LIES)
def test_an_id_token_that_proves_nothing_is_not_believed(lie: str) -> None:
    token, why = LIES[lie]
    with Provider(token=token) as provider, pytest.raises(NotBelieved, match=why):
        ask(provider)


def test_what_the_id_token_does_not_say_is_asked_of_the_userinfo_of_the_same_person() -> None:
    with Provider(claims={"preferred_username": "anna"}) as provider:
        provider.userinfo = {"sub": "s1", "groups": ["admins"], "preferred_username": "mallory", "more": 1}
        assert ask(provider) == {"sub": "s1", "preferred_username": "anna", "groups": ["admins"]}
        provider.userinfo["sub"] = "s2"
        with pytest.raises(NotBelieved, match="about somebody else"):
            ask(provider)
        provider.claims["groups"] = []
        assert ask(provider)["groups"] == []  # an empty answer is one


@pytest.mark.parametrize(
    ("found", "why"),
    [
        ({"issuer": "https://another.example"}, "calls itself"),
        ({"token_endpoint": "http://login.example/token"}, "asked by https:// only"),
        ({"jwks_uri": "file:///etc/passwd"}, "asked by https:// only|takes an address"),
        ({"jwks_uri": None}, "takes an address"),
    ],
)
def test_a_provider_is_asked_at_its_own_addresses_only(found: dict[str, Any], why: str) -> None:
    with Provider(found=found) as provider, pytest.raises(NotBelieved, match=why):
        ask(provider)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ((302, {"Location": "/elsewhere"}, b""), "answered 302"),
        ((500, {}, b"<html>"), "answered 500"),
        ((200, {}, b"<html>"), "answered no JSON"),
        ((200, {}, b"[]"), "answered no JSON object"),
        ((200, {}, b'"' + b"x" * 2_000_000 + b'"'), "answered no JSON"),
    ],
)
def test_an_answer_that_is_none_is_told_as_that(answer: Any, why: str) -> None:
    with Provider(answer=answer) as provider, pytest.raises(NoAnswer, match=why):
        ask(provider, timeout_s=12.0)


def test_what_a_provider_repeats_of_a_secret_is_not_told_on() -> None:
    content = json.dumps({"error": "invalid_client", "error_description": f"{SECRET}, code"}).encode()
    with Provider(answer=(401, {}, content)) as provider, pytest.raises(NotBelieved, match=r"invalid_client \*\*\*"):
        ask(provider)


def test_a_provider_that_answers_a_byte_at_a_time_holds_nobody_up() -> None:
    with Provider(drip_s=0.5) as provider:
        began = time.monotonic()
        with pytest.raises(NoAnswer, match="did not answer within 2 s"):
            ask(provider, timeout_s=2.0)
        assert time.monotonic() - began < 6


def test_a_provider_that_is_not_there_is_told_with_its_address() -> None:
    with pytest.raises(
        NoAnswer, match=r"http://localhost:1/\.well-known/openid-configuration cannot be asked: .*refused"
    ):
        asyncio.run(HttpOpenId().endpoint(Client("http://localhost:1", "outlast")))


def test_a_provider_with_a_certificate_of_an_authority_of_ones_own(tmp_path: Path) -> None:
    maker = FileWebCertificate(tmp_path)
    authority, key = maker.create_authority("corp", "id")
    maker.renew(authority, key, ("localhost",))
    (tmp_path / "authority.pem").write_text(authority)
    files = tls.files(WebConfig(run_dir=str(tmp_path)))
    provider = Provider().serve(tls.context(files))
    try:
        with pytest.raises(NoAnswer, match="CERTIFICATE_VERIFY_FAILED"):
            ask(provider)
        assert ask(provider, authority=str(tmp_path / "authority.pem"))["sub"] == "s1"
        with pytest.raises(NoAnswer, match="cannot be used as certificates"):
            ask(provider, authority="/nonexistent.pem")
    finally:
        provider.__exit__()


def test_where_browsers_go_is_remembered_for_a_while() -> None:
    with Provider() as provider:
        openid, client = HttpOpenId(), Client(provider.issuer, "outlast")

        async def play() -> None:
            for _ in range(3):
                assert await openid.endpoint(client) == f"{provider.issuer}/authorization"

        asyncio.run(play())
        assert len(provider.asked) == 1
