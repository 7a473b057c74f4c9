"""Fixtures: the console of a cluster that the simulator plays, in a browser. Each file has a cluster of its own."""

from collections.abc import Iterator

import pytest
from played_console import PlayedConsole
from playwright.sync_api import Browser, Page

from browser import NAME, PASSWORD, browser, page_of, sign_in

CLUSTER = (
    "world nodes=3 members=3 live memory=8192 cpus=8",
    "vm web1 memory=512 transfer=3 preferred=n1",
    "vm web2 memory=512 transfer=3 preferred=n2",
    "vm web3 memory=512 transfer=3 preferred=n3",
    "vm old offline",
    "group shop after=web1 preferred=n2",
    "resource shop-db in=shop type=vm memory=256",
    "resource shop-web in=shop needs=shop-db",
    "start",
    "run 20",
    f"admin n1 user.create name={NAME} role=administrator password={PASSWORD}",
    f"admin n1 user.create name=vera role=viewer password={PASSWORD}",
    f"admin n1 user.create name=olaf role=operator groups=web1, password={PASSWORD}",
)


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlayedConsole]:
    with PlayedConsole(tmp_path_factory.mktemp("played"), *CLUSTER) as running:
        yield running


@pytest.fixture(scope="module")
def chromium(console: PlayedConsole) -> Iterator[Browser]:
    with browser(console.rules()) as running:
        yield running


@pytest.fixture
def nobody(chromium: Browser) -> Iterator[Page]:
    """A page of somebody who is not signed in."""
    with page_of(chromium) as page:
        yield page


@pytest.fixture
def page(nobody: Page, console: PlayedConsole) -> Page:
    """An administrator's, on the roles."""
    sign_in(nobody, console.url("n1"))
    return nobody
