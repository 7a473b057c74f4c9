"""Does a flag file keep the plugin API's promises? With the package installed beside Outlast: `pytest tests`."""

from pathlib import Path

import pytest
from outlast_flagfile import FlagFileType

from outlast.plugin import Spec, TypeHost
from outlast.plugin_contract import PluginContract


class TestFlagFile(PluginContract):
    @pytest.fixture(autouse=True)
    def in_a_directory_of_its_own(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OUTLAST_FLAGFILE_RECORDS", str(tmp_path / "records"))
        self.flag = tmp_path / "flag"

    def make_type(self, host: TypeHost) -> FlagFileType:
        return FlagFileType(host)

    def make_spec(self) -> Spec:
        return Spec("it", "flagfile", definition=str(self.flag))

    def runs(self, spec: Spec) -> bool:
        return self.flag.exists()

    def kill_from_outside(self, spec: Spec) -> bool:
        self.flag.unlink()
        return True
