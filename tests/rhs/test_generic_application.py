"""A supervised process: the contract, and what becomes of it and of what it started, with real processes."""

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from outlast.plugin import CannotStart, Condition, Health, Json, ResourceType, Spec, TypeHost
from outlast.plugin_contract import PluginContract, RecordingHost
from outlast.resources import descendants
from outlast.resources.generic_application import GenericApplicationType
from outlast.resources.generic_application.log import Log
from outlast.resources.generic_application.resource import GenericApplication
from outlast.resources.generic_application.settings import read
from outlast.resources.programs import start_time

HANG_S = 60.0
HAS_CGROUP = descendants._own_cgroup() is not None and os.geteuid() == 0
SLEEPER = "sh -c 'echo $$ >pid; exec sleep 600'"


class TestContract(PluginContract):
    def setup_method(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="outlast-application-"))

    def teardown_method(self) -> None:
        shutil.rmtree(self.directory)

    def make_type(self, host: TypeHost) -> ResourceType:
        return GenericApplicationType(host, self.directory / "records", self.directory / "logs")

    def make_spec(self) -> Spec:
        # It is online when it has written who it is, and not when a busy machine has merely begun it: an earlier one's
        # word is no word.
        check = "sh -c 'kill -0 $(cat pid)'"
        properties = {"command": SLEEPER, "working_directory": str(self.directory), "check_command": check}
        return Spec("it", "generic_application", properties=properties)

    def runs(self, spec: Spec) -> bool:
        file = self.directory / "pid"
        return file.exists() and start_time(int(file.read_text() or "0")) is not None

    def kill_from_outside(self, spec: Spec) -> bool:
        os.kill(int((self.directory / "pid").read_text()), signal.SIGKILL)
        return True


class App:
    def __init__(self, directory: Path, command: Json, **properties: Json) -> None:
        self.directory = directory
        self.host = RecordingHost()
        self.type = GenericApplicationType(self.host, directory / "records", directory / "logs")
        own: dict[str, Json] = {"command": command, "working_directory": str(directory), "settle_s": 0.1}
        self.spec = Spec("it", "generic_application", properties={**own, **properties})
        self.resource: GenericApplication = self.type.open(self.spec)

    def online(self) -> None:
        self.resource.online(lambda _: None)

    def is_alive(self) -> Health:
        return self.type.is_alive(["it"])["it"]

    def read(self, name: str) -> str:
        file = self.directory / name
        wait_until(lambda: file.exists() and file.read_text().endswith("\n"))
        return file.read_text().strip()

    def pid(self, name: str) -> int:
        return int(self.read(name))


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Callable[..., App]]:
    made: list[App] = []

    def make(command: Json = SLEEPER, **properties: Json) -> App:
        made.append(App(tmp_path, command, **properties))
        return made[-1]

    yield make
    for one in made:
        one.resource.terminate()


def wait_until(true: Callable[[], bool]) -> None:
    ends_s = time.monotonic() + HANG_S
    while not true():
        assert time.monotonic() < ends_s
        time.sleep(0.01)


# -- how it ended -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("end", "words"),
    [("exit 3", "it ended with exit code 3"), ("kill -9 $$", "it was ended by signal 9 (SIGKILL)"),
     ("exit 0", "it ended with exit code 0")],
)  # fmt: skip
def test_its_end_is_reported_at_once_with_how_it_ended(app: Callable[..., App], end: str, words: str) -> None:
    one = app(f"sh -c 'while [ ! -e end ]; do sleep 0.02; done; {end}'")
    one.online()
    (one.directory / "end").touch()
    assert one.host.wait_for(Condition.FAILED) == Health(Condition.FAILED, words, running=False)


def test_one_that_ends_while_it_starts_cannot_start_and_its_last_words_are_the_reason(app: Callable[..., App]) -> None:
    one = app("sh -c 'echo no such table >&2; exit 4'", settle_s=30)
    with pytest.raises(CannotStart, match=r"exit code 4: no such table"):
        one.online()
    assert one.resource.health() == Health(Condition.OFFLINE)


@pytest.mark.parametrize(
    ("properties", "words"),
    [
        ({"command": "no-such-program"}, "there is no program no-such-program"),
        ({"working_directory": "/no/such"}, "working directory /no/such is not there"),
        ({"user": "nobody-of-that-name"}, "there is no user nobody-of-that-name"),
        ({"comand": "sleep 1"}, "did you mean command"),
        ({"stop_signal": "TREM"}, "the name of a signal"),
        ({"env.OUTLAST_RESOURCE": "x"}, "Outlast's own"),
        ({"command": "sleep 'x"}, "No closing quotation"),
        ({"grace_s": -1}, "a number from 0"),
        ({"check_failures": 1.5}, "a whole number"),
    ],
)
def test_what_cannot_be_started_is_refused_in_words(
    app: Callable[..., App], properties: dict[str, Json], words: str
) -> None:
    one = app(**{"command": SLEEPER, **properties})
    with pytest.raises(CannotStart, match=words):
        one.online()


def test_a_signal_may_be_named_in_any_way() -> None:
    assert {read({"command": "x", "stop_signal": name}).stop_signal for name in ("INT", "SIGINT", "int", 2)} == {2}


def test_one_that_has_failed_can_be_forgotten_and_one_of_its_name_begins_anew(app: Callable[..., App]) -> None:
    one = app()
    one.online()
    with pytest.raises(RuntimeError, match="cannot forget"):
        one.resource.forget()
    os.kill(one.pid("pid"), signal.SIGKILL)
    one.host.wait_for(Condition.FAILED)
    one.resource.forget()
    assert one.type.discover() == []
    assert one.type.open(one.spec).health() == Health(Condition.OFFLINE)


# -- all that it started ------------------------------------------------------------------------------------------


def test_terminate_ends_its_children_also_those_that_left_its_session(app: Callable[..., App]) -> None:
    one = app(["sh", "-c", "setsid sh -c 'echo $$ >child; exec sleep 600' & echo $$ >pid; exec sleep 600"])
    one.online()
    pids = [one.pid("pid"), one.pid("child")]
    one.resource.terminate()
    assert [start_time(pid) for pid in pids] == [None, None]


def test_a_child_that_cleared_its_environment_ends_with_its_session(
    app: Callable[..., App], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a cgroup, neither that nor the mark finds it."""
    monkeypatch.setattr(descendants, "make_cgroup", lambda _name: "")
    one = app(["sh", "-c", "env -i sh -c 'echo $$ >child; exec sleep 600' & echo $$ >pid; exec sleep 600"])
    one.online()
    child = one.pid("child")
    one.resource.offline(lambda _: None, 5.0)
    assert start_time(child) is None


@pytest.mark.skipif(not HAS_CGROUP, reason="no cgroup (version 2) here")
def test_with_a_cgroup_nothing_escapes(app: Callable[..., App]) -> None:
    """Neither its session nor its environment tells whose child this is."""
    before = len(list(Path("/sys/fs/cgroup").glob("**/outlast-application-it-*")))
    one = app(["sh", "-c", "env -i setsid sh -c 'echo $$ >child; exec sleep 600' & echo $$ >pid; exec sleep 600"])
    one.online()
    child = one.pid("child")
    assert len(list(Path("/sys/fs/cgroup").glob("**/outlast-application-it-*"))) == before + 1
    one.resource.terminate()
    assert start_time(child) is None
    assert len(list(Path("/sys/fs/cgroup").glob("**/outlast-application-it-*"))) == before


def test_what_it_leaves_behind_when_it_ends_may_run_and_is_ended(app: Callable[..., App]) -> None:
    one = app(["sh", "-c", "setsid sh -c 'echo $$ >child; exec sleep 600' & while [ ! -e end ]; do sleep 0.02; done"])
    one.online()
    child = one.pid("child")
    (one.directory / "end").touch()
    health = one.host.wait_for(Condition.FAILED)
    assert health.running
    assert f"left sleep ({child})" in health.why
    one.resource.terminate()
    assert start_time(child) is None


# -- stopping in order --------------------------------------------------------------------------------------------

TRAPS = "sh -c 'trap \"echo {0} >stopped; exit 0\" {0}; echo $$ >pid; while :; do sleep 0.02; done'"


@pytest.fixture
def hears_interrupts() -> Iterator[None]:
    """As a resource host does: whoever starts these tests may ignore that signal, and so would all that they start."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("hears_interrupts")
def test_offline_sends_its_signal_and_waits(app: Callable[..., App]) -> None:
    one = app(TRAPS.format("INT"), stop_signal="INT")
    one.online()
    one.pid("pid")  # its trap is set
    one.resource.offline(lambda _: None, 30.0)
    assert one.read("stopped") == "INT"


def test_one_that_takes_no_notice_is_killed_after_its_grace_time(app: Callable[..., App]) -> None:
    one = app("sh -c 'trap \"\" TERM; echo $$ >pid; while :; do sleep 0.02; done'", grace_s=0.5)
    one.online()
    pid = one.pid("pid")
    began_s = time.monotonic()
    one.resource.offline(lambda _: None, 30.0)
    assert time.monotonic() - began_s < 20
    assert start_time(pid) is None


# -- as whom, with what -------------------------------------------------------------------------------------------


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody else")
def test_it_runs_as_its_user_in_its_directory_with_its_environment_and_no_more(app: Callable[..., App]) -> None:
    one = app("sh -c 'id -un; pwd; env; exec sleep 600'", user="nobody", **{"env.COLOUR": "red", "env.SIZE": 7})
    one.directory.chmod(0o755)
    os.environ["SECRET_OF_THE_HOST"] = "x"
    try:
        one.online()
    finally:
        del os.environ["SECRET_OF_THE_HOST"]
    lines = one.resource.control("log", {})
    assert lines[:2] == ["nobody", str(one.directory)]
    assert {"COLOUR=red", "SIZE=7", "USER=nobody"} <= set(lines)
    assert not any("SECRET_OF_THE_HOST" in line for line in lines)
    uid = Path(f"/proc/{one.resource.control('pid', {})}").stat().st_uid
    assert uid == pwd.getpwnam("nobody").pw_uid
    one.resource.terminate()


# -- its check ----------------------------------------------------------------------------------------------------


def test_it_is_online_when_its_check_says_so_and_failed_when_that_fails_several_times(app: Callable[..., App]) -> None:
    one = app("sh -c 'sleep 0.5; touch ready; echo $$ >pid; exec sleep 600'", check_command="test -e ready")
    one.online()
    assert (one.directory / "ready").exists()
    assert one.is_alive() == Health(Condition.ONLINE, running=True, answers=True)
    (one.directory / "ready").unlink()
    once = one.is_alive()
    assert (once.condition, once.answers) == (Condition.ONLINE, False)
    assert "its check failed" in once.why
    twice = one.is_alive()
    assert (twice.condition, twice.running) == (Condition.FAILED, True)
    (one.directory / "ready").touch()
    assert one.is_alive().condition is Condition.ONLINE


def test_a_check_that_hangs_holds_up_nobody_and_counts_as_failed(app: Callable[..., App]) -> None:
    one = app(
        check_command="sh -c '[ -e pid ] && [ ! -e hang ] || exec sleep 600'", check_timeout_s=3, check_failures=1
    )
    one.online()
    (one.directory / "hang").touch()
    began_s = time.monotonic()
    assert one.is_alive().condition is Condition.ONLINE
    assert time.monotonic() - began_s < 2.9, "the cluster service waits three seconds"
    wait_until(lambda: one.is_alive().condition is Condition.FAILED)
    assert "did not end within 3 s" in one.is_alive().why


# -- found again --------------------------------------------------------------------------------------------------

_HOST = """
import sys
import msgspec
from pathlib import Path
from outlast.plugin import Spec
from outlast.plugin_contract import RecordingHost
from outlast.resources.generic_application import GenericApplicationType
directory = Path(sys.argv[1])
spec = msgspec.json.decode(sys.argv[2], type=Spec)
GenericApplicationType(RecordingHost(), directory / "records", directory / "logs").open(spec).online(lambda _: None)
print("online", flush=True)
sys.stdin.readline()
"""


def test_what_a_killed_host_had_started_is_found_and_its_end_is_seen_at_once(app: Callable[..., App]) -> None:
    import msgspec

    one = app()
    arguments = [sys.executable, "-c", _HOST, str(one.directory), msgspec.json.encode(one.spec).decode()]
    host = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert host.stdout is not None
    assert host.stdout.readline() == "online\n"
    host.kill()
    host.wait()
    pid = one.pid("pid")
    one.resource = one.type.open(one.spec)
    assert one.is_alive() == Health(Condition.ONLINE, running=True)
    assert start_time(pid) is not None
    os.kill(pid, signal.SIGKILL)
    assert one.host.wait_for(Condition.FAILED) == Health(Condition.FAILED, "it has ended", running=False)


def test_another_process_of_the_same_number_is_not_taken_for_it(app: Callable[..., App]) -> None:
    one = app()
    one.online()
    record = one.directory / "records/it.json"
    written = record.read_text()
    one.resource.terminate()
    with subprocess.Popen(["sleep", "600"]) as stranger:
        own = str(one.pid("pid"))
        record.write_text(written.replace(f'"pid":{own},', f'"pid":{stranger.pid},'))
        again = one.type.open(one.spec)
        assert again.health() == Health(Condition.FAILED, "it has ended", running=False)
        again.terminate()
        assert stranger.poll() is None
        stranger.kill()


def test_one_whose_record_is_lost_is_found_by_its_mark_and_can_be_ended(app: Callable[..., App]) -> None:
    one = app()
    one.online()
    pid = one.pid("pid")
    (one.directory / "records/it.json").unlink()
    again = one.type.open(one.spec)
    assert again.health().condition is Condition.FAILED
    assert again.health().running
    assert [(found.name, found.running) for found in one.type.discover()] == [("it", True)]
    again.terminate()
    assert start_time(pid) is None


# -- its log ------------------------------------------------------------------------------------------------------


def test_its_log_is_bounded_and_keeps_the_last(app: Callable[..., App]) -> None:
    one = app("sh -c 'i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done; echo done >done; exec sleep 600'",
              log_kib=16)  # fmt: skip
    one.online()
    one.read("done")
    log = Log(one.directory / "logs/it.log", 16 * 1024)
    assert log.size() > 16 * 1024
    assert one.is_alive().condition is Condition.ONLINE
    assert log.size() == 0
    assert log.former.stat().st_size == 16 * 1024
    assert log.former.read_text().splitlines()[-1] == "line 19999"
