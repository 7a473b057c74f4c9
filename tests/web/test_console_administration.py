"""Users, API tokens and the audit log in the console: what an administrator does there, and nobody else."""

from collections.abc import Iterator
from typing import Any

import pytest
from administering import ASK, ask, change_setting, home, open_by_hand, row, user
from axe_playwright_python.sync_playwright import Axe
from played_console import PlayedConsole
from playwright.sync_api import Browser, Locator, Page, expect

from browser import NAME, PASSWORD, fill_in, go, page_of, sign_in

pytest_plugins = ("console_fixtures",)
OTHER = "another-horse"
LOCKED = """async (many) => {
    const { ask } = await import('/console/connection.js');
    for (let at = 0; at < many; at += 1) await ask("POST", "/groups/old/lock", { why: `no ${at}` });
}"""


@pytest.fixture
def another(chromium: Browser) -> Iterator[Page]:
    """A second browser, of somebody who is not signed in."""
    with page_of(chromium) as page:
        yield page


def type_password(dialog: Locator, first: str, second: str) -> None:
    dialog.get_by_label("Password", exact=True).fill(first)
    dialog.get_by_label("Once more").fill(second)


@pytest.mark.parametrize("name", ["vera", "olaf"])
def test_who_is_no_administrator_is_shown_no_way_there_and_told_why_who_opens_the_address_by_hand(
    nobody: Page, console: PlayedConsole, name: str
) -> None:
    sign_in(nobody, console.url("n1"), name)
    for link in ("Users", "API tokens", "Audit log", "Settings"):
        expect(nobody.get_by_role("navigation", name="Pages").get_by_role("link", name=link)).to_have_count(0)
    role = {"vera": "a viewer", "olaf": "an operator"}[name]
    for path, verb in (("users", "user.list"), ("tokens", "token.list"), ("audit", "audit.list")):
        open_by_hand(nobody, path)
        expect(nobody.get_by_role("alert")).to_have_text(f"{verb} takes the role administrator; {name} is {role}")
        expect(nobody.get_by_role("main").get_by_role("table")).to_have_count(0)
        expect(nobody.get_by_role("main").get_by_role("button", name="Make")).to_have_count(0)
    open_by_hand(nobody, "settings")
    expect(row(nobody, "The whole cluster", "armed")).to_contain_text("yes")
    expect(nobody.get_by_role("button", name="Change")).to_have_count(0)
    nobody.keyboard.press("/")
    nobody.keyboard.type("audit")
    expect(nobody.get_by_role("listbox")).to_have_count(0)


def test_a_user_is_made_and_signs_in_with_the_role_it_was_given(page: Page, another: Page) -> None:
    go(page, "Users")
    page.get_by_role("button", name="Make a user").click()
    dialog = page.get_by_role("dialog", name="Make a user")
    dialog.get_by_label("Name").fill("otto")
    type_password(dialog, PASSWORD, PASSWORD)
    dialog.get_by_role("radio", name="operator").check()
    dialog.get_by_role("radio", name="Only some").check()
    expect(dialog.get_by_role("button", name="Make the user")).to_be_disabled()
    dialog.get_by_label("Search groups").fill("web")
    expect(dialog.get_by_role("checkbox")).to_have_count(3)
    dialog.get_by_role("checkbox", name="web2").check()
    dialog.get_by_role("button", name="Make the user").click()
    expect(row(page, "Users", "otto")).to_contain_text("operator")
    expect(row(page, "Users", "otto")).to_contain_text("web2")
    sign_in(another, home(page), "otto")
    expect(another.get_by_role("button", name="Actions for")).to_have_count(1)
    expect(row(page, "Users", "otto")).to_contain_text("signed in")


def test_what_cannot_be_is_told_in_the_words_of_the_cluster_and_what_was_typed_stays(page: Page) -> None:
    go(page, "Users")
    page.get_by_role("button", name="Make a user").click()
    dialog = page.get_by_role("dialog", name="Make a user")
    alert, make = dialog.get_by_role("alert"), dialog.get_by_role("button", name="Make the user")
    dialog.get_by_label("Name").fill("a b")
    make.click()
    expect(alert).to_contain_text('"a b" cannot be a name here')
    dialog.get_by_label("Name").fill("vera")
    type_password(dialog, "short", "short")
    make.click()
    expect(alert).to_have_text("a password has 10 to 256 characters")
    type_password(dialog, PASSWORD, OTHER)
    make.click()
    expect(alert).to_have_text("the two passwords are different; nothing was changed")
    type_password(dialog, PASSWORD, PASSWORD)
    make.click()
    expect(alert).to_have_text('there is a user "vera" already')
    expect(dialog.get_by_label("Name")).to_have_value("vera")
    dialog.get_by_role("button", name="Cancel").click()


def test_what_somebody_may_is_changed_and_who_is_disabled_is_out_at_once(page: Page, another: Page) -> None:
    user(page, "eva")
    sign_in(another, home(page), "eva")
    go(page, "Users")
    page.get_by_role("button", name="Change eva").click()
    dialog = page.get_by_role("dialog", name="What may eva do?")
    dialog.get_by_role("radio", name="operator").check()
    dialog.get_by_role("radio", name="Only some").check()
    dialog.get_by_role("checkbox", name="shop").check()
    dialog.get_by_role("button", name="Change eva").click()
    expect(row(page, "Users", "eva")).to_contain_text("shop")
    another.reload()
    expect(another.get_by_role("button", name="Actions for shop")).to_be_visible()
    expect(another.get_by_role("button", name="Actions for")).to_have_count(1)
    page.get_by_role("button", name="Change eva").click()
    expect(dialog.get_by_role("checkbox", name="shop")).to_be_checked()
    dialog.get_by_role("checkbox", name="May sign in").uncheck()
    dialog.get_by_role("button", name="Change eva").click()
    expect(row(page, "Users", "eva")).to_contain_text("disabled")
    expect(another.get_by_role("button", name="Sign in")).to_be_visible()


def test_who_changes_what_somebody_else_has_changed_meanwhile_is_told_first(page: Page) -> None:
    user(page, "ida")
    go(page, "Users")
    page.get_by_role("button", name="Change ida").click()
    dialog = page.get_by_role("dialog", name="What may ida do?")
    dialog.get_by_role("radio", name="administrator").check()
    ask(page, "PATCH", "/users/ida", {"values": {"role": "operator", "groups": ["shop"]}})
    dialog.get_by_role("button", name="Change ida").click()
    expect(dialog.get_by_role("alert")).to_contain_text("it is an operator for shop now. Nothing of yours was set")
    expect(row(page, "Users", "ida")).to_contain_text("operator")
    dialog.get_by_role("button", name="Change ida").click()
    expect(page.get_by_role("log")).to_contain_text("ida is an administrator: done")


def test_another_password_lets_in_and_the_old_one_does_not(page: Page, another: Page) -> None:
    user(page, "paul")
    go(page, "Users")
    page.get_by_role("button", name="Password of paul").click()
    dialog = page.get_by_role("dialog", name="Another password for paul")
    type_password(dialog, OTHER, OTHER)
    dialog.get_by_role("button", name="Set the password of paul").click()
    expect(page.get_by_role("log")).to_contain_text("paul has another password: done")
    another.goto(home(page))
    fill_in(another, "paul", PASSWORD)
    expect(another.get_by_role("alert")).to_have_text("the name or the password is wrong")
    fill_in(another, "paul", OTHER)
    expect(another.locator(".live")).to_contain_text("live")


def test_everybody_changes_their_own_password_who_knows_the_present_one(page: Page, another: Page) -> None:
    user(page, "lisa")
    sign_in(another, home(page), "lisa")
    another.get_by_role("link", name="lisa").click()
    another.get_by_role("button", name="Change your password").click()
    dialog = another.get_by_role("dialog", name="Change your password")
    dialog.get_by_label("Present password").fill("wrong horse")
    type_password(dialog, OTHER, OTHER)
    dialog.get_by_role("button", name="Change your password").click()
    expect(dialog.get_by_role("alert")).to_have_text("the present password is another one")
    dialog.get_by_label("Present password").fill(PASSWORD)
    dialog.get_by_role("button", name="Change your password").click()
    expect(another.get_by_role("log")).to_contain_text("you have another password: done")
    another.get_by_role("button", name="Sign out").click()
    fill_in(another, "lisa", OTHER)
    expect(another.locator(".live")).to_contain_text("live")


def test_who_is_removed_is_out_and_cannot_come_back(page: Page, another: Page) -> None:
    user(page, "rudi")
    sign_in(another, home(page), "rudi")
    go(page, "Users")
    page.get_by_role("button", name="Remove rudi").click()
    page.get_by_role("dialog", name="Remove rudi?").get_by_role("button", name="Remove rudi").click()
    expect(row(page, "Users", "rudi")).to_have_count(0)
    expect(page.get_by_role("log")).to_contain_text("rudi is deleted, and signed out everywhere")
    expect(another.get_by_role("button", name="Sign in")).to_be_visible()
    fill_in(another, "rudi", PASSWORD)
    expect(another.get_by_role("alert")).to_have_text("the name or the password is wrong")


def test_what_somebody_else_does_is_on_the_page_without_a_reload(page: Page, console: PlayedConsole) -> None:
    go(page, "Users")
    expect(row(page, "Users", "vera")).to_be_visible()
    console.command(f"admin n2 user.create name=nina role=viewer password={PASSWORD}")
    expect(row(page, "Users", "nina")).to_contain_text("viewer")
    console.command("admin n2 user.delete name=nina")
    expect(row(page, "Users", "nina")).to_have_count(0)


def test_a_token_is_shown_once_copied_used_and_revoked(page: Page, console: PlayedConsole) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    go(page, "API tokens")
    page.get_by_role("button", name="Make a token").click()
    dialog = page.get_by_role("dialog", name="Make an API token")
    dialog.get_by_label("Name").fill("nightly")
    dialog.get_by_label("Good for").select_option("30 days")
    dialog.get_by_role("button", name="Make the token").click()
    made = page.get_by_role("dialog", name="The token nightly")
    word = made.get_by_label("The token").inner_text()
    assert word.startswith("outlast-api-")
    made.get_by_role("button", name="Copy").click()
    expect(made.get_by_role("status")).to_have_text("copied")
    assert page.evaluate("navigator.clipboard.readText()") == word
    made.get_by_role("button", name="I have kept it").click()
    expect(row(page, "API tokens", "nightly")).to_contain_text("anna by way of n1")
    assert word not in page.content()
    (told,) = [one for one in _list(ask(page, "GET", "/api-tokens")) if one["name"] == "nightly"]
    assert told["until_s"] - told["made_at_s"] == 30 * 86400

    status = (
        "word => fetch('/api/v1/status', { headers: { Authorization: `Bearer ${word}` } }).then((one) => one.status)"
    )
    assert page.evaluate(status, word) == 200
    page.get_by_role("button", name="Revoke nightly").click()
    page.get_by_role("dialog", name="Revoke nightly?").get_by_role("button", name="Revoke nightly").click()
    expect(row(page, "API tokens", "nightly")).to_have_count(0)
    assert page.evaluate(status, word) == 401


def _list(answer: object) -> list[dict[str, Any]]:
    assert isinstance(answer, list)
    return answer


def test_how_long_a_token_is_good_is_judged_by_the_cluster(page: Page) -> None:
    go(page, "API tokens")
    page.get_by_role("button", name="Make a token").click()
    dialog = page.get_by_role("dialog", name="Make an API token")
    dialog.get_by_label("Name").fill("endless")
    dialog.get_by_label("Good for").select_option("another number of days")
    for wrong, words in (("soon", "lifetime_s: expected a number"), ("-3", "lifetime_s: expected a number >= 0")):
        dialog.get_by_label("Days").fill(wrong)
        dialog.get_by_role("button", name="Make the token").click()
        expect(dialog.get_by_role("alert")).to_contain_text(words)
    dialog.get_by_label("Good for").select_option("until it is revoked")
    dialog.get_by_role("button", name="Make the token").click()
    page.get_by_role("button", name="I have kept it").click()
    expect(row(page, "API tokens", "endless")).to_contain_text("it is revoked")
    ask(page, "DELETE", "/api-tokens/endless")


def test_the_audit_log_tells_who_did_what_from_where_and_how_it_ended(page: Page) -> None:
    user(page, "rosa", "operator")
    page.evaluate(f"({ASK})(['POST', '/groups/web3/move', {{ to: 'n9' }}]).catch(() => {{}})")
    go(page, "Audit log")
    log = page.get_by_role("table", name="Audit log")
    refused = log.locator("tbody tr", has_text="to=n9").first
    for words in (NAME, "127.0.0.1", "n1", "group.move", "name=web3", 'there is no node "n9"'):
        expect(refused).to_contain_text(words)
    made = log.locator("tbody tr", has_text="name=rosa").first
    expect(made).to_contain_text("password=(hidden)")
    expect(made).to_contain_text("done")
    assert PASSWORD not in page.content()


def test_the_audit_log_is_filtered_by_person_verb_and_result(page: Page, console: PlayedConsole, another: Page) -> None:
    user(page, "jane", "operator")
    sign_in(another, home(page), "jane")
    ask(another, "POST", "/groups/old/lock", {"why": "jane has her reasons"})
    another.evaluate(f"({ASK})(['POST', '/groups/old/move', {{ to: 'n8' }}]).catch(() => {{}})")
    go(page, "Audit log")
    rows = page.get_by_role("table", name="Audit log").locator("tbody tr")
    expect(rows.filter(has_text="to=n8")).to_have_count(1)
    page.get_by_label("Who").fill("jane")
    expect(rows).to_have_count(3)
    page.get_by_label("What begins with").fill("group.")
    expect(rows).to_have_count(2)
    page.get_by_label("Result").select_option("not done")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("n8")
    page.get_by_label("Who").fill("jan")
    expect(page.get_by_text("Nothing like that is kept.")).to_be_visible()
    page.get_by_role("button", name="Show all").click()
    expect(rows.filter(has_text="name=jane role=operator")).to_have_count(1)
    page.get_by_role("button", name="jane", exact=True).first.click()
    expect(page.get_by_label("Who")).to_have_value("jane")
    expect(rows).to_have_count(3)


def test_older_entries_of_the_audit_log_come_page_by_page_and_new_ones_by_themselves(page: Page) -> None:
    page.evaluate(LOCKED, 110)
    go(page, "Audit log")
    rows = page.get_by_role("table", name="Audit log").locator("tbody tr")
    expect(rows).to_have_count(100)
    expect(rows.first).to_contain_text("no 109")
    page.get_by_role("button", name="Show older ones").click()
    expect(rows.filter(has_text="why=no ")).to_have_count(110)
    ask(page, "POST", "/groups/old/lock", {"why": "the latest"})
    expect(rows.first).to_contain_text("the latest")
    expect(rows.filter(has_text="why=no ")).to_have_count(110)
    ask(page, "POST", "/groups/old/unlock")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_no_dialog_keeps_anybody_out(page: Page, theme: str) -> None:
    axe = Axe()
    page.evaluate("theme => { document.documentElement.dataset.theme = theme; }", theme)

    def judge(what: str) -> None:
        found = axe.run(page, options={"runOnly": ["wcag2a", "wcag2aa", "best-practice"]})
        told = [(one["id"], [node["html"] for node in one["nodes"]]) for one in found.response["violations"]]
        assert told == [], what
        page.keyboard.press("Escape")

    go(page, "Users")
    page.get_by_role("button", name="Make a user").click()
    page.get_by_role("radio", name="operator").check()
    page.get_by_role("radio", name="Only some").check()
    judge("a user")
    page.get_by_role("button", name="Password of vera").click()
    judge("a password")
    go(page, "API tokens")
    page.get_by_role("button", name="Make a token").click()
    judge("a token")
    go(page, "Settings")
    change_setting(page, "watchdog_strength")
    judge("several values")
    change_setting(page, "most_voters").get_by_label("most_voters").fill("8")
    judge("a number")


def test_on_a_phone_the_way_to_every_page_is_in_reach_wherever_one_has_scrolled(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    open_by_hand(page, "settings")
    row(page, "Database", "backups_kept").scroll_into_view_if_needed()
    page.get_by_role("button", name="Menu").click()
    link = page.get_by_role("navigation", name="Pages").get_by_role("link", name="Your account")
    expect(link).to_be_in_viewport()
    link.click()
    expect(page.get_by_role("heading", name="Your account")).to_be_visible()
