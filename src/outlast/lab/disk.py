"""What is on a node's disk when it is new?

Its own /etc (the host's, with what makes it this node) and its own /var (nearly empty). Both lie in the lab's
directory and survive power off, as a disk does.
"""

import base64
import hashlib
import shutil
import subprocess
import sys
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from outlast.lab import layout
from outlast.lab.layout import NodePaths

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
log_level = 3
log_outputs = "3:stderr"
"""

SERVICE = """\
#!/bin/sh
exec >>/var/log/{name}.log 2>&1
exec {command}
"""

CONFIG = """\
node = "{node}"
address = "{address}"
database = "sqlite:{database}"
{watchdog}node_timeout_s = {node_timeout_s:.1f}
fence_action = "off"

[[fence]]
agent = "fence_outlast_lab"

[fence.parameters]
plug = "{node}"
path = "{power_socket}"
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


def install(
    node: NodePaths, everyone: Sequence[str], *, service: bool, watchdog: bool, kvm: bool, node_timeout_s: float
) -> None:
    node.board.mkdir(parents=True, exist_ok=True)
    node.devices.write_text("kvm" if kvm else "")
    _install_etc(node, everyone)
    _install_var(node)
    write_config(node, watchdog=watchdog, node_timeout_s=node_timeout_s)
    _install_services(node, service=service)


def write_config(node: NodePaths, *, watchdog: bool, node_timeout_s: float) -> None:
    (node.etc / "outlast").mkdir(exist_ok=True)
    _write_secrets_key(node)
    (node.etc / "outlast/outlast.toml").write_text(
        CONFIG.format(
            node=node.name,
            address=layout.address_of(node.name),
            database=node.lab.database,
            watchdog=f'watchdog = "lab:{layout.WATCHDOG_SOCKET}"\n' if watchdog else "",
            node_timeout_s=node_timeout_s,
            power_socket=layout.POWER_SOCKET,
        )
    )


def _write_secrets_key(node: NodePaths) -> None:
    """The same on all nodes of a lab, as joining a cluster would make it. A lab's secrets are none."""
    key = base64.urlsafe_b64encode(hashlib.sha256(f"a lab's secrets: {node.lab.name}".encode()).digest())
    (node.etc / "outlast/secrets.key").write_bytes(key)
    (node.etc / "outlast/secrets.key").chmod(0o600)


def _install_etc(node: NodePaths, everyone: Sequence[str]) -> None:
    etc = node.etc
    etc.mkdir(mode=0o755)
    sources = [str(entry) for entry in Path("/etc").iterdir() if entry.name not in NOT_COPIED]
    subprocess.run(["cp", "-a", "--target-directory", str(etc), *sources], check=True)
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


def _install_services(node: NodePaths, *, service: bool) -> None:
    services = {"libvirtd": "/usr/sbin/libvirtd"}
    if service:
        services["outlastd"] = f"{sys.prefix}/bin/outlastd --config {layout.CONFIG}"
    for name, command in services.items():
        directory = node.etc / "outlast-lab/services" / name
        directory.mkdir(parents=True)
        (directory / "run").write_text(SERVICE.format(name=name, command=command))
        (directory / "run").chmod(0o755)
