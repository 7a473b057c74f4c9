"""The console in a browser: signing in, who is offered what, what is done with groups and nodes."""

import pytest
from administering import ask
from axe_playwright_python.sync_playwright import Axe
from played_console import PlayedConsole
from playwright.sync_api import Locator, Page, expect

from browser import NAME, PASSWORD, fill_in, go, sign_in
from outlast.core.access.permissions import NEEDS

pytest_plugins = ("console_fixtures",)
EVERY_PAGE = (
    *("roles", "roles/shop", "nodes", "nodes/n1", "quorum", "events", "storage", "networks", "order", "graphs"),
    *("users", "tokens", "audit", "settings", "account"),
)
TABLES = ("users", "audit", "settings")
"""Pages that have more on them once the cluster has answered."""


def row(page: Page, name: str) -> Locator:
    return page.locator(f'[data-role="{name}"]')


def act(page: Page, name: str, action: str) -> None:
    page.get_by_role("button", name=f"Actions for {name}").click()
    page.get_by_role("menuitem", name=action).click()


def test_a_wrong_password_is_told_and_lets_nobody_in(nobody: Page, console: PlayedConsole) -> None:
    nobody.goto(console.url("n1"))
    fill_in(nobody, NAME, "wrong horse")
    expect(nobody.get_by_role("alert")).to_have_text("the name or the password is wrong")
    nobody.reload()
    expect(nobody.get_by_role("button", name="Sign in")).to_be_visible()


def test_who_signs_in_sees_each_role_with_its_state_owner_and_protection(page: Page) -> None:
    expect(row(page, "web1")).to_contain_text("online")
    expect(row(page, "web1")).to_contain_text("n1")
    expect(row(page, "web1")).to_contain_text("protected")
    expect(row(page, "old")).to_contain_text("offline")
    expect(row(page, "shop")).to_contain_text("2 resources")


def test_who_signs_out_is_let_in_by_nothing_any_more(page: Page, console: PlayedConsole) -> None:
    cookies = page.context.cookies(console.url("n1"))
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    page.context.add_cookies(
        [{"name": one["name"], "value": one["value"], "url": console.url("n1")} for one in cookies]
    )
    page.reload()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()


def test_a_viewer_is_offered_nothing_and_gets_nothing(nobody: Page, console: PlayedConsole) -> None:
    sign_in(nobody, console.url("n1"), "vera")
    expect(row(nobody, "web1")).to_be_visible()
    expect(nobody.get_by_role("button", name="Actions for")).to_have_count(0)
    expect(nobody.locator("[draggable=true]")).to_have_count(0)
    go(nobody, "Nodes")
    expect(nobody.get_by_role("button", name="Drain")).to_have_count(0)
    asked = """async () => {
        const { csrf } = await (await fetch("/api/v1/session")).json();
        const headers = { "X-CSRF-Token": csrf, "Content-Type": "application/json" };
        return (await fetch("/api/v1/nodes/n1/drain", { method: "POST", headers, body: "{}" })).status;
    }"""
    assert nobody.evaluate(asked) == 403


def test_an_operator_for_some_groups_is_offered_what_concerns_them(nobody: Page, console: PlayedConsole) -> None:
    sign_in(nobody, console.url("n1"), "olaf")
    expect(nobody.get_by_role("button", name="Actions for")).to_have_count(1)
    act(nobody, "web1", "Lock in place")
    nobody.get_by_role("button", name="Cancel").click()
    go(nobody, "Nodes")
    expect(nobody.get_by_role("button", name="Drain")).to_have_count(0)


def test_what_the_console_offers_to_whom_is_what_the_cluster_service_allows(page: Page) -> None:
    offered = page.evaluate("async () => (await import('/console/rights.js')).NEEDS")
    assert offered == {verb: NEEDS[verb].role.value for verb in offered}


def test_a_role_is_dragged_onto_a_node_and_goes_there_as_it_runs(page: Page) -> None:
    row(page, "web1").drag_to(page.locator('[data-node="n3"]'))
    dialog = page.get_by_role("dialog", name="Move web1 to n3?")
    expect(dialog).to_contain_text("web1 would move from n1 to n3, as it runs (live migration)")
    dialog.get_by_role("button", name="Move web1 to n3").click()
    expect(page.get_by_role("log")).to_contain_text("web1 moves to n3: done")
    expect(row(page, "web1").locator(".role-owner")).to_have_text("n3")


def test_a_role_is_moved_by_the_keyboard_alone(page: Page) -> None:
    row(page, "web2").get_by_role("link").focus()
    page.keyboard.press("m")
    dialog = page.get_by_role("dialog", name="Move web2 from n2 to")
    dialog.get_by_role("radio", name="n1").check()
    expect(dialog).to_contain_text("web2 would move from n2 to n1, as it runs")
    dialog.get_by_role("button", name="Move web2 to n1").focus()
    page.keyboard.press("Enter")
    expect(row(page, "web2").locator(".role-owner")).to_have_text("n1")


def test_what_is_taken_offline_says_so_and_comes_back(page: Page) -> None:
    act(page, "web3", "Take offline")
    page.get_by_role("button", name="Take web3 offline").click()
    expect(row(page, "web3").locator(".role-state")).to_contain_text("offline")
    act(page, "web3", "Bring online")
    page.get_by_role("button", name="Bring web3 online").click()
    expect(row(page, "web3").locator(".role-state")).to_contain_text("online")


def test_what_cannot_be_done_is_refused_before_it_is_asked_for(page: Page) -> None:
    act(page, "web3", "Lock in place")
    page.get_by_label("Why (others see it)").fill("its licence")
    page.get_by_role("button", name="Lock web3").click()
    expect(row(page, "web3")).to_contain_text("locked: its licence")
    act(page, "web3", "Move")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("locked")
    expect(dialog.get_by_role("button", name="Move")).to_be_disabled()
    dialog.get_by_role("button", name="Cancel").click()
    act(page, "web3", "Unlock")
    expect(row(page, "web3")).not_to_contain_text("locked")


def test_a_role_in_maintenance_says_why(page: Page) -> None:
    act(page, "shop", "Maintenance")
    page.get_by_label("Why (others see it)").fill("its disk is changed")
    page.get_by_role("button", name="Put shop into maintenance").click()
    expect(row(page, "shop")).to_contain_text("in maintenance: its disk is changed")
    act(page, "shop", "End maintenance")
    expect(row(page, "shop")).not_to_contain_text("in maintenance")


def test_a_role_is_explained_with_what_it_is_made_of(page: Page) -> None:
    row(page, "shop").get_by_role("link", name="shop").click()
    expect(page.get_by_role("heading", name="shop", exact=True)).to_be_visible()
    expect(page.locator(".explained")).to_contain_text("shop is online on n2")
    expect(page.get_by_role("table", name="Resources")).to_contain_text("needs shop-db")
    expect(page.get_by_role("img", name="What needs what: shop-web needs shop-db")).to_be_visible()
    expect(page.locator(".events")).to_contain_text("shop is online on n2")


def test_a_node_is_drained_and_resumed(page: Page) -> None:
    go(page, "Nodes")
    card = page.get_by_role("article", name="n3")
    card.get_by_role("button", name="Drain").click()
    dialog = page.get_by_role("dialog", name="Drain n3?")
    expect(dialog).to_contain_text("goes to")
    dialog.get_by_role("button", name="Drain n3").click()
    expect(card).to_contain_text("drained")
    expect(page.get_by_role("log")).to_contain_text("n3 is drained: done")
    card.get_by_role("button", name="Resume").click()
    page.get_by_role("button", name="Resume, and call back what left it").click()
    expect(card.locator(".card-head")).to_contain_text("up")


def test_what_would_happen_if_a_node_died_is_told_for_each_role(page: Page) -> None:
    go(page, "Nodes")
    card = page.get_by_role("article", name="n1")
    card.get_by_text("What if n1 died now?").click()
    foretold = card.get_by_role("table", name="If n1 died now")
    rows = ask(page, "GET", "/groups")
    assert isinstance(rows, list)
    there = [row["name"] for row in rows if row["owner"] == "n1" and row["state"] == "online"]
    assert there
    for name in there:
        expect(foretold).to_contain_text(name)
    expect(foretold).to_contain_text("on n")


def test_what_can_be_lost_is_told_in_words(page: Page) -> None:
    go(page, "Quorum")
    expect(page.locator(".verdict")).to_have_text("There is a quorum: can lose one more of n1, n2, n3")


def test_the_start_order_is_a_picture_and_a_table(page: Page) -> None:
    go(page, "Start order")
    expect(page.get_by_role("table", name="Start order")).to_contain_text("web1 is online")
    expect(page.locator(".drawing .box")).to_have_count(2)


def test_what_is_searched_for_is_opened_by_the_keyboard_alone(page: Page) -> None:
    page.keyboard.press("/")
    page.keyboard.type("shop-d")
    expect(page.get_by_role("listbox")).to_contain_text("resource of shop")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="shop", exact=True)).to_be_visible()


def test_the_theme_is_chosen_and_kept(page: Page) -> None:
    page.get_by_role("button", name="Theme").click()
    page.get_by_role("button", name="Theme: light").click()
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")


@pytest.mark.parametrize("width", [390, 1400])
def test_no_page_is_wider_than_its_window(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 844})
    for name in EVERY_PAGE:
        page.evaluate("hash => { location.hash = hash; }", f"#/{name}")
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        if name in TABLES:
            expect(page.get_by_role("main").get_by_role("table").first).to_be_visible()
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width, f"{name} is {wide} wide"


def test_no_page_keeps_anybody_out(page: Page) -> None:
    """Names, roles, contrast, order of headings, ...: by the rules of WCAG 2 that a machine can check."""
    axe = Axe()
    for theme in ("light", "dark"):
        page.evaluate("theme => { document.documentElement.dataset.theme = theme; }", theme)
        for name in EVERY_PAGE:
            page.evaluate("hash => { location.hash = hash; }", f"#/{name}")
            expect(page.get_by_role("heading", level=1)).to_be_visible()
            if name in TABLES:
                expect(page.get_by_role("main").get_by_role("table").first).to_be_visible()
            found = axe.run(page, options={"runOnly": ["wcag2a", "wcag2aa", "best-practice"]})
            told = [(one["id"], [node["html"] for node in one["nodes"]]) for one in found.response["violations"]]
            assert told == [], f"{name}, {theme}"


def test_nothing_that_can_be_pressed_is_without_a_name(page: Page) -> None:
    for name in EVERY_PAGE:
        page.evaluate("hash => { location.hash = hash; }", f"#/{name}")
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        nameless = page.evaluate(
            "[...document.querySelectorAll('button, a, input, select')].filter((one) => !(one.textContent.trim()"
            " || one.ariaLabel || one.labels?.length || one.placeholder)).map((one) => one.outerHTML)"
        )
        assert nameless == [], name


def test_only_who_is_signed_in_is_told_of_the_other_nodes_and_no_page_runs_what_is_inside_it(
    page: Page, console: PlayedConsole
) -> None:
    asked = "fetch('/').then((answer) => answer.headers.get('content-security-policy'))"
    policy = page.evaluate(asked)
    assert "https://n2:9443" in policy
    page.context.clear_cookies()
    stranger = page.evaluate(asked)
    assert "n2" not in stranger
    for one in (policy, stranger):
        assert "unsafe" not in one
        assert "require-trusted-types-for 'script'" in one


@pytest.mark.parametrize(
    "files", ["**/console/*", "**/console/theme.js"], ids=["no file at all", "a module of a module"]
)
def test_a_page_that_did_not_come_whole_says_so_and_comes_again(
    nobody: Page, console: PlayedConsole, files: str
) -> None:
    """What a browser is loading while a network comes or goes is lost to it (ERR_NETWORK_CHANGED)."""
    nobody.route(files, lambda route: route.abort("internetdisconnected"))
    nobody.goto(console.url("n1"))
    expect(nobody.get_by_text("n1 did not send all of this page. It is loaded again ...")).to_be_visible()
    expect(nobody.get_by_role("button", name="Sign in")).to_be_disabled()
    nobody.unroute(files)
    fill_in(nobody, NAME, PASSWORD)
    expect(nobody.get_by_role("heading", name="Roles")).to_be_visible()

    nobody.route(files, lambda route: route.abort("internetdisconnected"))
    nobody.goto(console.url("n1"))
    expect(nobody.get_by_text("n1 did not send all of this page. It is loaded again ...")).to_be_visible()
    nobody.unroute(files)
    expect(nobody.get_by_role("heading", name="Roles")).to_be_visible()
