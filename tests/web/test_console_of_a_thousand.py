"""The console of a cluster of 1,000 VMs: it is there soon, and no more of it is made than can be seen."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from played_console import free_port
from playwright.sync_api import Page, expect

from browser import browser, page_of, sign_in
from fake_service import FakeService, Result, Unending
from outlast.adapters.web_certificate import FileWebCertificate
from outlast.model.answers import ClusterStatus, GroupRow, NodeRow, VmRow

pytest_plugins = ("web_fixtures",)
VMS, NODES = 1000, 8
WITHIN_S = 2.0
"""From the address that is opened to the rows that are seen."""
MOST_ROWS = 100


def node(number: int) -> NodeRow:
    return NodeRow(
        f"n{number}", "up", "", f"192.0.2.{number}", number == 1, "1", VMS // NODES, ("fence",), 0.0, "", False, "",
        {"vm": ""}, 0.1, memory_mib=1_000_000, memory_used_mib=256_000,
    )  # fmt: skip


def group(number: int) -> GroupRow:
    why = "waits for its turn: others start first" if number % 50 == 0 else ""
    name, owner = f"vm{number:04}", f"n{number % NODES + 1}"
    return GroupRow(
        name, "online pending" if why else "online", why, owner, "online", "anna", 1, "", True, (), (), (), (), 2,
        21600.0, (name,), not why,
    )  # fmt: skip


def vm(row: GroupRow) -> VmRow:
    return VmRow(row.name, row.state, row.why, row.owner, "online", True, (), row.name, 2048, 2, row.name)


@pytest.fixture
def large(fake: FakeService) -> dict[str, Any]:
    groups = tuple(group(number) for number in range(VMS))
    nodes = tuple(node(number) for number in range(1, NODES + 1))
    status = ClusterStatus("large", "n1", "n1", 1, 5.0, 1, "", 0.0, nodes, groups, tuple(map(vm, groups)))
    told: dict[str, Any] = msgspec.to_builtins(status)
    fake.answers["status"] = Result(told)
    fake.answers["follow"] = Unending([told])
    fake.answers["events"] = Result([])
    fake.answers["events.follow"] = Unending()
    fake.answers["web.nodes"] = Result({"me": "n1", "addresses": {"n1": ""}})
    return told


@pytest.fixture
def page(fake: FakeService, tmp_path: Path, large: dict[str, Any]) -> Iterator[Page]:
    maker = FileWebCertificate(tmp_path)
    maker.renew(*maker.create_authority("large", "id"), ("localhost",))
    config = tmp_path / "web.toml"
    port = free_port()
    config.write_text(f'address = "127.0.0.1"\nport = {port}\nrun_dir = "{tmp_path}"\n')
    fake.answers["web.certificate"] = Result(None)
    command = [sys.executable, "-m", "outlast.web.main", "--config", str(config)]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as serving:
        assert serving.stderr is not None
        try:
            while b"serves" not in serving.stderr.readline():
                assert serving.poll() is None
            with browser() as running, page_of(running) as made:
                sign_in(made, f"https://localhost:{port}/")
                yield made
        finally:
            serving.kill()


def test_a_thousand_vms_are_seen_within_two_seconds(page: Page) -> None:
    page.reload()
    expect(page.locator('[data-role="vm0000"]')).to_be_visible()
    # By the browser's own clock, since the reload began: the test itself may be slow.
    seen_s = page.evaluate("performance.getEntriesByName('cluster-shown')[0].startTime") / 1000
    print(f"1,000 VMs seen after {seen_s:.2f} s")
    assert seen_s < WITHIN_S
    assert page.locator("[data-role]").count() < MOST_ROWS


def test_each_of_them_is_found_by_scrolling_and_none_is_made_that_is_not_seen(page: Page) -> None:
    scrolled = """async () => {
        const frames = [];
        let last = performance.now();
        for (let at = 0; at < document.documentElement.scrollHeight; at += 400) {
            window.scrollTo(0, at);
            await new Promise(requestAnimationFrame);
            frames.push(performance.now() - last);
            last = performance.now();
        }
        return { frames: frames.sort((a, b) => a - b), rows: document.querySelectorAll("[data-role]").length };
    }"""
    found = page.evaluate(scrolled)
    frames = found["frames"]
    print(f"{len(frames)} frames: median {frames[len(frames) // 2]:.0f} ms, longest {frames[-1]:.0f} ms")
    expect(page.locator('[data-role="vm0999"]')).to_be_visible()
    assert found["rows"] < MOST_ROWS


def test_those_that_need_attention_are_picked_out(page: Page) -> None:
    page.get_by_role("button", name="Need attention 20").click()
    expect(page.locator("[data-role]")).to_have_count(20)
    expect(page.locator('[data-role="vm0950"]')).to_contain_text("waits for its turn: others start first")
    page.get_by_label("Filter by name").fill("vm09")
    expect(page.locator("[data-role]")).to_have_count(2)
