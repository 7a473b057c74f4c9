"""outlast vm import: the report, what the cluster is asked for and when, and how far it came when it fails."""

import json
from pathlib import Path

import healthy
import pytest

from command_line import Outlast
from fake_service import Answer, FakeService, Refusal, Result, Stream
from importing_samples import DOMAIN, SAMPLES

pytest_plugins = ("cli_fixtures",)

CONF = "name: web\nmemory: 512\nonboot: 1\nstartup: order=1,down=30\nscsi0: nfs:100/vm-100-disk-0.raw\nfrob: 1\n"
STORAGE = ("--storage", "nfs=/srv/nfs")
ONLINE: dict[str, Answer] = {
    "status": Result(healthy.status()),
    "vm.list": Result([]),
    "vm.protect": Result(healthy.report(wanted="offline")),
    "group.set": Result(healthy.group()),
    "resource.set": Result(healthy.resource()),
    "group.online": Result(healthy.group(state="online pending", settled=False)),
    "group.show": Result(healthy.group(state="offline", wanted="offline")),
    "group.wait": Stream([healthy.group()]),
}


@pytest.fixture
def conf(tmp_path: Path) -> str:
    path = tmp_path / "100.conf"
    path.write_text(CONF)
    return str(path)


@pytest.fixture
def cib(tmp_path: Path) -> tuple[str, ...]:
    """The sample, and where the definitions that it names lie."""
    options = []
    for name in ("db", "web"):
        (tmp_path / f"{name}.xml").write_text(DOMAIN.format(name))
        options += ["--disk", f"/etc/pacemaker/vm/{name}.xml={tmp_path / name}.xml"]
    return (str(SAMPLES / "cib.xml"), *options)


def test_a_vm_is_protected_while_it_is_off_then_set_then_brought_online(
    fake: FakeService, outlast: Outlast, conf: str
) -> None:
    fake.answers |= ONLINE
    ended = outlast("vm", "import", "proxmox", conf, *STORAGE)
    assert (ended.code, ended.err) == (0, "")
    assert fake.verbs() == ["vm.protect", "group.set", "group.online", "group.wait"]
    asked = fake.arguments("vm.protect")
    assert (asked["start"], asked["what_if"], asked["offline_timeout_s"]) == (False, False, 30.0)
    assert "<name>web</name>" in asked["definition"]
    assert fake.arguments("group.set") == {"name": "web", "values": {"priority": "high"}}
    assert "web is protected; it is online on n1" in ended.out


def test_the_report_names_what_was_kept_changed_and_lost(fake: FakeService, outlast: Outlast, conf: str) -> None:
    fake.answers |= ONLINE
    lines = outlast("vm", "import", "proxmox", conf, *STORAGE, "--what-if").lines()
    assert lines[1].startswith("web: ")
    assert any(line.split()[:2] == ["memory", "kept"] for line in lines)
    assert any(line.split()[:2] == ["startup", "changed"] for line in lines)
    assert any(line.split()[:2] == ["frob", "lost"] for line in lines)


def test_what_if_asks_the_nodes_and_changes_nothing(fake: FakeService, outlast: Outlast, conf: str) -> None:
    fake.answers |= ONLINE
    ended = outlast("vm", "import", "proxmox", conf, *STORAGE, "--what-if")
    assert (ended.code, fake.verbs()) == (0, ["vm.protect"])
    assert fake.arguments("vm.protect")["what_if"] is True
    assert "web would be protected, and be brought online, on the best node. Nothing was changed." in ended.out
    assert "and set: outlast group set web priority=high" in ended.out


def test_xml_only_asks_no_cluster(fake: FakeService, outlast: Outlast, conf: str) -> None:
    ended = outlast("vm", "import", "proxmox", conf, *STORAGE, "--xml-only")
    assert (ended.code, fake.asked) == (0, [])
    assert ended.out.startswith("<domain")


def test_no_start_leaves_it_off_whatever_the_source_says(fake: FakeService, outlast: Outlast, conf: str) -> None:
    fake.answers |= ONLINE
    ended = outlast("vm", "import", "proxmox", conf, *STORAGE, "--no-start", "--possible-owners", "n1,n2")
    assert ended.code == 0
    assert "group.online" not in fake.verbs()
    assert fake.arguments("vm.protect")["possible_owners"] == ["n1", "n2"]


def test_in_json_the_report_is_one_document(fake: FakeService, outlast: Outlast, conf: str) -> None:
    fake.answers |= ONLINE
    found = json.loads(outlast("vm", "import", "proxmox", conf, *STORAGE, "--what-if", "--json").out)
    assert (found["done"], found["protected"][0]["name"]) == (False, "web")
    findings = {one["what"]: one["level"] for one in found["found"]["vms"][0]["findings"]}
    assert findings["frob"] == "lost"


def test_a_refusal_by_a_node_comes_after_the_report_and_changes_nothing(
    fake: FakeService, outlast: Outlast, conf: str
) -> None:
    fake.answers |= {**ONLINE, "vm.protect": Refusal("impossible", "n2: the disk sda is not there")}
    ended = outlast("vm", "import", "proxmox", conf, *STORAGE)
    assert ended.code == 3
    assert ended.err == "outlast: n2: the disk sda is not there\n"
    assert "frob" in ended.out


def test_what_fails_half_way_says_how_far_it_came(fake: FakeService, outlast: Outlast, conf: str) -> None:
    fake.answers |= {**ONLINE, "group.set": Refusal("failed", "the database does not answer")}
    ended = outlast("vm", "import", "proxmox", conf, *STORAGE)
    assert ended.code == 1
    assert "the database does not answer. Done so far: web is protected, and off." in ended.err
    assert "group.online" not in fake.verbs()


def test_all_vms_of_a_cib_are_protected_before_any_is_set_or_started(
    fake: FakeService, outlast: Outlast, cib: tuple[str, ...]
) -> None:
    fake.answers |= ONLINE
    ended = outlast("vm", "import", "pacemaker", *cib, width=200)
    assert [verb for verb in fake.verbs() if verb == "vm.protect"] == ["vm.protect"] * 2
    assert fake.verbs().index("group.set") > fake.verbs().index("vm.protect") + 1
    assert fake.verbs().index("group.online") > fake.verbs().index("group.set")
    assert {"name": "web", "values": {"start_after": "db"}} in [one for verb, one in fake.asked if verb == "group.set"]
    assert [one["name"] for verb, one in fake.asked if verb == "group.online"] == ["db"]  # web was stopped there
    assert "outlast rule add apart different web db --hard" in ended.lines()
    assert "hunter2" not in ended.out + ended.err


IDENTITY = "64aed7d9-7e4c-4bf5-92ca-c4596c2bc38e"
RUNS = Result([healthy.vm("db", owner="n1", group="", identity=IDENTITY)])


def runs_here(cib: tuple[str, ...], *, managed: str) -> tuple[str, ...]:
    """The sample's database, with a UUID in its definition, and what the CIB says of who manages it."""
    definition = Path(cib[2].partition("=")[2])
    definition.write_text(f"<domain type='kvm'><name>db</name><uuid>{IDENTITY.upper()}</uuid></domain>")
    text = Path(cib[0]).read_text().replace('name="allow-migrate" value="true"', f'name="is-managed" value="{managed}"')
    path = definition.with_name("changed.xml")
    path.write_text(text)
    return (str(path), *cib[1:3], "--name", "vm-db")


def test_a_vm_that_pacemaker_leaves_alone_is_taken_in_as_it_runs(
    fake: FakeService, outlast: Outlast, cib: tuple[str, ...]
) -> None:
    fake.answers |= {**ONLINE, "vm.list": RUNS}
    ended = outlast("vm", "import", "pacemaker", *runs_here(cib, managed="false"))
    assert (ended.code, ended.err) == (0, "")
    asked = fake.arguments("vm.protect")
    assert (asked["name"], "definition" in asked, "start" in asked) == ("db", False, False)
    assert "group.online" not in fake.verbs()
    assert fake.arguments("group.set")["values"] == {"priority": "high", "failback": "now"}


@pytest.mark.parametrize("what_if", [(), ("--what-if",)])
def test_a_running_vm_that_pacemaker_still_manages_is_refused(
    fake: FakeService, outlast: Outlast, cib: tuple[str, ...], what_if: tuple[str, ...]
) -> None:
    fake.answers |= {**ONLINE, "vm.list": RUNS}
    ended = outlast("vm", "import", "pacemaker", *runs_here(cib, managed="true"), *what_if)
    assert ended.code == 3
    assert "pcs resource unmanage" in ended.err
    assert "vm.protect" not in fake.verbs()


def test_what_runs_on_another_node_is_left_to_the_cluster_to_refuse(
    fake: FakeService, outlast: Outlast, cib: tuple[str, ...]
) -> None:
    elsewhere = Result([healthy.vm("db", owner="n2", group="", identity=IDENTITY)])
    fake.answers |= {**ONLINE, "vm.list": elsewhere, "vm.protect": Refusal("impossible", "it runs on n2 now")}
    ended = outlast("vm", "import", "pacemaker", *runs_here(cib, managed="false"))
    assert (ended.code, ended.err) == (3, "outlast: it runs on n2 now\n")
    assert "definition" in fake.arguments("vm.protect")


def test_one_vm_of_a_cib_needs_its_own_definition_only(
    fake: FakeService, outlast: Outlast, cib: tuple[str, ...]
) -> None:
    ended = outlast("vm", "import", "pacemaker", cib[0], *cib[3:], "--name", "vm-web", "--xml-only")
    assert (ended.code, ended.out) == (0, DOMAIN.format("web"))


def test_a_definition_that_the_cib_names_and_that_is_not_there_is_wrong_input(
    fake: FakeService, outlast: Outlast
) -> None:
    ended = outlast("vm", "import", "pacemaker", str(SAMPLES / "cib.xml"), "--xml-only")
    assert ended.code == 2
    assert "cannot read the definition /etc/pacemaker/vm/db.xml" in ended.err


def test_powershell_s_utf_16_is_read(fake: FakeService, outlast: Outlast, tmp_path: Path) -> None:
    path = tmp_path / "files.json"
    path.write_bytes((SAMPLES / "files.json").read_text().encode("utf-16"))
    disks = ("--disk", "files.vhdx=/s/files.qcow2", "--disk", "scsi0:1=/s/data.raw", "--bridge", "External.20=br20")
    ended = outlast("vm", "import", "hyperv", str(path), *disks, "--xml-only")
    assert (ended.code, ended.err) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("xen", "/nowhere"), 'cannot read the format "xen"; there are: proxmox, pacemaker, hyperv'),
        (("proxmox", "/nowhere/1.conf"), "cannot read /nowhere/1.conf: No such file"),
        (("proxmox", "/"), "cannot read /: Is a directory"),
        (("hyperv", "/x/y.vmcx"), "a .vmcx file is binary"),
        (("proxmox", str(SAMPLES / "cib.xml")), 'is no "key: value"'),
        (("pacemaker", str(SAMPLES / "web.conf")), "not well-formed XML"),
        (("hyperv", str(SAMPLES / "cib.xml")), "no configuration of a Hyper-V VM"),
        (("proxmox", str(SAMPLES / "web.conf")), "--storage local-lvm=DIRECTORY"),
        (("proxmox", "x", "--storage", "nfs"), 'cannot use --storage "nfs"'),
        (("proxmox", "x", "--disk", "scsi0=relative"), 'cannot use --disk "scsi0=relative"'),
        (("proxmox", "x", "--bridge", "vmbr0="), 'cannot use --bridge "vmbr0="'),
        (("proxmox", "x", "--storage", "a=/1", "--storage", "a=/2"), "says twice where a lies"),
    ],
)
def test_wrong_input_ends_with_2_and_asks_the_cluster_nothing(
    fake: FakeService, outlast: Outlast, arguments: tuple[str, ...], words: str
) -> None:
    ended = outlast("vm", "import", *arguments)
    assert (ended.code, ended.out, fake.asked) == (2, "", [])
    assert words in ended.err
