"""A browser that trusts the cluster's authority opens the console of every node without a warning, and goes on with
another one without asking anybody."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from played_console import PlayedConsole
from playwright.sync_api import Error, Page, expect

from browser import browser, page_of, sign_in, trust

pytest_plugins = ("console_fixtures",)


@pytest.fixture
def page(console: PlayedConsole, tmp_path: Path) -> Iterator[Page]:
    authority = tmp_path / "outlast.pem"
    authority.write_text(console.authority)
    trust(tmp_path / "home", authority)
    with browser(console.rules(), home=tmp_path / "home") as running, page_of(running, warned=True) as made:
        yield made


def test_who_trusts_the_authority_is_not_warned_and_the_page_goes_on_with_another_node(
    page: Page, console: PlayedConsole
) -> None:
    sign_in(page, console.url("n1"))
    console.lose("n1")
    expect(page.get_by_text("n1, which served this page, did not answer: the page goes on with n")).to_be_visible()
    expect(page.locator('[data-node="n1"]')).to_contain_text("dead")


def test_who_does_not_is_warned(console: PlayedConsole, tmp_path: Path) -> None:
    refused = pytest.raises(Error, match="ERR_CERT_AUTHORITY_INVALID")
    with browser(console.rules(), home=tmp_path) as running, page_of(running, warned=True) as page, refused:
        page.goto(console.url("n2"))
