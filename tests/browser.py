"""A browser for the tests of the console: Debian's Chromium, headless; never one from elsewhere."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

CHROMIUM = Path("/usr/bin/chromium")
PATIENCE_MS = 30_000
"""It catches a hang; it measures nothing."""
NAME, PASSWORD = "anna", "correct-horse"


@contextmanager
def browser(rules: str = "", program: Path = CHROMIUM) -> Iterator[Browser]:
    """`rules`: where the names of nodes lead to, as `--host-resolver-rules` of Chromium has it. `program`: its file."""
    if not CHROMIUM.exists() and os.geteuid() != 0:
        pytest.skip(f"there is no {CHROMIUM}, and only root can install it: make install")
    expect.set_options(timeout=PATIENCE_MS)
    # Root may have no sandbox of Chromium's; what is shown here is ours.
    options = ["--no-sandbox", f"--host-resolver-rules={rules}"]
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=program, args=options)
        try:
            yield running
        finally:
            running.close()


@contextmanager
def page_of(running: Browser, width: int = 1400, height: int = 900) -> Iterator[Page]:
    """A page of a browser that knows nobody yet. Whatever it complains of on its console is a failure."""
    context = running.new_context(ignore_https_errors=True, viewport={"width": width, "height": height})
    context.set_default_timeout(PATIENCE_MS)
    complaints: list[str] = []
    page = context.new_page()
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: complaints.append(said.text) if _matters(said.type, said.text) else None)
    try:
        yield page
        assert not complaints, complaints
    finally:
        context.close()


def _matters(kind: str, text: str) -> bool:
    """That a node does not answer, or refuses, is what some of the tests are about."""
    return kind == "error" and not text.startswith("Failed to load resource")


def sign_in(page: Page, url: str, name: str = NAME, password: str = PASSWORD) -> None:
    page.goto(url)
    fill_in(page, name, password)
    expect(page.get_by_role("heading", name="Roles")).to_be_visible()
    expect(page.locator(".live")).to_contain_text("live")


def fill_in(page: Page, name: str, password: str) -> None:
    expect(
        page.get_by_role("button", name="Sign in", exact=True)
    ).to_be_enabled()  # a page that did not come whole comes again
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in", exact=True).click()


def go(page: Page, name: str) -> None:
    page.get_by_role("navigation", name="Pages").get_by_role("link", name=name).click()
