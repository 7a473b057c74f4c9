"""The watchdogs that can be had here keep the port's contract.

The kernel's device is played by a file that FUSE serves (tests/lab/fuse_watchdog.py): a real file descriptor, real
ioctls, a driver of the test behind them. The program `outlast-watchdog` runs in a PID namespace, whose end is what
takes the place of the machine's. Both need root.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from watchdog_contract import Harness, WatchdogContract, described

from outlast.adapters.watchdog import chosen
from outlast.adapters.watchdog.device import DeviceWatchdog
from outlast.adapters.watchdog.systemd import KILL_S, SystemdWatchdog
from outlast.model.watchdog import Strength
from outlast.ports.watchdog import Watchdog
from outlast.sim import commands
from outlast.sim.world import World

FUSE = Path(__file__).parent.parent / "lab" / "fuse_watchdog.py"
PATIENCE_S = 30.0
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounts and namespaces need root")


def wait_for(what: "Path", process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not (what.exists() and what.stat().st_size + what.is_socket()):
        assert process.poll() is None, f"{process.args!r} ended with {process.returncode}"
        assert time.monotonic() < end, f"{what} did not appear"
        time.sleep(0.02)


class FuseDevice:
    """A device and its driver; `log` is what the driver saw."""

    def __init__(self, place: Path, *settings: str) -> None:
        self.path = place / "watchdog"
        self._bitten = place / "bitten"
        self._log = place / "log"
        self._memory = place / "counts"
        command = [sys.executable, *map(str, (FUSE, self.path, self._log)), *settings, "touch", str(self._bitten)]
        self.process = subprocess.Popen(command)
        wait_for(self._log, self.process)

    def client(self) -> DeviceWatchdog:
        return DeviceWatchdog(str(self.path), self._memory, sysfs=self.path.parent / "no-sysfs")

    def abandon(self, client: Watchdog) -> None:
        assert isinstance(client, DeviceWatchdog)
        os.close(client._fd)  # its process's end would do no more

    def bites_within(self, limit_s: float) -> bool:
        end = time.monotonic() + limit_s
        while not self._bitten.exists() and time.monotonic() < end:
            time.sleep(0.05)
        return self._bitten.exists()

    def take_away(self) -> None:
        self.process.kill()
        self.process.wait()

    def log(self) -> list[str]:
        return [line.partition(" ")[2] for line in self._log.read_text().splitlines()]

    def closed(self) -> bool:
        """The kernel tells the driver of a close when it has time to."""
        end = time.monotonic() + PATIENCE_S
        while not self.log()[-1].startswith("closed") and time.monotonic() < end:
            time.sleep(0.02)
        return self.log()[-1] == "closed"

    def close(self) -> None:
        self.take_away()
        subprocess.run(["umount", "--lazy", self.path], check=True)


@needs_root
class TestDevice(WatchdogContract):
    @pytest.fixture
    def harness(self, tmp_path: Path) -> Iterator[Harness]:
        device = FuseDevice(tmp_path)
        yield device
        device.close()


@pytest.fixture
def device(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[FuseDevice]:
    device = FuseDevice(tmp_path, *request.param)
    yield device
    device.close()


def device_with(*settings: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("device", [settings], indirect=True, ids=[" ".join(settings)])


@needs_root
@device_with("step_s=10")
def test_what_the_device_really_took_counts(device: FuseDevice) -> None:
    watchdog = device.client()
    assert watchdog.arm(7.5) == 10.0
    watchdog.disarm()


@needs_root
@device_with("longest_s=5")
def test_a_device_that_counts_for_less_than_needed_is_refused_with_words_and_left_stopped(device: FuseDevice) -> None:
    watchdog = device.client()
    with pytest.raises(OSError, match=r"cannot be used: it refuses to count that long, and this node needs 7\.5 s"):
        watchdog.arm(7.5)
    assert device.closed()


@needs_root
@device_with("alarm_only=1")
def test_a_device_that_only_raises_an_alarm_is_refused(device: FuseDevice) -> None:
    with pytest.raises(OSError, match="only raises an alarm and cuts no power"):
        device.client().arm(2.0)
    assert device.closed()


@needs_root
@device_with("identity=Software Watchdog")
def test_softdog_is_told_from_hardware_by_its_name(device: FuseDevice) -> None:
    watchdog = device.client()
    watchdog.length_s(2.0)
    assert (watchdog.strength, watchdog.words) == (Strength.KERNEL, f"{device.path} (Software Watchdog)")


@needs_root
@device_with("identity=iTCO_wdt")
def test_a_device_that_another_program_has_open_says_so(device: FuseDevice) -> None:
    with device.path.open("wb"), pytest.raises(OSError, match="another program has it open"):
        device.client().arm(2.0)


@needs_root
@device_with("nowayout=1")
def test_one_that_cannot_be_stopped_is_kept_open_and_fed_on(device: FuseDevice) -> None:
    watchdog = device.client()
    length_s = watchdog.arm(2.0)
    watchdog.disarm()
    assert watchdog.counts_on
    for _ in range(int(1.6 * length_s / 0.25)):
        assert not device.bites_within(0.25)
        watchdog.feed()
    assert "closed" not in " ".join(device.log())
    assert device.bites_within(PATIENCE_S)


def test_a_device_that_is_not_there_says_what_to_do(tmp_path: Path) -> None:
    watchdog = DeviceWatchdog(str(tmp_path / "watchdog"), tmp_path / "counts")
    with pytest.raises(OSError, match="there is no such device; load the driver"):
        watchdog.length_s(2.0)
    watchdog.disarm()


def test_what_the_kernel_tells_of_a_device_is_known_without_starting_it(tmp_path: Path) -> None:
    sysfs = described(tmp_path, identity="Software Watchdog", min_timeout="1", max_timeout="65535")
    watchdog = DeviceWatchdog("/dev/null", tmp_path / "counts", sysfs)
    assert watchdog.length_s(7.5) == 8.0
    assert watchdog.strength is Strength.KERNEL


def test_a_limit_that_the_kernel_tells_is_refused_before_anything_is_started(tmp_path: Path) -> None:
    watchdog = DeviceWatchdog("/dev/null", tmp_path / "counts", described(tmp_path, identity="x", max_timeout="6"))
    with pytest.raises(OSError, match="it counts at most 6 s"):
        watchdog.length_s(7.5)


def test_a_device_that_counts_already_is_anothers_unless_this_service_left_it_so(tmp_path: Path) -> None:
    sysfs = described(tmp_path, identity="x", state="active")
    watchdog = DeviceWatchdog("/dev/null", tmp_path / "counts", sysfs)
    with pytest.raises(OSError, match="another program has it open"):
        watchdog.length_s(7.5)
    (tmp_path / "counts").touch()
    assert watchdog.length_s(7.5) == 8.0


class Program:
    """`outlast-watchdog` as the first process of a PID namespace: what ends that ends nothing else."""

    def __init__(self, place: Path) -> None:
        self._place = place
        socket_path = place / "watchdog.sock"
        program = [sys.executable, "-m", "outlast.adapters.watchdog.process", "--only-namespace"]
        command = ["unshare", "--pid", "--fork", "--kill-child", *program, "--socket", str(socket_path)]
        self.process = subprocess.Popen(command)
        wait_for(socket_path, self.process)

    def client(self) -> Watchdog:
        watchdog = chosen("process", self._place)
        assert watchdog is not None
        return watchdog

    def abandon(self, client: Watchdog) -> None:
        """The service's process is gone, and its connections with it: nobody refers to the client any more."""

    def bites_within(self, limit_s: float) -> bool:
        try:
            ended = self.process.wait(limit_s)
        except subprocess.TimeoutExpired:
            return False
        # reboot(2) in a namespace: its first process ends by SIGHUP, for "restart".
        assert ended in (-signal.SIGHUP, 128 + signal.SIGHUP)
        return True

    def take_away(self) -> None:
        self.close()
        (self._place / "watchdog.sock").unlink()

    def close(self) -> None:
        if self.process.poll() is None:
            # The program itself, not who waits for it: when that has noticed, all is gone.
            for child in Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split():
                os.kill(int(child), signal.SIGKILL)
            self.process.wait()


@needs_root
class TestProgram(WatchdogContract):
    @pytest.fixture
    def harness(self, tmp_path: Path) -> Iterator[Harness]:
        program = Program(tmp_path)
        yield program
        program.close()


def test_a_program_is_called_what_it_is() -> None:
    watchdog = chosen("process", Path("/run/outlast"))
    assert watchdog is not None
    assert watchdog.strength is Strength.PROCESS


class Simulated:
    def __init__(self) -> None:
        self._world = World(commands.setup_from(commands.parse("world watchdogs")))
        self._world.machines["n1"].power_on("for this test")

    def client(self) -> Watchdog:
        return self._world.watchdogs["n1"]

    def abandon(self, client: Watchdog) -> None:
        """Nothing holds it."""

    def bites_within(self, limit_s: float) -> bool:
        self._world.run(limit_s)
        return not self._world.machines["n1"].on

    def take_away(self) -> None:
        self._world.watchdogs["n1"].gone = True

    def close(self) -> None:
        self._world.close()


class TestSimulated(WatchdogContract):
    @pytest.fixture
    def harness(self) -> Iterator[Harness]:
        simulated = Simulated()
        yield simulated
        simulated.close()


GOOD_UNIT = {"FailureAction": "reboot-immediate", "Restart": "on-abort", "WatchdogSignal": "9", "NotifyAccess": "main"}


class Notified:
    """What systemd hears."""

    def __init__(self, place: Path) -> None:
        self.address = str(place / "notify")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self.address)
        self._socket.setblocking(False)

    def heard(self) -> list[str]:
        words = []
        while True:
            try:
                words.append(self._socket.recv(1000).decode())
            except BlockingIOError:
                return words


def test_systemd_is_told_the_countdown_each_meal_and_the_end(tmp_path: Path) -> None:
    systemd = Notified(tmp_path)
    watchdog = SystemdWatchdog(systemd.address, lambda: GOOD_UNIT)
    assert watchdog.length_s(7.5) == watchdog.arm(7.5) == 7.5 + KILL_S
    watchdog.feed()
    watchdog.disarm()
    assert systemd.heard() == ["WATCHDOG_USEC=7500000\nWATCHDOG=1", "WATCHDOG=1", "WATCHDOG_USEC=0"]


@pytest.mark.parametrize(
    ("key", "value"), [("FailureAction", "none"), ("Restart", "always"), ("WatchdogSignal", "6"), ("NotifyAccess", "")]
)
def test_a_unit_that_would_not_restart_the_machine_is_no_watchdog(tmp_path: Path, key: str, value: str) -> None:
    watchdog = SystemdWatchdog(Notified(tmp_path).address, lambda: {**GOOD_UNIT, key: value})
    with pytest.raises(OSError, match=f"its unit says {key}={value}, and so systemd would not restart this machine"):
        watchdog.length_s(7.5)


def test_a_service_that_systemd_did_not_start_has_no_watchdog_of_systemds() -> None:
    with pytest.raises(OSError, match="does not say NotifyAccess=main"):
        SystemdWatchdog("", dict).length_s(7.5)


@pytest.mark.parametrize("setting", ["/dev/watchdog", "device:watchdog", "process:/x", "softdog", "lab:"])
def test_a_setting_that_nobody_knows_is_refused_with_those_that_are(setting: str) -> None:
    with pytest.raises(ValueError, match='must be "device:/dev/watchdog", "process", "systemd"'):
        chosen(setting, Path("/run"))
