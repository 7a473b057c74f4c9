"""A browser for the tests of the console: Debian's Chromium, headless; never one from elsewhere."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserType, Page, expect, sync_playwright

CHROMIUM = Path("/usr/bin/chromium")
PATIENCE_MS = 30_000
"""It catches a hang; it measures nothing."""
NAME, PASSWORD = "anna", "correct-horse"


@contextmanager
def browser(
    rules: str = "", program: Path = CHROMIUM, home: Path | None = None, beside: Browser | None = None
) -> Iterator[Browser]:
    """`rules`: where the names of nodes lead to, as `--host-resolver-rules` of Chromium has it. `program`: its file.
    `home`: of its user, with the authorities that he trusts (`trust`). `beside`: one that runs already, for playwright
    begins only once at a time."""
    if not CHROMIUM.exists() and os.geteuid() != 0:
        pytest.skip(f"there is no {CHROMIUM}, and only root can install it: make install")
    expect.set_options(timeout=PATIENCE_MS)
    # Root may have no sandbox of Chromium's; what is shown here is ours.
    options = ["--no-sandbox", f"--host-resolver-rules={rules}"]
    environment: dict[str, str | float | bool] = {**os.environ, **({"HOME": str(home)} if home else {})}
    with _chromium(beside) as kind:
        running = kind.launch(executable_path=program, args=options, env=environment)
        try:
            yield running
        finally:
            running.close()


@contextmanager
def _chromium(beside: Browser | None) -> Iterator[BrowserType]:
    if beside is not None:
        yield beside.browser_type
        return
    with sync_playwright() as playwright:
        yield playwright.chromium


@contextmanager
def page_of(running: Browser, width: int = 1400, height: int = 900, *, warned: bool = False) -> Iterator[Page]:
    """A page of a browser that knows nobody yet. Whatever it complains of on its console is a failure. `warned`: it
    opens nothing whose certificate it does not trust, as a user's browser."""
    context = running.new_context(ignore_https_errors=not warned, viewport={"width": width, "height": height})
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


def trust(home: Path, authority: Path) -> None:
    """As docs/console.md tells whoever uses Chromium on Linux."""
    if shutil.which("certutil") is None and os.geteuid() != 0:
        pytest.skip("there is no certutil, and only root can install it: make install")
    database = home / ".pki/nssdb"
    database.mkdir(parents=True)
    subprocess.run(["certutil", "-d", f"sql:{database}", "-N", "--empty-password"], check=True)
    said = ["-A", "-n", "outlast", "-t", "C,,", "-i", str(authority)]
    subprocess.run(["certutil", "-d", f"sql:{database}", *said], check=True)


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
