"""The console while nodes die: what happens is seen at once, and the page goes on with another."""

from played_console import PlayedConsole
from playwright.sync_api import Page, expect

from browser import go

pytest_plugins = ("console_fixtures",)


def test_the_death_of_a_node_is_seen_as_it_happens_and_told_as_one_story(page: Page, console: PlayedConsole) -> None:
    strip, web3 = page.locator('[data-node="n3"]'), page.locator('[data-role="web3"]')
    expect(strip).to_contain_text("up")
    console.lose("n3")
    expect(strip).to_contain_text("dead")
    expect(web3.locator(".role-owner")).not_to_have_text("n3")
    expect(web3.locator(".role-state")).to_contain_text("online")
    go(page, "Events")
    story = page.locator('[data-story="n3"]').first
    expect(story).to_contain_text("n3 was lost: web3 online again on")
    for step in ("seen", "proven", "decided", "started", "answered"):
        expect(story.locator(".steps li.done", has_text=step)).to_have_count(1)
    story.get_by_text("1 role").click()
    expect(story.get_by_role("table", name="Roles")).to_contain_text("web3")
    go(page, "Last day")
    expect(page.get_by_role("table", name="Failures of the last day")).to_contain_text("n3 was lost")
    console.power_on("n3")
    go(page, "Roles")
    expect(strip).to_contain_text("up", timeout=60_000)  # it boots for 20 s


def test_a_role_that_fails_is_a_story_of_its_own(page: Page, console: PlayedConsole) -> None:
    go(page, "Events")
    console.command("kill vm web1")
    story = page.locator('[data-story="web1"]').first
    expect(story).to_contain_text("web1 failed, and was online again on")
    expect(story.locator(".steps li", has_text="proven")).to_have_count(0)


def test_what_is_shown_is_called_old_when_no_node_answers_and_true_again_when_one_does(
    page: Page, console: PlayedConsole
) -> None:
    for node in console.names():
        console.stop_serving(node)
    alarms = page.get_by_role("region", name="Alarms")
    expect(alarms).to_contain_text("No node answers; what is shown was so at")
    expect(page.locator(".live")).to_contain_text("not live")
    expect(page.locator('[data-role="web1"]')).to_be_visible()
    for node in console.names():
        console.serve(node)
    expect(page.locator(".live")).to_contain_text("live, by")
    expect(alarms).not_to_contain_text("No node answers")


def test_the_page_goes_on_with_another_node_when_the_one_that_served_it_dies(
    page: Page, console: PlayedConsole
) -> None:
    console.lose("n1")
    expect(page.get_by_text("n1, which served this page, did not answer: the page goes on with n")).to_be_visible()
    expect(page.locator(".live")).not_to_contain_text("n1")
    expect(page.locator('[data-node="n1"]')).to_contain_text("dead")
    # And everything can be done there, too.
    page.get_by_role("button", name="Actions for web2").click()
    page.get_by_role("menuitem", name="Lock in place").click()
    page.get_by_role("button", name="Lock web2").click()
    expect(page.locator('[data-role="web2"]')).to_contain_text("locked by anna by way of n")
    page.locator('[data-role="web2"]').get_by_role("link").click()
    expect(page.locator(".explained")).to_contain_text("web2 is online on")
