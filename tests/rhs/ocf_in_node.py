"""The contract of resource types, kept by real OCF agents on real things. Run by test_ocf.py in its own namespaces."""

import itertools
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from outlast.plugin import Condition, Json, ResourceType, Spec, TypeHost
from outlast.plugin_contract import PluginContract, RecordingHost
from outlast.resources.ocf import OcfType
from outlast.resources.ocf.type import check

NUMBERS = itertools.count(1)
APACHE = """\
ServerRoot {directory}
PidFile {directory}/apache.pid
Listen 127.0.0.1:{port}
ServerName localhost
ErrorLog {directory}/error.log
DocumentRoot {directory}
LoadModule mpm_prefork_module /usr/lib/apache2/modules/mod_mpm_prefork.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule status_module /usr/lib/apache2/modules/mod_status.so
<Location /server-status>
SetHandler server-status
</Location>
"""


class InDirectory(PluginContract):
    def setup_method(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="outlast-ocf-"))
        self.number = next(NUMBERS)

    def teardown_method(self) -> None:
        shutil.rmtree(self.directory, ignore_errors=True)

    def make_type(self, host: TypeHost) -> ResourceType:
        return OcfType(host, self.directory / "records")

    def spec(self, agent: str, **parameters: Json) -> Spec:
        properties: dict[str, Json] = {"agent": agent, **parameters}
        assert check(properties) == []
        return Spec(f"it{self.number}", "ocf", identity=f"it{self.number}", properties=properties)


class TestDummy(InDirectory):
    def make_spec(self) -> Spec:
        return self.spec("heartbeat:Dummy", state=str(self.directory / "state"))

    def runs(self, spec: Spec) -> bool:
        return (self.directory / "state").exists()

    def kill_from_outside(self, spec: Spec) -> bool:
        (self.directory / "state").unlink()
        return True


class TestSymlink(InDirectory):
    def make_spec(self) -> Spec:
        (self.directory / "target").touch()
        return self.spec("symlink", link=str(self.directory / "link"), target=str(self.directory / "target"))

    def runs(self, spec: Spec) -> bool:
        return (self.directory / "link").is_symlink()

    def kill_from_outside(self, spec: Spec) -> bool:
        (self.directory / "link").unlink()
        return True


class TestIPaddr2(InDirectory):
    def make_spec(self) -> Spec:
        return self.spec("heartbeat:IPaddr2", ip="10.99.0.7", cidr_netmask=24, nic="eth9")

    def runs(self, spec: Spec) -> bool:
        shown = subprocess.run(
            ["ip", "-4", "address", "show", "dev", "eth9"], capture_output=True, text=True, check=True
        )
        return "10.99.0.7/24" in shown.stdout

    def kill_from_outside(self, spec: Spec) -> bool:
        subprocess.run(["ip", "address", "delete", "10.99.0.7/24", "dev", "eth9"], check=True)
        return True


class TestFilesystem(InDirectory):
    def make_spec(self) -> Spec:
        for name in ("disk", "mounted"):
            (self.directory / name).mkdir(exist_ok=True)
        device, directory = str(self.directory / "disk"), str(self.directory / "mounted")
        return self.spec("Filesystem", device=device, directory=directory, fstype="none", options="bind")

    def runs(self, spec: Spec) -> bool:
        return str(self.directory / "mounted") in Path("/proc/self/mounts").read_text()

    def kill_from_outside(self, spec: Spec) -> bool:
        subprocess.run(["umount", str(self.directory / "mounted")], check=True)
        return True


class TestApache(InDirectory):
    """A daemon: it outlives the agent that started it, and its children are of its making."""

    stop_timeout_s = 20.0

    def make_spec(self) -> Spec:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self.configuration = self.directory / "apache.conf"
        self.configuration.write_text(APACHE.format(directory=self.directory, port=port))
        return self.spec(
            "heartbeat:apache",
            configfile=str(self.configuration),
            httpd="/usr/sbin/apache2",
            statusurl=f"http://127.0.0.1:{port}/server-status",
        )

    def runs(self, spec: Spec) -> bool:
        return bool(self.pids())

    def pids(self) -> list[int]:
        found = subprocess.run(
            ["pgrep", "-f", f"^/usr/sbin/apache2 .*{self.directory}"], capture_output=True, text=True
        )
        return [int(pid) for pid in found.stdout.split()]

    def kill_from_outside(self, spec: Spec) -> bool:
        while pids := self.pids():
            for pid in pids:
                os.kill(pid, signal.SIGKILL)
            time.sleep(0.01)
        return True

    def test_one_that_serves_no_more_has_failed_and_may_run(self) -> None:
        with self._opened() as (plugin, resource, spec):
            resource.online(lambda _: None)
            for pid in self.pids():
                os.kill(pid, signal.SIGSTOP)
            health = plugin.is_alive([spec.name])[spec.name]
            assert health.condition in (Condition.ONLINE, Condition.UNKNOWN)  # its monitor waits for an answer
            for pid in self.pids():
                os.kill(pid, signal.SIGCONT)
            assert self._health_that_is_not(Condition.UNKNOWN, plugin, spec).condition is Condition.ONLINE

    def test_an_agent_that_calls_it_stopped_as_it_cannot_read_its_configuration_is_not_believed(self) -> None:
        """The agent's stop succeeds and its monitor says "not running", and apache runs all the while."""
        host = RecordingLog()
        with self._opened(host) as (_, resource, spec):
            resource.online(lambda _: None)
            self.configuration.rename(self.directory / "hidden")
            resource.terminate()
            assert not self.runs(spec)
            assert any("left apache2" in line for line in host.lines)
            (self.directory / "hidden").rename(self.configuration)


class RecordingLog(RecordingHost):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def log(self, message: str) -> None:
        self.lines.append(message)
