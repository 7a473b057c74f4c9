"""Fixtures: a cluster service to talk to, and a terminal of a fixed width to run commands in."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from command_line import Ended, Outlast
from fake_service import FakeService
from outlast.cli import main


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[FakeService]:
    with FakeService(tmp_path / "control.sock") as running:
        yield running


@pytest.fixture
def outlast(fake: FakeService, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Outlast:
    """Runs a command as from a shell, its output in a pipe `width` columns wide."""

    def run(*arguments: str, width: int = 120) -> Ended:
        capsys.readouterr()
        monkeypatch.setenv("COLUMNS", str(width))
        monkeypatch.setenv("TZ", "UTC")
        monkeypatch.setenv("OUTLAST_SOCKET", str(fake.path))
        code = main.run(list(arguments))
        captured = capsys.readouterr()
        return Ended(code, captured.out, captured.err)

    return run
