"""How soon is a change in the cluster on the page of the web console?

In a lab of three nodes of its own, on etcd, with one beacon on n1, and a page of n1 in a browser that is one more
machine on the lab's switch. Each change is made RUNS times, with pauses of all lengths between, so that no rhythm of
ours is met. A role is locked and unlocked by n2, counted from the moment in which n2 is asked; the VM is made to stand
still and to go on with virsh on n1, counted from the moment in which virsh has returned (the page may be sooner). It
ends when the browser has drawn a frame with the words in it.
`python bench/page.py`. One JSON line per figure; nothing else should run meanwhile.
"""

import json
import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

from outlast.lab import network
from outlast.lab.cluster import LabCluster
from outlast.lab.lab import Lab
from outlast.lab.layout import address_of

RUNS = 10
GOAL_S = 0.5
PAUSE_S = (0.2, 1.5)
PATIENCE_MS = 60_000
VM = "web"
NAME, PASSWORD = "bench", "correct-horse"
CHROMIUM = Path("/usr/bin/chromium")
ADDRESS = "10.77.0.200/24"
URL = "https://n1:9443/"
WATCH = """([role, words, there]) => {
    const seen = () => document.querySelector(`[data-role="${role}"]`)?.textContent.includes(words) === there;
    const now = () => (performance.timeOrigin + performance.now()) / 1000;
    window.drawn = new Promise((resolve) => {
        const watch = new MutationObserver(() => {
            if (!seen()) return;
            watch.disconnect();
            requestAnimationFrame(() => setTimeout(() => resolve(now())));
        });
        watch.observe(document.body, { subtree: true, childList: true, characterData: true });
    });
}"""
"""The page's clock is that of this machine."""


def main() -> None:
    lab = Lab(f"bench-{os.getpid()}")
    try:
        lab.up(nodes=3, database="etcd", web=True)
        cluster = LabCluster(lab)
        cluster.wait_for_members()
        cluster.wait_for_web()
        cluster.call("user.create", "n1", name=NAME, role="administrator", password=PASSWORD)
        cluster.protect("beacon", VM, preferred_owners=["n1"])
        with _page(lab) as page:
            took: dict[str, list[float]] = {}
            for number in range(RUNS + 1):  # the first is not counted
                for name, words, there, change in _changes(cluster, number):
                    time.sleep(random.uniform(*PAUSE_S))
                    seconds = _made(page, words, there, change, begins_before=not name.startswith("virsh"))
                    took.setdefault(name, []).extend([seconds] if number else [])
        for figure, times in took.items():
            _print(figure, times)
    finally:
        lab.down()


Change = Callable[[], Any]


def _changes(cluster: LabCluster, number: int) -> Iterator[tuple[str, str, bool, Change]]:
    """Its name, the words by which the page shows it, and whether they are there then. Each begins with what the one
    before it has left."""
    why = f"run {number}"
    yield "a role is locked by n2", why, True, lambda: cluster.call("group.lock", "n2", name=VM, why=why)
    yield "a role is unlocked by n2", why, False, lambda: cluster.call("group.unlock", "n2", name=VM)
    yield "virsh suspend on n1", "paused", True, lambda: cluster.lab.virsh("n1", "suspend", VM)
    yield "virsh resume on n1", "paused", False, lambda: cluster.lab.virsh("n1", "resume", VM)


def _made(page: Page, words: str, there: bool, change: Change, *, begins_before: bool) -> float:
    page.evaluate(WATCH, [VM, words, there])
    before = time.time()
    change()
    began = before if begins_before else time.time()
    drawn: float = page.evaluate("window.drawn")
    return drawn - began


@contextmanager
def _page(lab: Lab) -> Iterator[Page]:
    """The roles, of an administrator."""
    network.in_switch(lab.paths, "ip", "link", "set", "lo", "up")
    network.in_switch(lab.paths, "ip", "address", "replace", ADDRESS, "dev", "br0")
    rules = ", ".join(f"MAP {node} {address_of(node)}" for node in lab.state().nodes)
    with tempfile.TemporaryDirectory() as directory, sync_playwright() as playwright:
        script = Path(directory) / "chromium"
        script.write_text(f'#!/bin/sh\nexec nsenter --net={lab.paths.network} -- {CHROMIUM} "$@"\n')
        script.chmod(0o755)
        options = ["--no-sandbox", f"--host-resolver-rules={rules}"]  # root may have no sandbox of Chromium's
        browser = playwright.chromium.launch(executable_path=script, args=options)
        page = browser.new_context(ignore_https_errors=True).new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.goto(URL)
        page.get_by_label("Name").fill(NAME)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        page.locator(f'[data-role="{VM}"]').wait_for()
        yield page
        browser.close()


def _print(name: str, seconds: list[float]) -> None:
    line = {
        "figure": f"{name}, until it is drawn",
        "unit": "s",
        "median": round(statistics.median(seconds), 3),
        "min": round(min(seconds), 3),
        "max": round(max(seconds), 3),
        "runs": len(seconds),
        "goal": GOAL_S,
        "load_average": round(os.getloadavg()[0], 1),
    }
    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
