"""Settings in the console, of the cluster, groups and resources: what they mean, and changed as they were seen."""

import pytest
from administering import ask, change_setting, open_by_hand, row
from played_console import PlayedConsole
from playwright.sync_api import Page, expect

from browser import go, sign_in

pytest_plugins = ("console_fixtures",)
KNOWS = """async (words) => {
    const { picture } = await import('/console/picture.js');
    return picture.events.some((event) => event.words.includes(words));
}"""


def test_a_setting_is_changed_by_the_keyboard_alone_and_says_what_it_means_and_what_it_was(page: Page) -> None:
    go(page, "Settings")
    expect(row(page, "Database", "backups_kept")).to_contain_text("so many of those backups each node keeps")
    page.get_by_role("button", name="Change backups_kept").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog").get_by_label("backups_kept")).to_be_focused()
    page.keyboard.press("Control+a")
    page.keyboard.type("20")
    page.keyboard.press("Enter")
    kept = row(page, "Database", "backups_kept")
    expect(kept.get_by_role("cell").first).to_contain_text("20")
    expect(kept.get_by_role("cell").nth(1)).to_have_text("14")
    expect(page.get_by_role("button", name="Change backups_kept")).to_be_focused()
    dialog = change_setting(page, "backups_kept")
    dialog.get_by_role("button", name="Take the default").click()
    dialog.get_by_role("button", name="Set backups_kept").click()
    expect(kept.get_by_role("cell").first).to_have_text("14")


def test_what_the_cluster_would_do_at_once_is_told_before_a_setting_is_set(page: Page) -> None:
    go(page, "Settings")
    dialog = change_setting(page, "balance")
    dialog.get_by_label("balance").select_option("continuous")
    expect(dialog.get_by_role("status")).to_contain_text("balancing may move")
    dialog.get_by_role("button", name="Cancel").click()
    expect(row(page, "Moves and balance", "balance").get_by_role("cell").first).to_have_text("off")


def test_a_value_that_cannot_be_is_refused_in_the_words_of_the_cluster(page: Page) -> None:
    go(page, "Settings")
    dialog = change_setting(page, "most_voters")
    dialog.get_by_label("most_voters").fill("many")
    words = 'most_voters cannot be "many": it takes a whole number from 1 to 9'
    expect(dialog.get_by_role("status")).to_have_text(words)
    dialog.get_by_role("button", name="Set most_voters").click()
    expect(dialog.get_by_role("alert")).to_have_text(words)
    dialog.get_by_role("button", name="Cancel").click()


def test_of_a_setting_that_takes_several_values_each_is_chosen(page: Page) -> None:
    go(page, "Settings")
    dialog = change_setting(page, "watchdog_strength")
    dialog.get_by_role("checkbox", name="virtual").check()
    dialog.get_by_role("button", name="Set watchdog_strength").click()
    expect(row(page, "Fencing and quarantine", "watchdog_strength")).to_contain_text("hardware,virtual,kernel")
    ask(page, "PATCH", "/cluster", {"values": {"watchdog_strength": "hardware,kernel"}})


@pytest.mark.parametrize(
    ("set_by_other", "told"),
    [
        ("most_fenced=3", "most_fenced is 3 now (it was -1)"),
        ("fence_period_s=700", "fence_period_s is 700 now (it was 600)"),
    ],
)
def test_who_is_too_late_is_told_what_the_other_has_set_and_may_insist(
    page: Page, console: PlayedConsole, set_by_other: str, told: str
) -> None:
    go(page, "Settings")
    dialog = change_setting(page, "most_fenced")
    dialog.get_by_label("most_fenced").fill("5")
    console.command(f"admin n2 cluster.set values.{set_by_other}")
    name, _, value = set_by_other.partition("=")
    behind = page.locator(f'tr[data-key="{name}"] td').first
    expect(behind).to_contain_text(value)
    page.wait_for_function(KNOWS, arg=f"{name} is {value}: ")
    set_it = dialog.get_by_role("button", name="Set most_fenced")
    set_it.click()
    expect(dialog.get_by_role("alert")).to_contain_text(told)
    expect(dialog.get_by_role("alert")).to_contain_text(f"{name} is {value}: an administrator on n2")
    assert _setting(page, name) == value
    set_it.click()
    expect(dialog).to_have_count(0)
    expect(row(page, "Fencing and quarantine", "most_fenced").get_by_role("cell").first).to_contain_text("5")
    ask(page, "PATCH", "/cluster", {"values": {"most_fenced": -1, "fence_period_s": 600}})


def _setting(page: Page, name: str) -> object:
    answer = ask(page, "GET", "/cluster/settings")
    assert isinstance(answer, list)
    return {one["name"]: one["value"] for one in answer}[name]


def test_a_setting_is_changed_at_another_node_as_it_was_seen_when_the_one_that_served_the_page_is_gone(
    page: Page, console: PlayedConsole
) -> None:
    console.stop_serving("n1")
    try:
        expect(page.get_by_text("n1, which served this page, did not answer: the page goes on with n")).to_be_visible()
        go(page, "Settings")
        dialog = change_setting(page, "vote_removal_s")
        dialog.get_by_label("vote_removal_s").fill("80")
        console.command("admin n3 cluster.set values.vote_removal_s=70")
        expect(row(page, "Database", "vote_removal_s").locator("td").first).to_contain_text("70")
        dialog.get_by_role("button", name="Set vote_removal_s").click()
        expect(dialog.get_by_role("alert")).to_contain_text("vote_removal_s is 70 now (it was 60)")
        dialog.get_by_role("button", name="Set vote_removal_s").click()
        expect(row(page, "Database", "vote_removal_s").locator("td").first).to_contain_text("80")
        ask(page, "PATCH", "/cluster", {"values": {"vote_removal_s": 60}})
    finally:
        console.serve("n1")


def test_settings_are_picked_out_by_words_and_by_not_being_as_by_default(page: Page) -> None:
    ask(page, "PATCH", "/cluster", {"values": {"events_kept": 6000}})
    go(page, "Settings")
    page.get_by_label("Filter by name or meaning").fill("quarantine")
    expect(page.locator(".settings tbody tr")).to_have_count(3)
    page.get_by_label("Filter by name or meaning").fill("")
    page.get_by_role("button", name="Not as by default").click()
    expect(row(page, "Database", "events_kept")).to_contain_text("6000")
    expect(row(page, "Database", "most_voters")).to_have_count(0)
    ask(page, "PATCH", "/cluster", {"values": {"events_kept": 5000}})


def settings_of(page: Page, group: str) -> None:
    open_by_hand(page, f"roles/{group}")
    page.get_by_text("All settings, and how to change them").click()


def test_the_settings_of_a_group_are_changed_on_its_page(page: Page) -> None:
    settings_of(page, "old")
    dialog = change_setting(page, "priority")
    dialog.get_by_label("priority").select_option("high")
    dialog.get_by_role("button", name="Set priority").click()
    expect(row(page, "Settings of old", "priority")).to_contain_text("high")
    dialog = change_setting(page, "preferred_owners")
    dialog.get_by_label("preferred_owners").fill("n2,n7")
    dialog.get_by_role("button", name="Set preferred_owners").click()
    expect(dialog.get_by_role("alert")).to_contain_text('there is no node "n7"')
    dialog.get_by_label("preferred_owners").fill("n2,n1")
    dialog.get_by_role("button", name="Set preferred_owners").click()
    expect(row(page, "Settings of old", "preferred_owners")).to_contain_text("n2,n1")


def test_the_settings_of_what_a_group_is_made_of_are_changed_there_too(page: Page) -> None:
    settings_of(page, "shop")
    table = "Settings of its resource shop-web"
    expect(row(page, table, "depends_on")).to_contain_text("shop-db")
    expect(row(page, "Settings of its resource shop-db", "memory_mib")).to_contain_text("what the VM's definition says")
    page.get_by_role("table", name=table).get_by_role("button", name="Change restart_threshold").click()
    dialog = page.get_by_role("dialog", name="Change restart_threshold?")
    dialog.get_by_label("restart_threshold").fill("3")
    dialog.get_by_role("button", name="Set restart_threshold").click()
    expect(row(page, table, "restart_threshold").get_by_role("cell").first).to_contain_text("3")
    expect(row(page, "Settings of its resource shop-db", "restart_threshold").get_by_role("cell").first).to_have_text(
        "0"
    )


def test_that_a_group_was_locked_meanwhile_is_no_conflict_about_its_settings(page: Page) -> None:
    settings_of(page, "web2")
    dialog = change_setting(page, "priority")
    dialog.get_by_label("priority").select_option("low")
    ask(page, "POST", "/groups/web2/lock", {"why": "its record is another one now"})
    dialog.get_by_role("button", name="Set priority").click()
    expect(row(page, "Settings of web2", "priority")).to_contain_text("low")
    ask(page, "POST", "/groups/web2/unlock")
    dialog = change_setting(page, "priority")
    dialog.get_by_label("priority").select_option("medium")
    ask(page, "PATCH", "/groups/web2", {"values": {"priority": "high"}})
    dialog.get_by_role("button", name="Set priority").click()
    expect(dialog.get_by_role("alert")).to_contain_text("priority is high now (it was low)")
    dialog.get_by_role("button", name="Set priority").click()
    expect(row(page, "Settings of web2", "priority").get_by_role("cell").first).to_have_text("medium")


def test_who_is_no_administrator_is_shown_no_way_to_the_settings_of_a_group(
    nobody: Page, console: PlayedConsole
) -> None:
    sign_in(nobody, console.url("n1"), "olaf")
    open_by_hand(nobody, "roles/web1")
    expect(nobody.get_by_role("button", name="Move")).to_be_visible()
    expect(nobody.get_by_text("All settings, and how to change them")).to_have_count(0)
