"""Agents that hang, lie, leave things behind: what becomes of their resources. They are shell scripts of our own."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from outlast.plugin import CannotStart, Condition, Health, Spec
from outlast.plugin_contract import RecordingHost
from outlast.resources import descendants
from outlast.resources.by_programs import resource
from outlast.resources.by_programs.resource import ProgramResource, StillThere
from outlast.resources.ocf import OcfType
from outlast.resources.programs import start_time

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="agents keep what they remember in /run: needs root")
HANG_S = 60.0
AGENT = """\
#!/bin/sh
[ "$1" != meta-data ] || {{ cat <<END
<resource-agent name="thing"><parameters><parameter name="at"><content type="string"/></parameter></parameters>
<actions><action name="start" timeout="20s"/><action name="stop" timeout="20s"/><action name="monitor" timeout="1s"/>
</actions></resource-agent>
END
exit 0; }}
at=$OCF_RESKEY_at
case $1 in
start) {start} touch $at/runs;;
stop) {stop} rm -f $at/runs;;
monitor) {monitor} [ -e $at/runs ] || exit 7;;
esac
"""


class Log(RecordingHost):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def log(self, message: str) -> None:
        self.lines.append(message)


class Thing:
    def __init__(self, directory: Path, **actions: str) -> None:
        self.directory = directory
        self.host = Log()
        (directory / "resource.d/acme").mkdir(parents=True)
        self.write(**actions)
        self.type = OcfType(self.host, directory / "records", directory)
        self.spec = Spec("it", "ocf", properties={"agent": "acme:thing", "at": str(directory)})
        self.resource: ProgramResource = self.type.open(self.spec)

    def write(self, start: str = "", stop: str = "", monitor: str = "") -> None:
        file = self.directory / "resource.d/acme/thing"
        new = file.with_suffix(".new")
        new.write_text(AGENT.format(start=start, stop=stop, monitor=monitor))
        new.chmod(0o755)
        new.rename(file)

    @property
    def runs(self) -> bool:
        return (self.directory / "runs").exists()

    def online(self) -> None:
        self.resource.online(lambda _: None)

    def is_alive(self) -> Health:
        return self.type.is_alive(["it"])["it"]

    def pid(self, name: str) -> int:
        """Of a process that the agent started and that wrote its id down."""
        file = self.directory / name
        wait_until(lambda: file.exists() and file.read_text().endswith("\n"))
        return int(file.read_text())


def wait_until(true: Callable[[], bool]) -> None:
    ends_s = time.monotonic() + HANG_S
    while not true():
        assert time.monotonic() < ends_s
        time.sleep(0.01)


def test_a_start_that_fails_gives_the_agents_reason_and_leaves_nothing(tmp_path: Path) -> None:
    thing = Thing(tmp_path, start="touch $at/runs; echo ocf-exit-reason:no disk >&2; exit 1;")
    with pytest.raises(CannotStart, match="no disk"):
        thing.online()
    assert not thing.runs
    assert thing.is_alive().condition is Condition.OFFLINE


def test_a_start_that_succeeds_and_does_not_run_is_no_start(tmp_path: Path) -> None:
    thing = Thing(tmp_path, start="exit 0;")
    with pytest.raises(CannotStart, match="its start succeeded, but then"):
        thing.online()


def test_a_failed_start_that_cannot_be_undone_is_not_said_to_have_left_nothing(tmp_path: Path) -> None:
    thing = Thing(tmp_path, start="touch $at/runs; exit 1;", stop="exit 1;")
    with pytest.raises(StillThere):
        thing.online()


def test_a_monitor_that_hangs_holds_up_nobody_and_is_a_failure_when_it_hangs_again(tmp_path: Path) -> None:
    thing = Thing(tmp_path)
    thing.online()
    thing.write(monitor="[ ! -e $at/runs ] || { echo $$ >$at/monitor; sleep 60; };")
    began_s = time.monotonic()
    first = thing.is_alive()
    assert time.monotonic() - began_s < 2.9, "the cluster service waits three seconds, and replaces the host then"
    assert first == Health(Condition.UNKNOWN, "its monitor did not end within 1 s", running=True)
    again = thing.is_alive()
    assert again.condition is Condition.FAILED
    assert again.running
    assert "2 times" in again.why
    assert start_time(thing.pid("monitor")) is None, "it was killed"
    thing.resource.terminate()
    assert not thing.runs


def test_what_a_hanging_action_had_started_is_killed_with_it(tmp_path: Path) -> None:
    thing = Thing(tmp_path)
    thing.online()
    escapes = "setsid sh -c 'echo $$ >$0/escaped; exec sleep 60' $at & sleep 60"
    thing.write(monitor=f"[ ! -e $at/runs ] || {{ {escapes}; }};")
    assert thing.is_alive().condition is Condition.UNKNOWN
    escaped = thing.pid("escaped")
    wait_until(lambda: start_time(escaped) is None)
    thing.resource.terminate()


def test_a_stop_that_succeeds_and_did_nothing_is_not_believed(tmp_path: Path) -> None:
    thing = Thing(tmp_path, stop="exit 0;")
    thing.online()
    with pytest.raises(StillThere, match="its stop succeeded, but its monitor says"):
        thing.resource.offline(lambda _: None, 5.0)
    with pytest.raises(StillThere, match="its stop succeeded, but its monitor says"):
        thing.resource.terminate()
    assert thing.is_alive().condition is Condition.ONLINE
    thing.write()
    thing.resource.terminate()


def test_a_monitor_that_calls_it_stopped_is_not_believed_while_its_process_lives(tmp_path: Path) -> None:
    """As the agents do that cannot read their configuration; nothing is started elsewhere before it was stopped."""
    thing = Thing(tmp_path, start="setsid sh -c 'echo $$ >$0/daemon; exec sleep 600' $at >/dev/null 2>&1 &")
    thing.online()
    daemon = thing.pid("daemon")
    (tmp_path / "runs").unlink()
    wait_until(lambda: thing.is_alive().condition is not Condition.ONLINE)
    found = thing.is_alive()
    assert (found.condition, found.running) == (Condition.FAILED, True)
    assert f"and sleep ({daemon}) of it runs" in found.why
    assert [one.running for one in thing.type.discover()] == [True]
    thing.resource.terminate()
    assert start_time(daemon) is None


def test_what_somebody_else_started_is_listed_while_it_is_open(tmp_path: Path) -> None:
    thing = Thing(tmp_path)
    assert thing.type.discover() == []
    (tmp_path / "runs").touch()
    assert thing.is_alive().condition is Condition.ONLINE
    assert [(found.name, found.running) for found in thing.type.discover()] == [("it", True)]
    thing.resource.terminate()
    assert not thing.runs


def test_one_that_has_failed_can_be_forgotten_and_one_of_its_name_begins_anew(tmp_path: Path) -> None:
    thing = Thing(tmp_path)
    thing.online()
    with pytest.raises(StillThere, match="cannot forget"):
        thing.resource.forget()
    (tmp_path / "runs").unlink()
    assert thing.is_alive().condition is Condition.FAILED
    thing.resource.forget()
    assert thing.type.open(thing.spec).health().condition is Condition.OFFLINE
    assert thing.type.discover() == []


def test_what_was_started_before_the_boot_is_looked_for_and_then_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    thing = Thing(tmp_path)
    monkeypatch.setattr(resource, "this_life", lambda: "the one before the power cut")
    thing.online()
    monkeypatch.undo()
    # A symbolic link outlives the boot: it must be found, and can be stopped with what it was started with.
    assert [(found.name, found.running) for found in thing.type.discover()] == [("it", True)]
    elsewhere = Spec("it", "ocf", properties={"agent": "acme:thing", "at": str(tmp_path / "elsewhere")})
    assert thing.type.open(elsewhere).health().condition is Condition.ONLINE
    (tmp_path / "runs").unlink()
    assert thing.type.open(elsewhere).health().condition is Condition.OFFLINE
    assert thing.type.discover() == []
    assert not (tmp_path / "records/it.json").exists()


def test_what_a_stop_leaves_behind_is_killed_and_told(tmp_path: Path) -> None:
    """The agent and its monitor agree that it is gone; the process that its start had started says otherwise."""
    thing = Thing(tmp_path, start="setsid sh -c 'echo $$ >$0/daemon; exec sleep 600' $at >/dev/null 2>&1 &")
    thing.online()
    daemon = thing.pid("daemon")
    thing.resource.offline(lambda _: None, 10.0)
    assert start_time(daemon) is None
    assert any("left sleep" in line for line in thing.host.lines)


def test_a_stop_that_fails_succeeds_once_what_it_had_started_is_killed(tmp_path: Path) -> None:
    thing = Thing(
        tmp_path,
        start="setsid sh -c 'echo $$ >$0/daemon; exec sleep 600' $at >/dev/null 2>&1 &",
        stop="! readlink /proc/$(cat $at/daemon)/exe || exit 1;",
    )
    thing.online()
    daemon = thing.pid("daemon")
    with pytest.raises(StillThere, match="its stop failed"):
        thing.resource.offline(lambda _: None, 5.0)
    thing.resource.terminate()
    assert start_time(daemon) is None
    assert not thing.runs


def test_a_stop_that_takes_long_goes_on_and_the_next_terminate_joins_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resource, "TERMINATE_WITHIN_S", 0.5)
    thing = Thing(tmp_path, stop="echo stop >>$at/stops; while [ ! -e $at/go ]; do sleep 0.05; done;")
    thing.online()
    for _ in range(2):
        with pytest.raises(StillThere, match="goes on"):
            thing.resource.terminate()
    assert (tmp_path / "stops").read_text() == "stop\n"
    monkeypatch.undo()
    (tmp_path / "go").touch()
    thing.resource.terminate()
    assert not thing.runs


def test_terminate_comes_through_while_a_start_hangs(tmp_path: Path) -> None:
    thing = Thing(tmp_path, start="touch $at/runs; echo $$ >$at/start; sleep 600;")
    outcome: list[BaseException] = []

    def start() -> None:
        try:
            thing.online()
        except CannotStart as error:
            outcome.append(error)

    starting = threading.Thread(target=start)
    starting.start()
    pid = thing.pid("start")
    thing.resource.terminate()
    starting.join(HANG_S)
    assert "told to stop" in str(outcome[0])
    assert start_time(pid) is None
    assert not thing.runs


def test_it_is_stopped_with_what_it_was_started_with_also_when_its_properties_were_changed(tmp_path: Path) -> None:
    thing = Thing(tmp_path)
    thing.online()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    changed = Spec("it", "ocf", properties={"agent": "acme:thing", "at": str(elsewhere)})
    again = thing.type.open(changed)
    assert again.health().condition is Condition.ONLINE
    again.offline(lambda _: None, 10.0)
    assert not thing.runs
    again.online(lambda _: None)
    assert (elsewhere / "runs").exists()
    again.terminate()


_HOST = """
import sys
from pathlib import Path
from outlast.plugin import Spec
from outlast.plugin_contract import RecordingHost
from outlast.resources.ocf import OcfType
directory = Path(sys.argv[1])
spec = Spec("it", "ocf", properties={"agent": "acme:thing", "at": str(directory)})
resource = OcfType(RecordingHost(), directory / "records", directory).open(spec)
resource.offline(print, 600.0)
"""


def test_an_action_that_a_killed_host_had_under_way_is_ended_by_the_next_one(tmp_path: Path) -> None:
    thing = Thing(tmp_path, stop="echo $$ >$at/stop; sleep 600;")
    thing.online()
    host = subprocess.Popen([sys.executable, "-c", _HOST, str(tmp_path)])
    stop = thing.pid("stop")
    host.send_signal(signal.SIGKILL)
    host.wait()
    assert start_time(stop) is not None
    again = thing.type.open(thing.spec)
    assert start_time(stop) is None
    assert again.health().condition is Condition.ONLINE
    thing.write()
    again.terminate()


def test_what_was_started_here_is_unknown_when_its_agent_is_gone_and_never_offline(tmp_path: Path) -> None:
    thing = Thing(tmp_path)
    thing.online()
    (tmp_path / "resource.d/acme/thing").unlink()
    new = OcfType(thing.host, tmp_path / "records", tmp_path)
    again = new.open(thing.spec)
    assert again.health().condition is Condition.UNKNOWN
    assert "there is no agent acme:thing" in again.health().why
    assert [found.running for found in new.discover()] == [True]
    with pytest.raises(StillThere):
        again.terminate()
    thing.write()
    again.terminate()
    assert not thing.runs


def test_a_record_that_cannot_be_read_is_no_reason_to_think_that_nothing_runs(tmp_path: Path) -> None:
    thing = Thing(tmp_path)
    thing.online()
    record = tmp_path / "records/it.json"
    whole = record.read_bytes()
    record.write_bytes(whole[:20])
    assert thing.type.open(thing.spec).health().condition is Condition.UNKNOWN
    with pytest.raises(ValueError, match="cannot be read"):
        thing.type.discover()
    record.write_bytes(whole)
    thing.type.open(thing.spec).terminate()


def test_of_one_agent_that_hangs_the_others_of_the_type_notice_nothing(tmp_path: Path) -> None:
    """All of a type are asked in one call."""
    hangs = Thing(tmp_path / "hangs", monitor="[ ! -e $at/hang ] || sleep 60;")
    hangs.online()
    beside = Spec("beside", "ocf", properties={"agent": "acme:thing", "at": str(tmp_path)})
    well: ProgramResource = hangs.type.open(beside)
    well.online(lambda _: None)
    (tmp_path / "hangs/hang").touch()
    answers = hangs.type.is_alive(["it", "beside"])
    assert answers["it"].condition is Condition.UNKNOWN
    assert answers["beside"].condition is Condition.ONLINE
    (tmp_path / "hangs/hang").unlink()
    hangs.resource.terminate()
    well.terminate()


@pytest.mark.skipif(not descendants._own_cgroup(), reason="no cgroup (version 2) here")
def test_with_a_cgroup_also_a_daemon_without_the_mark_is_found(tmp_path: Path) -> None:
    """As those that write over their environment, or are started with an empty one."""
    thing = Thing(tmp_path, start="env -i setsid sh -c 'echo $$ >$0/daemon; exec sleep 600' $at >/dev/null 2>&1 &")
    thing.online()
    daemon = thing.pid("daemon")
    thing.resource.terminate()
    assert start_time(daemon) is None


def test_the_count_of_agents_is_what_the_docs_say() -> None:
    if not Path("/usr/lib/ocf/resource.d/heartbeat").is_dir():
        pytest.skip("Debian's package resource-agents is not installed")
    bench = Path(__file__).parents[2] / "bench/ocf.py"
    done = subprocess.run([sys.executable, str(bench)], capture_output=True, text=True, timeout=300, check=True)
    told = json.loads(done.stdout)
    assert told["did_not_answer"] == {}
    assert (told["in_package"], told["usable"], told["answered"]) == (141, 111, 111)
    assert len(told["left_out"]) == 30
