"""What the service type promises, with a real systemd. Run by test_service.py, as a service of that systemd."""

import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from outlast.plugin import CannotStart, Condition, Health, ResourceType, Spec, TypeHost
from outlast.plugin_contract import HANG_S, PluginContract, RecordingHost
from outlast.resources.service import ServiceType
from outlast.resources.service.unit import ServiceUnit, StillThere


def systemctl(*arguments: str) -> str:
    done = subprocess.run(["systemctl", *arguments], capture_output=True, text=True, check=False, timeout=HANG_S)
    return done.stdout.strip()


def pids(unit: str) -> list[int]:
    """Of its cgroup, found without the plugin."""
    try:
        return [int(pid) for pid in Path(f"/sys/fs/cgroup/system.slice/{unit}/cgroup.procs").read_text().split()]
    except FileNotFoundError:
        return []


def wait_until(true: Callable[[], bool]) -> None:
    ends_s = time.monotonic() + HANG_S
    while not true():
        assert time.monotonic() < ends_s
        time.sleep(0.01)


class TestContract(PluginContract):
    def setup_method(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="outlast-service-"))

    def teardown_method(self) -> None:
        shutil.rmtree(self.directory)

    def make_type(self, host: TypeHost) -> ResourceType:
        return ServiceType(host, self.directory)

    def make_spec(self) -> Spec:
        return Spec("it", "service", properties={"unit": "shop"})

    def runs(self, spec: Spec) -> bool:
        return bool(pids("shop.service"))

    def kill_from_outside(self, spec: Spec) -> bool:
        for pid in pids("shop.service"):
            os.kill(pid, signal.SIGKILL)
        return True


class Service:
    def __init__(self, directory: Path, unit: str) -> None:
        self.host = RecordingHost()
        self.type = ServiceType(self.host, directory)
        self.unit = f"{unit}.service"
        self.resource: ServiceUnit = self.type.open(Spec("it", "service", properties={"unit": unit}))

    def online(self) -> None:
        self.resource.online(lambda _: None)

    def is_alive(self) -> Health:
        return self.type.is_alive(["it"])["it"]


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Callable[[str], Service]]:
    made: list[Service] = []

    def make(unit: str) -> Service:
        made.append(Service(tmp_path, unit))
        return made[-1]

    yield make
    for one in made:
        one.resource.terminate()
        one.type.close()


@pytest.mark.parametrize(("code", "words"), [("3", "exit code 3 (systemd: exit-code)"), ("0", "exit code 0")])
def test_its_end_is_reported_at_once_with_systemds_reason(
    service: Callable[[str], Service], code: str, words: str
) -> None:
    one = service("ends")
    Path("/run/end").unlink(missing_ok=True)
    one.online()
    Path("/run/end").write_text(code)
    found = one.host.wait_for(Condition.FAILED)
    assert found == Health(Condition.FAILED, f"it ended with {words}", running=False)
    Path("/run/end").unlink()


def test_one_that_has_failed_can_be_forgotten(service: Callable[[str], Service]) -> None:
    one = service("shop")
    one.online()
    with pytest.raises(StillThere, match="cannot forget"):
        one.resource.forget()
    os.kill(pids(one.unit)[0], signal.SIGKILL)
    one.host.wait_for(Condition.FAILED)
    one.resource.forget()
    assert one.type.discover() == []
    assert one.is_alive() == Health(Condition.OFFLINE)


def test_a_killed_one_has_failed_and_the_signal_is_named(service: Callable[[str], Service]) -> None:
    one = service("shop")
    one.online()
    os.kill(pids(one.unit)[0], signal.SIGKILL)
    assert one.host.wait_for(Condition.FAILED).why == "it was ended by signal 9 (SIGKILL) (systemd: signal)"


def test_one_that_somebody_stopped_with_systemctl_is_offline_and_not_failed(service: Callable[[str], Service]) -> None:
    one = service("shop")
    one.online()
    systemctl("stop", one.unit)
    found = one.host.wait_for(Condition.OFFLINE)
    assert found.why == "it was stopped past the cluster (systemctl stop)"
    assert one.is_alive().condition is Condition.OFFLINE
    assert not any(health.condition is Condition.FAILED for _, health in one.host.health)


def test_one_that_somebody_started_with_systemctl_is_seen(service: Callable[[str], Service]) -> None:
    one = service("shop")
    assert one.is_alive().condition is Condition.OFFLINE
    systemctl("start", one.unit)
    assert one.is_alive().condition is Condition.ONLINE
    assert [(found.name, found.running) for found in one.type.discover()] == [("it", True)]


def test_one_that_takes_no_notice_is_killed(service: Callable[[str], Service]) -> None:
    one = service("stubborn")
    one.online()
    began_s = time.monotonic()
    one.resource.offline(lambda _: None, 1.0)
    assert time.monotonic() - began_s < 15
    assert pids(one.unit) == []
    assert one.is_alive() == Health(Condition.OFFLINE)


def test_what_its_kill_mode_spares_is_ended_too(service: Callable[[str], Service]) -> None:
    one = service("leaves")
    one.online()
    wait_until(lambda: len(pids(one.unit)) == 2)
    one.resource.offline(lambda _: None, 10.0)
    assert pids(one.unit) == []


def test_what_a_failed_one_leaves_may_run_and_is_ended_first(service: Callable[[str], Service]) -> None:
    one = service("leaves")
    one.online()
    wait_until(lambda: len(pids(one.unit)) == 2)
    os.kill(int(systemctl("show", "--property=MainPID", "--value", one.unit)), signal.SIGKILL)
    found = one.host.wait_for(Condition.FAILED)
    assert found.running
    assert "left 1 processes" in found.why
    one.resource.terminate()
    assert pids(one.unit) == []


@pytest.mark.parametrize(
    ("unit", "words"),
    [
        ("broken", "ended as failed: it ended with exit code 3"),
        ("once", "does not stay active"),
        ("no-such", "systemd has no no-such.service on this node"),
    ],
)
def test_one_that_does_not_come_up_says_why_and_nothing_runs(
    service: Callable[[str], Service], unit: str, words: str
) -> None:
    one = service(unit)
    with pytest.raises(CannotStart, match=words):
        one.online()
    assert pids(one.unit) == []
    assert one.is_alive().condition is Condition.OFFLINE


def test_one_that_systemd_starts_by_itself_is_refused(service: Callable[[str], Service]) -> None:
    one = service("boots")
    assert one.type.control("check", {"properties": {"unit": "boots"}}) == []
    systemctl("enable", one.unit)
    try:
        told = one.type.control("check", {"properties": {"unit": "boots"}})
        assert told == [
            "boots.service is enabled: systemd starts it at boot, past the cluster; on each node: "
            "systemctl disable boots.service"
        ]
        with pytest.raises(CannotStart, match="is enabled"):
            one.online()
        assert pids(one.unit) == []
    finally:
        systemctl("disable", one.unit)


@pytest.mark.parametrize(
    ("properties", "words"),
    [
        ({}, "unit cannot be None"),
        ({"unit": "shop.socket"}, "a .socket is no service"),
        ({"unit": "../shop"}, "unit cannot be"),
        ({"unit": "no-such"}, "systemd has no no-such.service"),
        ({"unit": "shop", "user": "me"}, "no property user"),
    ],
)
def test_properties_that_do_not_fit_are_refused(
    service: Callable[[str], Service], properties: dict[str, str], words: str
) -> None:
    assert words in service("shop").type.control("check", {"properties": properties})[0]


def test_terminate_comes_through_while_a_start_waits(service: Callable[[str], Service]) -> None:
    one = service("slow")
    outcome: list[BaseException] = []

    def start() -> None:
        try:
            one.online()
        except CannotStart as error:
            outcome.append(error)

    starting = threading.Thread(target=start)
    starting.start()
    wait_until(lambda: bool(pids(one.unit)))
    one.resource.terminate()
    starting.join(HANG_S)
    assert "told to stop" in str(outcome[0])
    assert pids(one.unit) == []


def test_one_that_systemd_is_about_to_start_again_is_unknown_and_can_be_stopped(
    service: Callable[[str], Service],
) -> None:
    one = service("again")
    one.online()
    os.kill(pids(one.unit)[0], signal.SIGKILL)
    wait_until(lambda: one.is_alive().condition is Condition.UNKNOWN)
    assert one.is_alive().why == "systemd is starting it again: it had ended (auto-restart)"
    one.resource.terminate()
    assert systemctl("show", "--property=ActiveState", "--value", one.unit) == "inactive"


def test_while_systemd_does_not_answer_what_runs_is_unknown_and_then_it_is_known_again(
    service: Callable[[str], Service],
) -> None:
    one = service("shop")
    one.online()
    bus = int(systemctl("show", "--property=MainPID", "--value", "dbus.service"))
    os.kill(bus, signal.SIGSTOP)
    try:
        began_s = time.monotonic()
        assert one.is_alive().condition is Condition.UNKNOWN
        assert time.monotonic() - began_s < 2.9, "the cluster service waits three seconds"
    finally:
        os.kill(bus, signal.SIGCONT)
    wait_until(lambda: one.is_alive().condition is Condition.ONLINE)


def test_a_bus_that_was_started_again_is_spoken_to_again(service: Callable[[str], Service]) -> None:
    one = service("shop")
    one.online()
    os.kill(int(systemctl("show", "--property=MainPID", "--value", "dbus.service")), signal.SIGKILL)
    wait_until(lambda: one.is_alive().condition is Condition.ONLINE)
    os.kill(pids(one.unit)[0], signal.SIGKILL)
    assert one.host.wait_for(Condition.FAILED).condition is Condition.FAILED
