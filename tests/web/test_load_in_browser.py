"""The load of the last day in a browser, beside a simulated cluster whose nodes have kept some minutes of it."""

import re
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from played_console import PlayedConsole
from playwright.sync_api import Locator, Page, expect

from browser import go
from outlast.sim.load import CPUS, HOST_CPUS, VM_CPUS

pytest_plugins = ("console_fixtures",)

BUSY = round(100 * (HOST_CPUS + VM_CPUS) / CPUS)


@pytest.fixture(scope="module", autouse=True)
def _some_minutes(console: PlayedConsole) -> None:
    console.command("run 700")


@pytest.fixture
def graphs(page: Page) -> Page:
    go(page, "Last day")
    expect(page.get_by_role("table", name="Load of the last day")).to_be_visible()
    return page


def load_of(page: Page, node: str) -> Locator:
    return page.get_by_role("article", name=f"Load of {node}")


def asked(page: Page, query: str) -> Any:
    return page.evaluate("async (query) => (await fetch('/api/v1/load' + query)).json()", query)


def test_each_node_is_drawn_and_the_picture_says_in_words_what_it_shows(graphs: Page) -> None:
    for node in ("n1", "n2", "n3"):
        shares = load_of(graphs, node).get_by_role("img", name=f"CPU of {node} in the last day")
        expect(shares).to_have_attribute("aria-label", re.compile(r"\d+ % at the mean, \d+ % at the peak at \d\d:\d\d"))
        expect(shares.locator("path.load-mean")).to_have_count(1)
        used = load_of(graphs, node).get_by_role("img", name=f"Memory of {node} in the last day")
        expect(used).to_have_attribute("aria-label", re.compile(r"GiB at the mean, .* GiB at the peak"))
        expect(used.locator("path.load-peak")).to_have_count(1)


def test_what_is_drawn_is_what_the_api_tells(graphs: Page) -> None:
    answer = {one["node"]: one for one in asked(graphs, "?step_min=5")}
    assert sorted(answer) == ["n1", "n2", "n3"]
    assert len(answer["n1"]["steps"]) >= 2
    row = graphs.get_by_role("table", name="Load of the last day").get_by_role("row").filter(has_text="n1")
    expect(row).to_contain_text(f"{BUSY} % of {CPUS} CPUs")
    (only,) = asked(graphs, "?node=n1")
    assert (only["node"], only["step_min"]) == ("n1", 1)
    assert only["now"]["vms"] == 1, "web1"


def test_what_is_asked_of_no_node_is_refused_in_words(graphs: Page) -> None:
    assert asked(graphs, "?node=n9")["detail"].startswith('there is no node "n9"')
    assert "step_min" in asked(graphs, "?step_min=0")["detail"]


def test_the_time_before_the_first_minute_is_a_gap_and_no_rest(graphs: Page) -> None:
    shares = load_of(graphs, "n3").get_by_role("img", name="CPU of n3")
    expect(shares.locator("rect.load-gap")).to_have_count(1)
    expect(shares).to_have_attribute("aria-label", re.compile(r"; not known: before \d\d:\d\d$"))
    expect(shares.locator("title").first).to_have_text(re.compile("not known"))


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_nobody_is_kept_out_and_it_fits_on_a_phone(graphs: Page, theme: str) -> None:
    graphs.evaluate("theme => { document.documentElement.dataset.theme = theme; }", theme)
    for width in (1400, 390):
        graphs.set_viewport_size({"width": width, "height": 844})
        assert graphs.evaluate("document.documentElement.scrollWidth") <= width
        found = Axe().run(graphs, options={"runOnly": ["wcag2a", "wcag2aa", "best-practice"]})
        told = [(one["id"], [node["html"] for node in one["nodes"]]) for one in found.response["violations"]]
        assert told == [], f"{width}, {theme}"


def test_a_node_that_dies_says_why_and_what_it_told_before_stays_in_sight(graphs: Page, console: PlayedConsole) -> None:
    console.lose("n3")
    lost = load_of(graphs, "n3")
    expect(lost).to_contain_text("it is dead")
    expect(lost).to_contain_text("What is shown it told at")
    expect(lost.get_by_role("img", name="CPU of n3")).to_be_visible()
    row = graphs.get_by_role("table", name="Load of the last day").get_by_role("row").filter(has_text="n3")
    expect(row).to_contain_text("it is dead")
    expect(load_of(graphs, "n1")).not_to_contain_text("it is dead")
    console.power_on("n3")
    expect(lost).not_to_contain_text("it is dead")
    expect(lost).not_to_contain_text("What is shown it told at")
    expect(lost.get_by_role("img", name="CPU of n3")).to_be_visible()
