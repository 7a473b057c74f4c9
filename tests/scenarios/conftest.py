"""Each scenario file is a test: played by the simulator with the real service code, its log compared.

`pytest tests/scenarios --rewrite` records the logs that come out; review the diff.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from outlast.sim import scenario


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--rewrite", action="store_true", help="record the logs of the scenario files")


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> "ScenarioFile | None":
    if file_path.suffix == ".txt" and file_path.parent == Path(__file__).parent:
        return ScenarioFile.from_parent(parent, path=file_path)
    return None


class ScenarioFile(pytest.File):
    def collect(self) -> Iterator["ScenarioItem"]:
        yield ScenarioItem.from_parent(self, name=self.path.stem)


class ScenarioItem(pytest.Item):
    def runtest(self) -> None:
        played = scenario.play_file(self.path)
        if self.config.getoption("--rewrite", default=False):
            self.path.write_text(played.rewritten())
        elif not played.as_expected:
            raise Differs(played.differences())
        if played.broken:
            raise Differs("\n".join(played.broken))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: object = None) -> str:
        if isinstance(excinfo.value, Differs):
            return f"{self.path}: the log is not as expected (-) but this (+):\n{excinfo.value}"
        return str(super().repr_failure(excinfo))

    def reportinfo(self) -> tuple[Path, int, str]:
        return self.path, 0, f"scenario {self.name}"


class Differs(Exception):
    """The log differs, or an invariant broke."""
