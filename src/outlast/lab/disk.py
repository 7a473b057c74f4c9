"""What is on a node's disk when it is new?

Its own /etc (the host's, with what makes it this node) and its own /var (nearly empty). Both lie in the lab's
directory and survive power off, as a disk does.
"""

import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from outlast.lab import layout, software
from outlast.lab.errors import LabError
from outlast.lab.layout import NodePaths
from outlast.lab.state import LabState

COPY_ATTEMPTS = 10

# The file descriptor limit, the key of SSL and the like are of no use in a node, and 600 links of CA certificates
# would be half of the time that a copy takes.
NOT_COPIED = ("libvirt", "ssl", "resolv.conf", "hosts", "hostname", "machine-id", "outlast")

# The answers to traps, each of them met: without the first, libvirt wants virtlogd; with security drivers or
# owner changes, two nodes fight over the marks on one shared image; cgroups are the lab's; a private /dev per
# guest and a seccomp sandbox cost time at each start and protect nothing here.
QEMU_CONF = """\
stdio_handler = "file"
security_driver = "none"
cgroup_controllers = []
remember_owner = 0
keepalive_interval = 2
keepalive_count = 3
dynamic_ownership = 0
user = "root"
group = "root"
namespaces = []
seccomp_sandbox = 0
"""

LIBVIRTD_CONF = """\
host_uuid = "{uuid}"
auth_unix_ro = "none"
auth_unix_rw = "none"
unix_sock_group = "root"
listen_tls = 0
listen_tcp = 1
auth_tcp = "none"
log_level = 3
log_outputs = "3:stderr"
"""

VAR_DIRECTORIES = (
    "cache/libvirt/qemu/capabilities",
    "lib/libvirt/images",
    "lib/outlast",
    "log/libvirt/qemu",
    "log/outlast-guests",
    "spool",
)


def files() -> Path:
    """The lab's files that are not Python."""
    return Path(str(resources.files("outlast.lab"))) / "files"


def search_path(prefix: str = sys.prefix) -> str:
    """PATH inside a node: the Outlast that runs this lab, the lab's fence agent, the host's programs."""
    system = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    return f"{prefix}/bin:/etc/outlast-lab/bin:{system}"


def install(node: NodePaths, state: LabState) -> None:
    node.board.mkdir(parents=True, exist_ok=True)
    node.devices.write_text("kvm" if state.kvm else "")
    _install_etc(node, state.machines)
    _install_var(node)
    software.install(node, state)


def _install_etc(node: NodePaths, everyone: Sequence[str]) -> None:
    etc = node.etc
    etc.mkdir(mode=0o755)
    _copy_hosts_etc(etc)
    if Path("/etc/ssl").is_dir():
        (etc / "ssl").mkdir()  # the host's is mounted here
    (etc / "resolv.conf").write_text("")
    addresses = "".join(f"{layout.address_of(name)} {name}\n" for name in everyone)
    (etc / "hosts").write_text(f"127.0.0.1 localhost\n{addresses}")
    (etc / "hostname").write_text(f"{node.name}\n")
    uuid = layout.uuid_of(node.lab.name, node.name)
    (etc / "machine-id").write_text(uuid.replace("-", "") + "\n")
    _only_files_name_hosts(etc / "nsswitch.conf")
    (etc / "libvirt").mkdir()
    (etc / "libvirt/qemu.conf").write_text(QEMU_CONF)
    (etc / "libvirt/libvirtd.conf").write_text(LIBVIRTD_CONF.format(uuid=uuid))
    programs = etc / "outlast-lab/bin"
    programs.mkdir(parents=True)
    shutil.copy(files() / "fence_outlast_lab", programs)
    (programs / "fence_outlast_lab").chmod(0o755)


def _copy_hosts_etc(etc: Path) -> None:
    """Files come and go while packages are being installed; what was there a moment later is as good."""
    for attempt in range(COPY_ATTEMPTS):
        sources = [str(entry) for entry in Path("/etc").iterdir() if entry.name not in NOT_COPIED]
        command = ["cp", "-a", "--remove-destination", "--target-directory", str(etc), *sources]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return
        time.sleep(0.1 * attempt)
    raise LabError(f"cannot copy this machine's /etc: {done.stderr.strip()}")


def _only_files_name_hosts(nsswitch: Path) -> None:
    """A resolver that waits for a name server that is not there would delay libvirt by seconds."""
    lines = nsswitch.read_text().splitlines() if nsswitch.exists() else []
    kept = [line for line in lines if not line.startswith("hosts:")]
    nsswitch.write_text("\n".join([*kept, "hosts: files"]) + "\n")


def _install_var(node: NodePaths) -> None:
    for directory in VAR_DIRECTORIES:
        (node.var / directory).mkdir(parents=True)
    (node.var / "tmp").mkdir(mode=0o1777)
    (node.var / "tmp").chmod(0o1777)
    (node.var / "run").symlink_to("/run")
    (node.var / "lock").symlink_to("/run/lock")
    (node.var / node.lab.root.relative_to("/var")).mkdir(parents=True)
    known = layout.CACHE / "qemu-capabilities"
    if known.is_dir():  # what libvirt finds out about QEMU in 1.4 s; it asks again by itself if QEMU has changed
        shutil.copytree(known, node.var / "cache/libvirt/qemu/capabilities", dirs_exist_ok=True)


def remember_qemu_capabilities(node: NodePaths) -> None:
    found = node.var / "cache/libvirt/qemu/capabilities"
    known = layout.CACHE / "qemu-capabilities"
    for file in found.glob("*.xml"):
        before = known / file.name
        if not before.exists() or before.read_bytes() != file.read_bytes():
            known.mkdir(parents=True, exist_ok=True)
            new = known / f".{file.name}.new"
            shutil.copy2(file, new)
            new.rename(before)
