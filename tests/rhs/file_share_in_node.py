"""What the type `file_share` promises, with real smbd and smbclient. Run in namespaces of its own only, by
test_file_share.py: the node has 192.0.2.10 and 2001:db8::10, and users anna and bert.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from outlast.plugin import CannotStart, Condition, Health, ResourceType, Spec, TypeHost
from outlast.plugin_contract import PluginContract, RecordingHost
from outlast.resources.file_share import FileShareType
from outlast.resources.file_share.configuration import KEPT
from outlast.resources.file_share.share import FileShare

ADDRESS, IPV6 = "192.0.2.10", "2001:db8::10"
HANG_S = 60.0


def smb_processes() -> list[int]:
    """All that smbd has started, by the names of the programs: of this node, which has one share at a time."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                program = os.path.basename(os.readlink(f"/proc/{entry}/exe"))
            except OSError:
                continue  # It has ended, or is a remainder.
            if program in ("smbd", "samba-dcerpcd") or program.startswith("rpcd_"):
                found.append(int(entry))
    return found


def wait_until(happened: Callable[[], object]) -> None:
    ends_s = time.monotonic() + HANG_S
    while not happened():
        assert time.monotonic() < ends_s
        time.sleep(0.01)


class TestContract(PluginContract):
    def setup_method(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="outlast-share-"))
        (self.directory / "data" / KEPT).mkdir(parents=True)

    def teardown_method(self) -> None:
        shutil.rmtree(self.directory)

    def make_type(self, host: TypeHost) -> ResourceType:
        return FileShareType(host, self.directory / "run")

    def make_spec(self) -> Spec:
        return Spec("files", "file_share", properties={"path": str(self.directory / "data"), "address": ADDRESS})

    def runs(self, spec: Spec) -> bool:
        return bool(smb_processes())

    def kill_from_outside(self, spec: Spec) -> bool:
        while pids := smb_processes():
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        return True


class Node:
    """One node's view of the share: another directory in /run is another node, one after the other."""

    def __init__(self, directory: Path, name: str = "n1") -> None:
        self.path = directory / "data"
        self.directory = directory / name
        self.host = RecordingHost()
        self.plugin = FileShareType(self.host, self.directory)

    def open(self, **properties: object) -> FileShare:
        told = {"path": str(self.path), "address": ADDRESS, "share": "projects", **properties}
        return self.plugin.open(Spec("files", "file_share", properties=told))

    def online(self, **properties: object) -> FileShare:
        share = self.open(**properties)
        share.online(ignore)
        return share

    @property
    def configuration(self) -> Path:
        return self.directory / "files" / "smb.conf"

    def set_password(self, user: str, password: str) -> None:
        words = f"{password}\n{password}\n"
        command = ["smbpasswd", "-c", str(self.configuration), "-s", "-a", user]
        subprocess.run(command, input=words, text=True, capture_output=True, check=True)


@pytest.fixture
def place() -> Iterator[Path]:
    """Where any user may go, other than pytest's own."""
    place = Path(tempfile.mkdtemp(prefix="outlast-share-"))
    place.chmod(0o755)
    yield place
    shutil.rmtree(place)


@pytest.fixture
def node(place: Path) -> Iterator[Node]:
    node = Node(place)
    (node.path / KEPT).mkdir(parents=True, mode=0o700)
    node.path.chmod(0o1777)
    yield node
    node.open().terminate()


def ignore(_word: str) -> None:
    pass


def smbclient(does: str, *, login: str = "", address: str = ADDRESS) -> tuple[bool, str]:
    who = ["-U", login] if login else ["-N"]
    command = ["smbclient", f"//{address}/projects", *who, "-c", does]
    done = subprocess.run(command, capture_output=True, text=True, timeout=HANG_S, check=False)
    return done.returncode == 0, done.stdout + done.stderr


def refusal(share: FileShare) -> str:
    with pytest.raises(CannotStart) as refused:
        share.online(ignore)
    assert not smb_processes()
    assert share.health() == Health(Condition.OFFLINE)
    return str(refused.value)


# -- who may use it, and what stays ---------------------------------------------------------------------------------


def test_a_user_with_his_password_reads_and_writes_as_himself_and_nobody_else_does(node: Node) -> None:
    node.online()
    node.set_password("anna", "secret")
    assert smbclient("put /etc/hostname a.txt", login="anna%secret")[0]
    assert (node.path / "a.txt").read_bytes() == Path("/etc/hostname").read_bytes()
    assert (node.path / "a.txt").owner() == "anna"
    assert not smbclient("ls", login="anna%wrong")[0]
    assert not smbclient("ls")[0]


def test_passwords_and_identity_go_where_the_directory_goes(node: Node, place: Path) -> None:
    share = node.online()
    node.set_password("anna", "secret")
    share.offline(ignore, 2.0)
    share.forget()
    other = Node(place, "n2")
    other.online()
    assert smbclient("ls", login="anna%secret")[0]
    other.open().terminate()


def test_only_the_users_named_may_use_it(node: Node) -> None:
    node.online(users="bert")
    for user in ("anna", "bert"):
        node.set_password(user, "secret")
    assert not smbclient("ls", login="anna%secret")[0]
    assert smbclient("ls", login="bert%secret")[0]


def test_a_guest_is_let_in_where_that_is_wanted_and_writes_nothing_where_it_is_read_only(node: Node) -> None:
    node.online(guest="yes", read_only="yes")
    assert smbclient("ls")[0]
    assert not smbclient("put /etc/hostname a.txt")[0]
    assert not (node.path / "a.txt").exists()


def test_clients_do_not_see_what_the_server_keeps(node: Node) -> None:
    node.online(guest=True)
    told = smbclient("ls")
    assert told[0]
    assert KEPT not in told[1]
    assert not smbclient(f"cd {KEPT}")[0]
    assert not smbclient(f"get {KEPT}/private/passdb.tdb /dev/null")[0]


def test_it_is_served_over_ipv6(node: Node) -> None:
    node.online(guest=True, address=IPV6)
    assert smbclient("ls", address=IPV6)[0]
    assert not smbclient("ls", address=ADDRESS)[0], "nothing else of the node is served"


@pytest.mark.parametrize("write_through", [True, False])
def test_a_write_is_acknowledged_when_the_storage_has_it(node: Node, tmp_path: Path, write_through: bool) -> None:
    node.online(guest=True, write_through=write_through)
    main = min(smb_processes())
    trace = tmp_path / "trace"
    command = ["strace", "-f", "-e", "trace=fsync,fdatasync,pwrite64", "-p", str(main), "-o", str(trace)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as tracing:
        assert tracing.stderr is not None
        try:
            tracing.stderr.readline()  # It is attached.
            done, told = smbclient("put /etc/services s.txt")
        finally:
            tracing.terminate()
    assert done, told
    calls = [line.split(None, 1)[1] for line in trace.read_text().splitlines() if "(" in line]
    data = [call for call in calls if call.startswith("pwrite64") and "# Network services" in call]
    assert data, "the write was seen"
    after = calls[calls.index(data[0]) :]
    assert any(call.startswith(("fsync", "fdatasync")) for call in after) == write_through


# -- what is refused ------------------------------------------------------------------------------------------------


def test_without_its_storage_it_is_refused_and_nothing_is_written(node: Node) -> None:
    (node.path / KEPT).rmdir()
    assert f"{node.path} has no directory {KEPT}: its storage is not mounted on this node" in refusal(node.open())
    assert list(node.path.iterdir()) == []
    assert refusal(node.open(path="/no/such")) == "there is no directory /no/such on this node"


def test_without_its_address_it_is_refused(node: Node) -> None:
    told = refusal(node.open(address="192.0.2.99"))
    assert told.startswith("192.0.2.99 port 445 is not free on this node (Cannot assign requested address)")


def test_where_another_server_listens_it_is_refused(node: Node) -> None:
    with socket.create_server(("0.0.0.0", 445)):
        assert "(Address already in use)" in refusal(node.open())


@pytest.mark.parametrize(
    ("properties", "why"),
    [
        ({"address": "here"}, '"here" is no address'),
        ({"share": "a/b"}, '"a/b" cannot be the name of a share'),
        ({"share": "a]\n[b"}, "cannot be the name of a share"),
        ({"users": "anna; rm"}, '"anna;" is no name of a user'),
        ({"path": "relative"}, '"relative" is no path'),
        ({"guest": "perhaps"}, 'guest is yes or no, not "perhaps"'),
        ({"colour": "red"}, "unknown field `colour`"),
    ],
)
def test_properties_that_cannot_be_are_refused_in_words(node: Node, properties: dict[str, object], why: str) -> None:
    assert why in refusal(node.open(**properties))
    told = {"path": str(node.path), "address": ADDRESS, **properties}
    (problem,) = node.plugin.control("check", {"name": "files", "properties": told, "definition": ""})
    assert why in problem


# -- what becomes of it ---------------------------------------------------------------------------------------------


def test_the_end_of_its_first_process_is_reported_at_once_and_terminate_ends_the_others(node: Node) -> None:
    share = node.online(guest=True)
    with subprocess.Popen(
        ["smbclient", f"//{ADDRESS}/projects", "-N"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as client:
        wait_until(lambda: len(smb_processes()) > 3)  # One of them is the client's.
        os.kill(min(smb_processes()), signal.SIGKILL)
        health = node.host.wait_for(Condition.FAILED)
        assert health.why.startswith(("the first process of its smbd has ended", "its smbd has ended"))
        share.terminate()
        assert not smb_processes()
        client.kill()
    assert share.health() == Health(Condition.OFFLINE)


def test_what_helps_smbd_ends_with_it(node: Node) -> None:
    """Listing the shares starts programs besides smbd."""
    share = node.online(guest=True)
    listed = subprocess.run(
        ["smbclient", "-N", "-L", ADDRESS], capture_output=True, text=True, timeout=HANG_S, check=False
    )
    assert "projects" in listed.stdout
    assert any(os.readlink(f"/proc/{pid}/exe").endswith("samba-dcerpcd") for pid in smb_processes())
    share.terminate()
    assert not smb_processes()


def test_one_that_hangs_is_failed_and_something_of_it_runs(node: Node) -> None:
    share = node.online()
    pids = smb_processes()
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    assert share.health().condition is Condition.ONLINE, "cheaply it cannot be told"
    assert node.plugin.is_alive(["files"])["files"] == Health(
        Condition.FAILED, f"its smbd runs at {ADDRESS}, and it does not answer within 5 s", running=True
    )
    share.terminate()
    assert not smb_processes()


def test_lost_storage_is_failed(node: Node) -> None:
    node.online()
    (node.path / KEPT).rename(node.path / "elsewhere")
    health = node.plugin.is_alive(["files"])["files"]
    assert (health.condition, health.running) == (Condition.FAILED, True)
    assert "its storage is not mounted any more" in health.why
    (node.path / "elsewhere").rename(node.path / KEPT)


def test_when_memory_is_short_it_is_one_of_many(node: Node) -> None:
    """Whatever is true of who starts it: a cluster service is spared. (A test may only be made worse.)"""
    own = Path("/proc/self/oom_score_adj")
    before = own.read_text()
    own.write_text("500")
    try:
        node.online()
    finally:
        own.write_text(before)
    assert {Path(f"/proc/{pid}/oom_score_adj").read_text().strip() for pid in smb_processes()} == {"0"}
