"""The contract of resource hosts, kept by real processes; and what only processes can show."""

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import msgspec
import pytest
from hosts_contract import PERMIT_S, SOON_S, HostsContract, Stage, Story, reports_of

from outlast.adapters.hosts import ProcessHosts
from outlast.model.health import Condition, Spec
from outlast.model.transfer import Destination
from outlast.ports.hosts import Host, HostDied, Hosts, HostSilent, OfferReport
from outlast.resources.dummy import State

HANG_S = 120.0


class TrackedHosts(ProcessHosts):
    """Knows which processes it started, because a test's service ends without a word and leaves orphans."""

    def __init__(self, run_dir: Path, *, command: Sequence[str] = ()) -> None:
        super().__init__(run_dir, command=command)
        self.started: list[int] = []

    async def start(self, types: Sequence[str], *, timeout_s: float, type_timeout_s: float | None = None) -> Host:
        host = await super().start(types, timeout_s=timeout_s, type_timeout_s=type_timeout_s)
        self.started.append(host.pid)
        return host

    def clear_away(self) -> None:
        for pid in self.started:
            if exists(pid):
                os.kill(pid, signal.SIGKILL)


class RealStage:
    type = "dummy"

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.tracked = TrackedHosts(directory / "run")
        self.hosts: Hosts = self.tracked
        self._other: RealStage | None = None

    def spec(
        self,
        name: str,
        *,
        start_fails: str = "",
        start_takes_s: float = 0.0,
        hang_in: Sequence[str] = (),
        fail_in: Sequence[str] = (),
        crash_in: Sequence[str] = (),
        transfer_takes_s: float = 0.0,
    ) -> Spec:
        takes = {"start_takes_s": start_takes_s, "transfer_takes_s": transfer_takes_s}
        properties = {"directory": str(self.directory), "start_fails": start_fails, **takes}
        faults = {"hang_in": list(hang_in), "fail_in": list(fail_in), "crash_in": list(crash_in)}
        return Spec(name, "dummy", properties={**properties, **faults})

    def runs(self, name: str) -> bool:
        pid = self.pid(name)
        return pid != 0 and Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "T"

    def other(self) -> Stage:
        if self._other is None:
            directory = self.directory / "other"
            directory.mkdir()
            self._other = RealStage(directory)
        return self._other

    def destination(self) -> Destination:
        return Destination("n2", str(self.directory))

    def clear_away(self) -> None:
        self.tracked.clear_away()
        for file in self.directory.glob("*.json"):
            if pid := self.pid(file.stem):
                os.kill(pid, signal.SIGKILL)
        if self._other is not None:
            self._other.clear_away()

    def pid(self, name: str) -> int:
        file = self.directory / f"{name}.json"
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            pid = msgspec.json.decode(file.read_bytes(), type=State).pid
            alive = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
            return pid if alive else 0
        return 0

    def now_s(self) -> float:
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    async def freeze(self, host: Host) -> None:
        os.kill(host.pid, signal.SIGSTOP)


def play_on(directory: Path, story: Story) -> None:
    stage = RealStage(directory)

    async def main() -> None:
        async with asyncio.timeout(HANG_S):
            await story(stage)

    try:
        asyncio.run(main())
    finally:
        stage.clear_away()


class TestProcessHosts(HostsContract):
    def play(self, story: Story) -> None:
        directory = Path(tempfile.mkdtemp(prefix="outlast-hosts-"))
        try:
            play_on(directory, story)
        finally:
            shutil.rmtree(directory)


async def ready(stage: Stage) -> Host:
    host = await stage.hosts.start(["dummy"], timeout_s=SOON_S)
    stage.hosts.permit.extend(stage.now_s() + PERMIT_S)
    return host


def exists(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def ignored_by(pid: int) -> int:
    """The signals, as bits: the first is that of signal 1."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("SigIgn:")).split()[1], 16)


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(HANG_S):
        while not true():  # noqa: ASYNC110  # a process that is not ours has no event to wait for
            await asyncio.sleep(0.01)


async def gone(pid: int) -> None:
    await until(lambda: not exists(pid))


def test_a_host_that_says_nothing_is_killed_after_the_timeout(tmp_path: Path) -> None:
    async def main() -> None:
        hosts = ProcessHosts(tmp_path, command=["sh", "-c", f"echo $$ > {tmp_path}/pid; exec sleep 1000"])
        with pytest.raises(TimeoutError):
            await hosts.start(["dummy"], timeout_s=0.5)
        await gone(int((tmp_path / "pid").read_text()))

    asyncio.run(main())


def test_a_program_that_cannot_be_started_is_named(tmp_path: Path) -> None:
    async def main() -> None:
        with pytest.raises(HostDied, match="/no/such/program"):
            await ProcessHosts(tmp_path, command=["/no/such/program"]).start([], timeout_s=SOON_S)

    asyncio.run(main())


@pytest.mark.parametrize(
    ("says", "word"),
    [("outlast-rhs 99 dummy", "protocol 99"), ("hello", "no resource host"), ("", "exit code 3")],
)
def test_a_host_of_another_version_is_refused_in_words(tmp_path: Path, says: str, word: str) -> None:
    program = f"import os, sys; os.write(int(sys.argv[2]), {says!r}.encode() + b'\\n'); sys.exit(3)"
    if not says:
        program = "import sys; sys.exit(3)"

    async def main() -> None:
        with pytest.raises(HostDied, match=word):
            await ProcessHosts(tmp_path, command=[sys.executable, "-c", program]).start([], timeout_s=SOON_S)

    asyncio.run(main())


def test_a_host_that_was_killed_from_outside_is_noticed_and_the_signal_is_named(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        host = await ready(stage)
        os.kill(host.pid, signal.SIGKILL)
        assert [report async for report in reports_of(host)] == []
        with pytest.raises(HostDied, match="signal 9"):
            await host.discover("dummy")

    play_on(tmp_path, story)


def test_sigterm_ends_a_host_and_touches_nothing(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        host = await ready(stage)
        await host.open(stage.spec("it"))
        await host.online("it", print)
        os.kill(host.pid, signal.SIGTERM)
        assert [report async for report in reports_of(host)] == []
        await gone(host.pid)
        assert stage.runs("it")

    play_on(tmp_path, story)


def test_an_interrupt_ends_no_host_and_what_a_host_starts_is_not_deaf_to_it(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        assert isinstance(stage, RealStage)
        host = await ready(stage)
        await host.open(stage.spec("it"))
        await host.online("it", print)
        os.kill(host.pid, signal.SIGINT)
        await host.discover("dummy")
        assert not ignored_by(stage.pid("it")) & 1 << signal.SIGINT - 1

    play_on(tmp_path, story)


# -- a service that is gone: its hosts as orphans ------------------------------------------------------------------

SERVICE = """
import asyncio, os, sys
from pathlib import Path
from outlast.adapters.hosts import ProcessHosts
from outlast.model.health import Spec
import time
async def main(directory, permit_s):
    hosts = ProcessHosts(Path(directory) / "run")
    host = await hosts.start(["dummy"], timeout_s=60)
    hosts.permit.extend(time.clock_gettime(time.CLOCK_BOOTTIME) + float(permit_s))
    await host.open(Spec("it", "dummy", properties={"directory": directory}))
    await host.online("it", lambda _: None)
    print(host.pid, flush=True)
    await asyncio.sleep(1000)
asyncio.run(main(*sys.argv[1:]))
"""


class Service:
    """A cluster service of its own process, with one host that runs "it"."""

    def __init__(self, directory: Path, permit_s: float) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", SERVICE, str(directory), str(permit_s)], stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout
        self.host_pid = int(self.process.stdout.readline())

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def end(self) -> None:
        self.process.kill()
        self.process.communicate(timeout=HANG_S)


def test_the_death_of_a_service_stops_nothing_and_a_new_service_takes_over_quietly(tmp_path: Path) -> None:
    service = Service(tmp_path, permit_s=PERMIT_S)

    async def story(stage: Stage) -> None:
        service.end()
        pid = stage.pid("it")  # type: ignore[attr-defined]
        host = await stage.hosts.start(["dummy"], timeout_s=SOON_S)
        assert (await host.open(stage.spec("it"))).condition is Condition.ONLINE
        assert exists(service.host_pid), "the orphan guards until the new service has a permit"
        stage.hosts.permit.extend(stage.now_s() + PERMIT_S)
        await gone(service.host_pid)
        assert stage.pid("it") == pid  # type: ignore[attr-defined]

    play_on(tmp_path, story)


def test_an_orphan_stops_everything_when_the_permit_passes_and_leaves(tmp_path: Path) -> None:
    service = Service(tmp_path, permit_s=1.0)

    async def story(stage: Stage) -> None:
        service.end()
        assert stage.runs("it")
        await gone(service.host_pid)
        assert not stage.runs("it")

    play_on(tmp_path, story)


def test_a_frozen_service_cannot_keep_anything_running_beyond_the_permit(tmp_path: Path) -> None:
    service = Service(tmp_path, permit_s=1.0)

    async def story(stage: Stage) -> None:
        service.signal(signal.SIGSTOP)
        await until(lambda: not stage.runs("it"))
        assert exists(service.host_pid), "it has a service still, and stays"

    try:
        play_on(tmp_path, story)
    finally:
        service.end()


# -- plugins and their files ---------------------------------------------------------------------------------------

PLUGIN = """
from outlast.resources.dummy import DummyType
class Mine(DummyType):
    version = "7"
    {more}
"""


def install(site: Path, source: str, target: str = "my_plugin:Mine") -> None:
    """As `pip install` leaves a package behind."""
    info = site / "my_plugin-7.dist-info"
    info.mkdir(parents=True, exist_ok=True)
    (info / "entry_points.txt").write_text(f"[outlast.resource_types]\nmine = {target}\n")
    (site / "my_plugin.py").write_text(source)


@contextlib.asynccontextmanager
async def mine(site: Path, directory: Path) -> AsyncIterator[Host]:
    """A host that has the plugin in `site`."""
    command = ["env", f"PYTHONPATH={site}", sys.executable, "-P", "-m", "outlast.rhs.main"]
    host = await ProcessHosts(directory / "run", command=command).start(["mine"], timeout_s=SOON_S)
    try:
        yield host
    finally:
        await host.kill()


def test_a_plugin_is_found_by_its_entry_point(tmp_path: Path) -> None:
    async def main() -> None:
        install(tmp_path / "site", PLUGIN.format(more=""))
        async with mine(tmp_path / "site", tmp_path) as host:
            assert [(offer.type, offer.version, offer.problem) for offer in host.offers] == [("mine", "7", "")]

    asyncio.run(main())


@pytest.mark.parametrize(
    ("source", "target", "word"),
    [
        ("def broken(:", "my_plugin:Mine", "line 1"),
        (PLUGIN.format(more="api_version = 0"), "my_plugin:Mine", "version 0 of the plugin API"),
        (PLUGIN.format(more=""), "my_plugin:Nobody", "Nobody"),
        ("class Mine:\n    api_version = 1\n    def __init__(self, host): pass", "my_plugin:Mine", "is_alive"),
        ("import sys; sys.exit(1)", "my_plugin:Mine", "SystemExit"),
        ("import no_such_library", "my_plugin:Mine", "no_such_library"),
    ],
)
def test_a_plugin_that_cannot_be_used_is_published_with_what_is_wrong(
    tmp_path: Path, source: str, target: str, word: str
) -> None:
    async def main() -> None:
        install(tmp_path / "site", source, target)
        async with mine(tmp_path / "site", tmp_path) as host:
            (offer,) = host.offers
            assert word in offer.problem
            assert offer.digest, "the files can be compared with the cluster's all the same"

    asyncio.run(main())


@pytest.mark.parametrize(
    ("source", "error", "word"),
    [
        ("import time; time.sleep(1000)", HostSilent, "hung as it loaded the plugin for mine"),
        ("import os; os.abort()", HostDied, "signal 6.* as it loaded the plugin for mine"),
    ],
)
def test_a_plugin_that_hangs_or_ends_its_host_as_it_is_loaded_is_named(
    tmp_path: Path, source: str, error: type[HostDied | HostSilent], word: str
) -> None:
    """So that it is loaded by a host of its own, and the others by theirs."""
    command = ["env", f"PYTHONPATH={tmp_path / 'site'}", sys.executable, "-P", "-m", "outlast.rhs.main"]
    install(tmp_path / "site", source)

    async def main() -> None:
        hosts = ProcessHosts(tmp_path / "run", command=command)
        with pytest.raises(error, match=word) as ended:
            await hosts.start(["dummy", "mine"], timeout_s=SOON_S, type_timeout_s=1.0)
        assert isinstance(ended.value, HostDied | HostSilent)
        assert (ended.value.types, ended.value.loading) == (("dummy", "mine"), "mine")
        host = await hosts.start(["dummy"], timeout_s=SOON_S)
        assert [(offer.type, offer.problem) for offer in host.offers] == [("dummy", "")]
        await host.kill()

    asyncio.run(main())


def test_a_plugin_whose_files_are_damaged_while_it_runs_is_reported_and_goes_on_serving(tmp_path: Path) -> None:
    async def main() -> None:
        install(tmp_path / "site", PLUGIN.format(more=""))
        async with mine(tmp_path / "site", tmp_path) as host:
            reports = reports_of(host)
            (tmp_path / "site" / "my_plugin.py").write_text("class Mine(:")
            damaged = await anext(reports)
            assert isinstance(damaged, OfferReport)
            assert "damaged" in damaged.offer.problem
            assert damaged.offer.digest != host.offers[0].digest
            assert list(await host.discover("mine")) == []
            install(tmp_path / "site", PLUGIN.format(more=""))
            repaired = await anext(reports)
            assert isinstance(repaired, OfferReport)
            assert repaired.offer == host.offers[0]

    asyncio.run(main())


def test_a_service_that_closes_the_socket_without_a_permit_ever_given_is_left_at_once(tmp_path: Path) -> None:
    ours, theirs = socket.socketpair()
    arguments = ["--permit", str(tmp_path / "permit"), "--service", "s1", "--types", "dummy"]
    process = subprocess.Popen(
        [sys.executable, "-m", "outlast.rhs.main", "--fd", str(theirs.fileno()), *arguments],
        pass_fds=(theirs.fileno(),),
    )
    theirs.close()
    ours.settimeout(HANG_S)
    assert ours.recv(100).startswith(b"outlast-rhs 2 dummy\n")
    ours.close()
    assert process.wait(HANG_S) == 0
