"""The plugin API's contract, kept by the dummy and by the smallest example. (The VM's: tests/rhs/test_vm.py.)"""

import importlib.util
import os
import shutil
import signal
import tempfile
from pathlib import Path
from types import ModuleType

import msgspec

from outlast.plugin import ResourceType, Spec, TypeHost
from outlast.plugin_contract import PluginContract
from outlast.resources.dummy import DummyType, State

EXAMPLE = Path(__file__).parents[2] / "examples" / "flagfile" / "outlast_flagfile.py"


class InDirectory(PluginContract):
    def setup_method(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="outlast-plugin-"))

    def teardown_method(self) -> None:
        shutil.rmtree(self.directory)


class TestDummy(InDirectory):
    def make_type(self, host: TypeHost) -> ResourceType:
        return DummyType(host)

    def make_spec(self) -> Spec:
        return Spec("it", "dummy", properties={"directory": str(self.directory)})

    def runs(self, spec: Spec) -> bool:
        pid = self.pid()
        if not pid:
            return False
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return False
        return state != "Z"

    def kill_from_outside(self, spec: Spec) -> bool:
        os.kill(self.pid(), signal.SIGKILL)
        return True

    def pid(self) -> int:
        file = self.directory / "it.json"
        return msgspec.json.decode(file.read_bytes(), type=State).pid if file.exists() else 0


class TestSmallestExample(InDirectory):
    def make_type(self, host: TypeHost) -> ResourceType:
        plugin: ResourceType = example().FlagFileType(host)
        return plugin

    def make_spec(self) -> Spec:
        return Spec("it", "flagfile", definition=str(self.directory / "flag"))

    def runs(self, spec: Spec) -> bool:
        return Path(spec.definition).exists()


def example() -> ModuleType:
    spec = importlib.util.spec_from_file_location("outlast_flagfile", EXAMPLE)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
