"""Signing in at an OpenID Connect provider, in a browser: a real provider, the real page, and what goes wrong, in
words.
"""

import json
import urllib.request
from collections.abc import Iterator
from typing import Any

import oidc_provider_mock
import pytest
from axe_playwright_python.sync_playwright import Axe
from played_console import PlayedConsole
from playwright.sync_api import Browser, Page, expect

from browser import page_of, sign_in
from provider_of_tests import OTHER_RSA, Provider, signed

pytest_plugins = ("console_fixtures",)

PEOPLE = {
    "s1": {"preferred_username": "otto", "groups": ["operators"]},
    "s2": {"preferred_username": "gus", "groups": ["guests"]},
}
SET = """async (asked) => {
    const { csrf } = await (await fetch("/api/v1/session")).json();
    const headers = { "X-CSRF-Token": csrf, "Content-Type": "application/json" };
    for (const [method, path, body] of asked) {
        const answer = await fetch(`/api/v1/sign-in/openid${path}`, { method, headers, body: JSON.stringify(body) });
        if (!answer.ok) throw new Error((await answer.json()).detail);
    }
}"""


def set_up(chromium: Browser, console: PlayedConsole, **values: Any) -> None:
    """As an administrator does it."""
    grant = {"member": "operators", "role": "operator"}
    with page_of(chromium) as page:
        sign_in(page, console.url("n1"))
        page.evaluate(SET, [["PATCH", "", {"values": {"label": "Example", **values}}], ["POST", "/grants", grant]])


@pytest.fixture(scope="module")
def provider() -> Iterator[str]:
    users = [oidc_provider_mock.User(sub=sub, claims=claims) for sub, claims in PEOPLE.items()]
    with oidc_provider_mock.run_server_in_thread(require_client_registration=True, user_claims=users) as server:
        yield f"http://localhost:{server.server_port}"


@pytest.fixture
def example(chromium: Browser, console: PlayedConsole, provider: str) -> None:
    """The provider knows the cluster, and the cluster the provider."""
    redirects = [f"https://{node}:9443/sign-in" for node in console.names()]
    content = json.dumps({"redirect_uris": redirects}).encode()
    asked = urllib.request.Request(f"{provider}/oauth2/clients", content, {"Content-Type": "application/json"})
    with urllib.request.urlopen(asked, timeout=20) as answer:
        made = json.load(answer)
    known = {"client_id": made["client_id"], "client_secret": made["client_secret"]}
    set_up(chromium, console, issuer=provider, **known)


def leave(page: Page, console: PlayedConsole, node: str = "n1", to: str = "") -> None:
    page.goto(console.url(node) + to)
    page.get_by_role("button", name="Sign in with Example").click()


def prove(page: Page, subject: str) -> None:
    """To the provider, on its own page."""
    expect(page.get_by_role("heading", name="Authorize Client")).to_be_visible()
    page.get_by_role("button", name=subject, exact=True).click()


@pytest.mark.usefixtures("example")
def test_who_the_provider_knows_is_on_the_page_that_was_asked_for_with_the_role_of_a_group(
    nobody: Page, console: PlayedConsole
) -> None:
    leave(nobody, console, "n2", "#/nodes")
    prove(nobody, "s1")
    expect(nobody.get_by_role("heading", name="Nodes")).to_be_visible()
    assert nobody.url == console.url("n2") + "#/nodes"
    expect(nobody.get_by_text("otto (OpenID Connect)")).to_be_visible()
    expect(nobody.get_by_role("button", name="Drain").first).to_be_visible()
    nobody.reload()
    expect(nobody.get_by_text("otto (OpenID Connect)")).to_be_visible()
    assert {one["name"] for one in nobody.context.cookies(console.url("n2"))} == {"__Host-outlast"}


@pytest.mark.usefixtures("example")
def test_what_came_back_once_lets_nobody_in_again(nobody: Page, console: PlayedConsole) -> None:
    seen: list[str] = []
    nobody.on("request", lambda request: seen.append(request.url) if "/sign-in?" in request.url else None)
    leave(nobody, console)
    prove(nobody, "s1")
    nobody.get_by_role("button", name="Sign out").click()
    expect(nobody.get_by_role("button", name="Sign in", exact=True)).to_be_visible()
    nobody.goto(seen[0])
    expect(nobody.get_by_role("alert")).to_contain_text("this sign-in was not begun here, was ended already")
    assert nobody.url == console.url("n1") + "sign-in"


@pytest.mark.usefixtures("example")
def test_what_was_begun_in_one_browser_does_not_end_in_another(
    nobody: Page, chromium: Browser, console: PlayedConsole
) -> None:
    with page_of(chromium) as attacker:
        kept: list[str] = []
        attacker.on("request", lambda request: kept.append(request.url) if "/sign-in?" in request.url else None)
        attacker.route("**/session/from-provider", lambda route: route.abort())
        leave(attacker, console)
        prove(attacker, "s1")
        expect(attacker.get_by_role("alert")).to_contain_text("n1 does not answer")
    nobody.goto(kept[0])
    expect(nobody.get_by_role("alert")).to_contain_text("this sign-in was not begun here")
    expect(nobody.get_by_role("button", name="Sign in with Example")).to_be_enabled()


@pytest.mark.usefixtures("example")
def test_who_has_no_role_is_told_which_groups_were_looked_at(nobody: Page, console: PlayedConsole) -> None:
    leave(nobody, console)
    prove(nobody, "s2")
    expect(nobody.get_by_role("alert")).to_contain_text(
        "gus has no role here: none of the groups of gus at Example (claim groups) (guests) was granted one"
    )


@pytest.mark.parametrize(
    ("lie", "why"),
    [
        (lambda claims: signed(claims, OTHER_RSA), "its ID token is not good: Signature verification failed"),
        (lambda claims: signed({**claims, "nonce": "of another"}), "of another sign-in: the nonce is another one"),
    ],
)
def test_a_provider_that_lies_is_not_believed_and_what_it_refuses_is_told(
    nobody: Page, chromium: Browser, console: PlayedConsole, lie: Any, why: str
) -> None:
    with Provider(token=lie, claims=PEOPLE["s1"]) as liar:
        set_up(chromium, console, issuer=liar.issuer, client_id="outlast", client_secret="any")
        leave(nobody, console)
        expect(nobody.get_by_role("alert")).to_contain_text("what Example says is not believed")
        expect(nobody.get_by_role("alert")).to_contain_text(why)
        liar.denies = "not today"
        nobody.get_by_role("button", name="Sign in with Example").click()
        expect(nobody.get_by_role("alert")).to_have_text("Example did not sign you in: access_denied not today")
        liar.denies, liar.token = "", None
        nobody.get_by_role("button", name="Sign in with Example").click()
        expect(nobody.get_by_text("otto (OpenID Connect)")).to_be_visible()


def test_a_provider_that_is_down_is_told_and_names_and_passwords_go_on(
    nobody: Page, chromium: Browser, console: PlayedConsole
) -> None:
    set_up(chromium, console, issuer="http://localhost:1", client_id="outlast", client_secret="any")
    leave(nobody, console)
    expect(nobody.get_by_role("alert")).to_contain_text("nobody can sign in with Example now: http://localhost:1")
    sign_in(nobody, console.url("n1"))


@pytest.mark.usefixtures("example")
def test_the_page_can_be_used_by_everybody_and_fits_a_phone(chromium: Browser, console: PlayedConsole) -> None:
    with page_of(chromium, 360, 740) as page:
        page.goto(console.url("n1"))
        expect(page.get_by_role("button", name="Sign in with Example")).to_be_visible()
        found = Axe().run(page).response["violations"]
        assert found == []
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
