"""The console of a real cluster, in a browser that is one more machine on the lab's switch: real daemons, real QEMU.

What a page does is tested beside a simulated cluster (`tests/web/test_console_in_browser.py`); here it is whether all
of it holds when VMs really move and a machine that served the page is really gone, without a word.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from browser import CHROMIUM, NAME, PASSWORD, browser, fill_in, go, page_of, sign_in, trust
from lab.conftest import Labs
from outlast.adapters import pki
from outlast.lab import network
from outlast.lab.cluster import LabCluster
from outlast.lab.layout import address_of

pytestmark = pytest.mark.lab
ADDRESS = "10.77.0.200/24"
URL = "https://n1:9443/"
LONG_MS = 90_000
HOMES = {"web1": "n1", "web2": "n2"}


@pytest.fixture(scope="module")
def formed(labs: Labs) -> LabCluster:
    made = LabCluster(labs("console", nodes=3, web=True))
    made.wait_for_members()
    made.clear()
    made.call("user.create", "n1", name=NAME, role="administrator", password=PASSWORD)
    made.call("user.create", "n1", name="vera", role="viewer", password=PASSWORD)
    for name, home in HOMES.items():
        made.protect("beacon", name, preferred_owners=(home,))
    return made


@pytest.fixture
def cluster(formed: LabCluster) -> LabCluster:
    """Every node is up, and each VM on the node that it prefers, whatever the test before has left."""
    for report in formed.lab.show():
        if report.power == "off":
            formed.lab.power_on(report.name)
    formed.wait_for_members()
    formed.wait_for_web()
    formed.call("cluster.set", values={"migration_mib_s": 0})
    for row in formed.status().groups:
        if row.name not in HOMES:
            formed.call("vm.unprotect", name=row.name)
        elif row.owner != HOMES[row.name]:
            formed.call("group.move", name=row.name, to=HOMES[row.name], stop="live")
    formed.wait(lambda s: {row.name: row.owner for row in s.groups} == HOMES, "each VM is where it prefers to be")
    formed.wait_online(*HOMES)
    return formed


@pytest.fixture(scope="module")
def program(formed: LabCluster, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Chromium on the switch, where machines are reached that are not this one."""
    network.in_switch(formed.lab.paths, "ip", "link", "set", "lo", "up")
    network.in_switch(formed.lab.paths, "ip", "address", "replace", ADDRESS, "dev", "br0")
    script = tmp_path_factory.mktemp("browser") / "chromium"
    script.write_text(f'#!/bin/sh\nexec nsenter --net={formed.lab.paths.network} -- {CHROMIUM} "$@"\n')
    script.chmod(0o755)
    return script


@pytest.fixture(scope="module")
def rules(formed: LabCluster) -> str:
    """Where the names of nodes lead to."""
    return ", ".join(f"MAP {node} {address_of(node)}" for node in formed.lab.state().nodes)


@pytest.fixture(scope="module")
def chromium(program: Path, rules: str) -> Iterator[Browser]:
    with browser(rules, program) as running:
        yield running


@pytest.fixture
def nobody(chromium: Browser) -> Iterator[Page]:
    with page_of(chromium) as page:
        yield page


@pytest.fixture
def page(nobody: Page, cluster: LabCluster) -> Page:
    sign_in(nobody, URL)
    return nobody


def test_a_wrong_password_lets_nobody_in_and_a_viewer_is_offered_nothing(nobody: Page, cluster: LabCluster) -> None:
    nobody.goto(URL)
    fill_in(nobody, NAME, "wrong horse")
    expect(nobody.get_by_role("alert")).to_have_text("the name or the password is wrong")
    sign_in(nobody, URL, "vera")
    expect(nobody.locator('[data-role="web1"]')).to_contain_text("online")
    expect(nobody.get_by_role("button", name="Actions for")).to_have_count(0)
    expect(nobody.locator("[draggable=true]")).to_have_count(0)


def test_a_browser_that_has_imported_the_authority_trusts_every_node_by_its_name_and_by_its_address(
    cluster: LabCluster, chromium: Browser, program: Path, rules: str, tmp_path: Path
) -> None:
    place = f"https://{address_of('n2')}:9443/api/v1/authority"
    authority = tmp_path / "outlast.pem"
    authority.write_text(network.in_switch(cluster.lab.paths, "curl", "-sSk", place))
    assert pki.fingerprint(authority.read_text()).hex() == cluster.call("cluster.show")["web_fingerprint"]
    trust(tmp_path / "home", authority)
    with browser(rules, program, tmp_path / "home", chromium) as running, page_of(running, warned=True) as page:
        for place in ("n1", "n2", "n3", address_of("n1")):
            page.goto(f"https://{place}:9443/")
            expect(page.get_by_role("button", name="Sign in")).to_be_enabled()
        sign_in(page, URL)


def test_a_vm_that_is_dragged_onto_a_node_runs_there(page: Page, cluster: LabCluster) -> None:
    page.locator('[data-role="web1"]').drag_to(page.locator('[data-node="n3"]'))
    dialog = page.get_by_role("dialog", name="Move web1 to n3?")
    expect(dialog).to_contain_text("as it runs (live migration)")
    dialog.get_by_role("button", name="Move web1 to n3").click()
    expect(page.get_by_role("log")).to_contain_text("web1 moves to n3: done", timeout=LONG_MS)
    expect(page.locator('[data-role="web1"] .role-owner')).to_have_text("n3")
    assert cluster.running()["web1"] == ["n3"]
    page.locator('[data-role="web1"]').get_by_role("link").click()
    expect(page.locator(".explained")).to_contain_text("web1 is online on n3")
    expect(page.locator(".events")).to_contain_text("web1 was handed over to n3 as it ran")


def test_a_migration_tells_how_far_it_is_and_is_called_back(page: Page, cluster: LabCluster) -> None:
    cluster.call("cluster.set", values={"migration_mib_s": 1})
    cluster.protect("linux", "lin", preferred_owners=("n1",))
    page.get_by_role("button", name="Actions for lin").click()
    page.get_by_role("menuitem", name="Move").click()
    page.get_by_role("dialog").get_by_role("radio", name="n3").check()
    page.get_by_role("button", name="Move lin to n3").click()
    row = page.locator('[data-role="lin"]')
    expect(row.get_by_role("progressbar")).to_be_visible(timeout=LONG_MS)
    row.get_by_role("link").click()
    expect(page.locator(".transfer")).to_contain_text("Live migration from n1 to n3")
    expect(page.locator(".transfer")).to_contain_text("MiB left")
    page.get_by_role("button", name="Call back").click()
    expect(page.get_by_role("log")).to_contain_text("taken back")
    expect(page.locator(".transfer")).to_have_count(0, timeout=LONG_MS)
    cluster.call("cluster.set", values={"migration_mib_s": 0})
    cluster.wait(lambda _: cluster.running().get("lin") == ["n1"], "what had begun to arrive on n3 is gone")
    cluster.call("vm.unprotect", name="lin")


def test_the_screen_of_a_vm_is_seen_on_whichever_node_it_runs(page: Page, cluster: LabCluster) -> None:
    xml = cluster.lab.create_guest("beacon", "seen", image_lock=False)
    screen = "<graphics type='vnc' port='-1' autoport='yes' listen='127.0.0.1'/><video><model type='vga'/></video>"
    definition = xml.replace("</devices>", f"{screen}</devices>")
    cluster.call("vm.protect", "n1", definition=definition, preferred_owners=["n2"])
    cluster.wait_online("seen")
    page.locator('[data-role="seen"]').get_by_role("link").click()
    page.get_by_role("link", name="Screen").click()
    expect(page.get_by_role("button", name="Ctrl+Alt+Del")).to_be_enabled()
    painted = """() => {
        const canvas = document.querySelector(".screen canvas");
        const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        return canvas.width > 300 && data.some((value, at) => at % 4 < 3 && value > 100);
    }"""
    page.wait_for_function(painted)
    page.keyboard.press("Shift+Escape")
    expect(page.locator("#screen-back")).to_be_focused()
    cluster.call("group.move", "n1", name="seen", to="n3", stop="live")
    expect(page.get_by_text("on n3")).to_be_visible(timeout=LONG_MS)
    expect(page.get_by_role("button", name="Ctrl+Alt+Del")).to_be_enabled(timeout=LONG_MS)
    page.wait_for_function(painted)
    cluster.call("vm.unprotect", "n1", name="seen")


def test_a_node_is_drained_and_resumed(page: Page, cluster: LabCluster) -> None:
    go(page, "Nodes")
    card = page.get_by_role("article", name="n2")
    card.get_by_role("button", name="Drain").click()
    page.get_by_role("dialog").get_by_role("button", name="Drain n2").click()
    expect(card.locator(".card-head")).to_contain_text("drained", timeout=LONG_MS)
    assert cluster.owner("web2") != "n2"
    card.get_by_role("button", name="Resume").click()
    page.get_by_role("button", name="Resume, and call back what left it").click()
    expect(card.locator(".card-head")).to_contain_text("up")
    cluster.wait(lambda _: cluster.owner("web2") == "n2", "web2 is back on n2")


def test_a_page_without_a_network_says_so_and_is_live_again_with_one(page: Page, cluster: LabCluster) -> None:
    network.in_switch(cluster.lab.paths, "ip", "link", "set", "br0", "down")
    try:
        expect(page.get_by_text("No node answers; what is shown was so at")).to_be_visible()
    finally:
        network.in_switch(cluster.lab.paths, "ip", "link", "set", "br0", "up")
    expect(page.locator(".live")).to_contain_text("live, by")


def test_the_node_that_served_the_page_loses_power_and_the_page_tells_the_failover(
    page: Page, cluster: LabCluster
) -> None:
    go(page, "Roles")
    cluster.lab.power_off("n1")
    expect(page.get_by_text("n1, which served this page, did not answer")).to_be_visible()
    expect(page.locator('[data-node="n1"]')).to_contain_text("dead")
    expect(page.locator('[data-role="web1"] .role-owner')).not_to_have_text("n1")
    expect(page.locator('[data-role="web1"] .role-state')).to_contain_text("online")
    go(page, "Events")
    story = page.locator('[data-story="n1"]').first
    expect(story).to_contain_text("n1 was lost: web1 online again on")
    for step in ("seen", "proven", "decided", "started", "answered"):
        expect(story.locator(".steps li.done", has_text=step)).to_have_count(1)
