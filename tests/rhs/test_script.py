"""Executables in a directory: the contract, exit codes, deadlines; with real scripts in two languages."""

import os
import re
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

import pytest

from outlast.plugin import CannotStart, Condition, Health, Json, ResourceType, Spec, TypeHost
from outlast.plugin_contract import PluginContract, RecordingHost
from outlast.resources.by_programs.resource import ProgramResource, StillThere
from outlast.resources.programs import start_time
from outlast.resources.script import ScriptType
from outlast.resources.script.driver import read
from outlast.resources.script.type import check

ONLINE = """\
#!/bin/sh
[ ! -e pid ] || ! readlink /proc/$(cat pid)/exe >/dev/null || exit 0
setsid sh -c 'echo $$ >pid; exec sleep 600' >/dev/null 2>&1 </dev/null &
until [ -s pid ] && readlink /proc/$(cat pid)/exe >/dev/null; do sleep 0.01; done
"""
OFFLINE = f"""\
#!{sys.executable}
import os, pathlib, signal, time
file = pathlib.Path("pid")
while file.exists() and os.path.exists(f"/proc/{{file.read_text().strip()}}/exe"):
    try:
        os.readlink(f"/proc/{{file.read_text().strip()}}/exe")
        os.kill(int(file.read_text()), signal.SIGTERM)
    except OSError:
        break
    time.sleep(0.01)
file.unlink(missing_ok=True)
"""
IS_ALIVE = """\
#!/bin/sh
[ -e pid ] && readlink /proc/$(cat pid)/exe >/dev/null || { echo no such process; exit 2; }
"""


pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="what was started is told from boot to boot: needs root")


def write(directory: Path, **entries: str) -> None:
    directory.mkdir(exist_ok=True)
    for name, text in entries.items():
        file = directory / name.replace("_", "-")
        new = file.with_suffix(".new")
        new.write_text(text)
        new.chmod(0o755)
        new.rename(file)


class TestContract(PluginContract):
    stop_timeout_s = 10.0

    def setup_method(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="outlast-script-"))
        write(self.directory / "entries", online=ONLINE, offline=OFFLINE, is_alive=IS_ALIVE)

    def teardown_method(self) -> None:
        shutil.rmtree(self.directory)

    def make_type(self, host: TypeHost) -> ResourceType:
        return ScriptType(host, self.directory / "records")

    def make_spec(self) -> Spec:
        return Spec("it", "script", properties={"directory": str(self.directory / "entries")})

    def runs(self, spec: Spec) -> bool:
        file = self.directory / "entries/pid"
        return file.exists() and start_time(int(file.read_text() or "0")) is not None

    def kill_from_outside(self, spec: Spec) -> bool:
        os.kill(int((self.directory / "entries/pid").read_text()), signal.SIGKILL)
        return True


class Scripts:
    """A flag that is there while it is online, and what the entries do besides."""

    def __init__(self, directory: Path, properties: dict[str, Json] | None = None, **entries: str) -> None:
        self.entries = directory / "entries"
        plain = {"online": "touch runs", "offline": "rm -f runs", "is_alive": "[ -e runs ] || exit 2"}
        write(self.entries, **{name: f"#!/bin/sh\n{text}\n" for name, text in {**plain, **entries}.items()})
        self.host = RecordingHost()
        self.type = ScriptType(self.host, directory / "records")
        own: dict[str, Json] = {"directory": str(self.entries)}
        self.resource: ProgramResource = self.type.open(Spec("it", "script", properties={**own, **(properties or {})}))

    def rewrite(self, **entries: str) -> None:
        write(self.entries, **{name: f"#!/bin/sh\n{text}\n" for name, text in entries.items()})

    def online(self) -> None:
        self.resource.online(lambda _: None)

    def is_alive(self) -> Health:
        return self.type.is_alive(["it"])["it"]

    @property
    def runs(self) -> bool:
        return (self.entries / "runs").exists()


@pytest.mark.parametrize(
    ("code", "condition", "running"),
    [
        (0, Condition.ONLINE, True),
        (1, Condition.FAILED, True),
        (2, Condition.FAILED, False),
        (3, Condition.UNKNOWN, True),
        (99, Condition.UNKNOWN, True),
    ],
)
def test_what_is_alive_says_by_its_exit_code(tmp_path: Path, code: int, condition: Condition, running: bool) -> None:
    scripts = Scripts(tmp_path)
    scripts.online()
    scripts.rewrite(is_alive=f"echo a line; echo the reason >&2; exit {code}")
    found = scripts.is_alive()
    assert (found.condition, found.running) == (condition, running)
    assert found.why == ("" if code == 0 else f"the reason (exit code {code})")
    scripts.rewrite(is_alive="[ -e runs ] || exit 2")
    scripts.resource.terminate()


def test_one_that_does_not_come_online_is_taken_offline_and_its_last_line_is_the_reason(tmp_path: Path) -> None:
    scripts = Scripts(tmp_path, online="touch runs; echo no licence; exit 4")
    with pytest.raises(CannotStart, match=r"no licence \(exit code 4\)"):
        scripts.online()
    assert not scripts.runs


def test_an_entry_that_is_late_is_killed_with_all_that_it_started(tmp_path: Path) -> None:
    late = "touch runs; setsid sh -c 'echo $$ >child; exec sleep 600' & sleep 600"
    scripts = Scripts(tmp_path, {"start_timeout_s": 1.0}, online=late)
    with pytest.raises(CannotStart, match="its online did not end within 1 s"):
        scripts.online()
    assert start_time(int((scripts.entries / "child").read_text())) is None
    assert not scripts.runs


def test_terminate_is_called_where_it_is_there_and_its_word_is_checked(tmp_path: Path) -> None:
    scripts = Scripts(tmp_path, offline="sleep 600", terminate="true")
    scripts.online()
    with pytest.raises(StillThere, match="its terminate succeeded, but its is-alive says"):
        scripts.resource.terminate()
    scripts.rewrite(terminate="rm -f runs")
    scripts.resource.terminate()
    assert not scripts.runs


def test_looks_alive_is_the_cheap_question_where_it_is_there(tmp_path: Path) -> None:
    scripts = Scripts(tmp_path, looks_alive="[ -e runs ] || exit 2; touch asked")
    scripts.online()
    (scripts.entries / "asked").unlink()
    scripts.is_alive()
    assert not (scripts.entries / "asked").exists()
    scripts.type.looks_alive(["it"])
    assert (scripts.entries / "asked").exists()
    scripts.resource.terminate()


def test_a_question_that_hangs_is_answered_from_what_was_known_and_in_time(tmp_path: Path) -> None:
    scripts = Scripts(tmp_path, {"ask_timeout_s": 6.0})
    scripts.online()
    scripts.rewrite(is_alive="sleep 600")
    began_s = time.monotonic()
    assert scripts.is_alive().condition is Condition.ONLINE
    assert time.monotonic() - began_s < 2.9
    scripts.rewrite(is_alive="[ -e runs ] || exit 2")
    scripts.resource.terminate()


def test_entries_are_told_what_for_and_with_what(tmp_path: Path) -> None:
    scripts = Scripts(tmp_path, {"env.COLOUR": "red", "start_timeout_s": 7}, online="env >given; touch runs")
    scripts.online()
    given = (scripts.entries / "given").read_text().splitlines()
    assert {"OUTLAST_NAME=it", "OUTLAST_ENTRY=online", "OUTLAST_TIMEOUT_S=7", "COLOUR=red"} <= set(given)
    scripts.resource.terminate()


def test_what_is_missing_or_open_to_everybody_is_told_before_anything_runs(tmp_path: Path) -> None:
    scripts = Scripts(tmp_path)
    (scripts.entries / "offline").chmod(0o644)
    (scripts.entries / "online").chmod(0o777)
    with pytest.raises(CannotStart, match=r"no executable .*/offline; .*/online can be changed by everybody"):
        scripts.online()
    assert not scripts.runs


@pytest.mark.parametrize(
    ("properties", "words"),
    [
        ({}, "directory cannot be None"),
        ({"directory": "scripts"}, "directory cannot be"),
        ({"directory": "/x", "user": "me"}, "no property user"),
        ({"directory": "/x", "ask_timeout_s": 0}, "ask_timeout_s cannot be"),
        ({"directory": "/x", "env.1": "y"}, "no name for a variable"),
    ],
)
def test_properties_that_do_not_fit_are_refused(properties: dict[str, Json], words: str) -> None:
    assert words in check(properties)[0]
    with pytest.raises(ValueError, match=re.escape(words)):
        read(properties)
