"""The plugin API's contract, kept by the dummy and the shared volume. (VM: tests/rhs/test_vm.py; the smallest
example: test_example.py.)"""

import os
import shutil
import signal
import tempfile
from pathlib import Path

import msgspec

from outlast.plugin import Destination, ResourceType, Spec, TypeHost
from outlast.plugin_contract import MovableContract, PluginContract
from outlast.plugin_contract_saving import SavableContract
from outlast.resources.dummy import DummyType, State
from outlast.resources.shared_volume import SharedVolumeType


class InDirectory(PluginContract):
    def setup_method(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="outlast-plugin-"))

    def teardown_method(self) -> None:
        shutil.rmtree(self.directory)


class TestDummy(InDirectory, MovableContract, SavableContract):
    def make_type(self, host: TypeHost) -> ResourceType:
        return DummyType(host)

    def make_spec(self) -> Spec:
        return Spec("it", "dummy", properties={"directory": str(self.directory)})

    def make_other(self, spec: Spec) -> tuple[Spec, Destination]:
        there = self.directory / "other"
        there.mkdir()
        return Spec("it", "dummy", properties={"directory": str(there)}), Destination("n2", str(there))

    def runs(self, spec: Spec) -> bool:
        pid = self.pid(spec)
        if not pid:
            return False
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return False
        return state not in ("Z", "T")

    def kill_from_outside(self, spec: Spec) -> bool:
        os.kill(self.pid(spec), signal.SIGKILL)
        return True

    def pid(self, spec: Spec) -> int:
        file = Path(str(spec.properties["directory"])) / "it.json"
        return msgspec.json.decode(file.read_bytes(), type=State).pid if file.exists() else 0


class TestSharedVolume(InDirectory, PluginContract):
    def make_type(self, host: TypeHost) -> ResourceType:
        return SharedVolumeType(host)

    def make_spec(self) -> Spec:
        path = self.directory / "volume"
        (path / ".outlast").mkdir(parents=True, exist_ok=True)
        (path / ".outlast" / "volume").write_text("an id\n")
        run = str(self.directory / "run")
        return Spec("it", "shared_volume", identity="an id", properties={"path": str(path), "directory": run})

    def runs(self, spec: Spec) -> bool:
        return Path(str(spec.properties["directory"]), "it.online").exists()

    def kill_from_outside(self, spec: Spec) -> bool:
        Path(str(spec.properties["directory"]), "it.online").unlink()
        return True
