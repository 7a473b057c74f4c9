"""Programs under a real s6, etcd's member under it too; and what systemd is asked for."""

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from outlast.adapters.member import PROGRAM, EtcdMember
from outlast.adapters.supervision import Service, Sight, Unit, supervised
from outlast.ports.members import Start

WITHIN_S = 60.0


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Path]:
    """A directory that s6-svscan looks at."""
    if shutil.which("s6-svscan") is None:
        pytest.skip("s6 is not installed here")
    directory = tmp_path / "services"
    directory.mkdir()
    scanner = subprocess.Popen(["s6-svscan", str(directory)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        listens = lambda: not subprocess.run(["s6-svscanctl", "-a", str(directory)], check=False).returncode  # noqa: E731
        wait(listens, "s6-svscan listens")
        yield directory
    finally:
        subprocess.run(["s6-svscanctl", "-t", str(directory)], check=False, timeout=WITHIN_S)
        scanner.wait(WITHIN_S)


def service(services: Path, name: str, command: str) -> Service:
    """As the lab makes them: there, and down."""
    new = services.parent / name
    new.mkdir()
    (new / "run").write_text(f"#!/bin/sh\nexec {command}\n")
    (new / "run").chmod(0o755)
    (new / "down").touch()
    new.rename(services / name)
    subprocess.run(["s6-svscanctl", "-a", str(services)], check=True, timeout=WITHIN_S)
    wait(lambda: (services / name / "supervise/control").exists(), f"{name} is supervised")
    return Service(str(services / name))


def wait(happened: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + WITHIN_S
    while not happened():
        assert time.monotonic() < deadline, f"did not happen: {what}"
        time.sleep(0.01)


async def until(happened: Callable[[], Coroutine[Any, Any, bool]], what: str) -> None:
    deadline = time.monotonic() + WITHIN_S
    while not await happened():
        assert time.monotonic() < deadline, f"did not happen: {what}"
        await asyncio.sleep(0.01)


def _wanted_up(program: Service) -> str:
    """What s6 would do if it ended now."""
    command = ["s6-svstat", "-o", "wantedup", program.directory]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=WITHIN_S).stdout.strip()


def test_what_was_started_once_is_not_started_again_by_its_supervisor(services: Path) -> None:
    async def main() -> None:
        program = service(services, "sleeper", "sleep 1000")
        sight = Sight(program)
        assert not await sight.runs()
        await program.start_once()
        assert await sight.runs()
        first = await program.pid()
        await program.start_once()
        assert await program.pid() == first, "it runs already"
        os.kill(first, signal.SIGKILL)
        await until(lambda: _no(sight.runs()), "it is seen that it ended")
        assert _wanted_up(program) == "false"

    asyncio.run(main())


def test_what_was_started_for_good_is_started_again(services: Path) -> None:
    async def main() -> None:
        program = service(services, "sleeper", "sleep 1000")
        await program.start()
        first = await program.pid()
        os.kill(first, signal.SIGKILL)
        await until(lambda: _another(program, first), "it is started again")
        assert _wanted_up(program) == "true"
        await program.stop()
        assert await program.pid() == 0
        await program.stop()

    asyncio.run(main())


def test_a_program_that_does_not_end_in_order_is_killed(services: Path) -> None:
    async def main() -> None:
        program = service(services, "deaf", "sh -c 'trap \"\" TERM; while :; do sleep 1; done'")
        await program.start()
        pid = await program.pid()
        await program.stop()
        assert await program.pid() == 0
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)

    asyncio.run(main())


def test_a_program_that_nobody_supervises_is_an_error_with_words(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="s6-svc"):
        asyncio.run(Service(str(tmp_path)).start())


@pytest.mark.parametrize("how", ["", "s6", "s6:relative", "runit:/x", "systemd:x"])
def test_a_supervisor_that_nobody_knows_is_refused(how: str) -> None:
    with pytest.raises(ValueError, match="supervises nothing"):
        supervised(how, PROGRAM)


def test_a_member_starts_stops_and_begins_anew(services: Path, tmp_path: Path) -> None:
    if shutil.which("etcd") is None:
        pytest.skip("etcd is not installed here")

    async def main() -> None:
        data = tmp_path / "lib/etcd"
        program = service(services, PROGRAM, f"etcd --config-file {data}.json 2>{tmp_path}/etcd.log")
        client_url, peer_url = (f"http://127.0.0.1:{_free_port()}" for _ in range(2))
        member = EtcdMember("n1", program, data, client_url=client_url, peer_url=peer_url)
        assert not member.has_data()
        assert member.marks() == {}
        await member.start(Start({"n1": peer_url}, existing=False))
        assert await member.runs()
        await until(lambda: _now(member.has_data()), "it has data")
        member.mark({"seen": "42"})
        await until(lambda: _serves(client_url), "it serves")
        _etcdctl(client_url, "put", "key", "value")
        await member.stop()
        assert not await member.runs()
        await member.start(Start({}))
        await until(lambda: _serves(client_url), "it serves again")
        assert _etcdctl(client_url, "get", "--print-value-only", "key").strip() == "value"
        await member.wipe()
        assert not await member.runs()
        assert not member.has_data()
        assert member.marks() == {"seen": "42"}
        assert (tmp_path / "lib/etcd.old/member").is_dir()

    asyncio.run(main())


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system needs root")
def test_data_that_lie_on_a_disk_of_their_own_are_thrown_away_and_the_disk_stays_mounted(tmp_path: Path) -> None:
    class Program:
        async def stop(self) -> None:
            pass

    data, program = tmp_path / "etcd", cast(Any, Program())
    data.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(data)], check=True)
    try:
        member = EtcdMember("n1", program, data, client_url="c", peer_url="p")
        (data / "lost+found").mkdir()
        for _ in range(2):  # also beside what an earlier one had not quite removed
            (data / "member/wal").mkdir(parents=True)
            (data / "member/wal/0.wal").touch()
            (data / "member.thrown-away").mkdir(exist_ok=True)
            assert member.has_data()
            asyncio.run(member.wipe())
            assert not member.has_data()
            assert data.is_mount()
            assert [path.name for path in data.iterdir()] == ["lost+found"]
        asyncio.run(member.wipe())  # no error when nothing is there
    finally:
        subprocess.run(["umount", str(data)], check=True)


def test_a_member_that_goes_on_alone_keeps_what_it_has_and_does_so_once(services: Path, tmp_path: Path) -> None:
    if shutil.which("etcd") is None:
        pytest.skip("etcd is not installed here")

    async def main() -> None:
        data = tmp_path / "lib/etcd"
        program = service(services, PROGRAM, f"etcd --config-file {data}.json 2>{tmp_path}/etcd.log")
        client_url, peer_url = (f"http://127.0.0.1:{_free_port()}" for _ in range(2))
        member = EtcdMember("n1", program, data, client_url=client_url, peer_url=peer_url)
        await member.start(Start({"n1": peer_url}, existing=False))
        await until(lambda: _serves(client_url), "it serves")
        _etcdctl(client_url, "put", "key", "value")
        # A second voter that never comes: from now on there is no majority.
        _etcdctl(client_url, "member", "add", "n2", "--peer-urls", f"http://127.0.0.1:{_free_port()}")
        await until(lambda: _no(_serves(client_url)), "it serves no more")
        os.kill(await program.pid(), signal.SIGKILL)
        await until(lambda: _no(member.runs()), "it ended")
        await member.start(Start({}, alone=True))
        await until(lambda: _serves(client_url), "it serves alone")
        assert _etcdctl(client_url, "get", "--print-value-only", "key").strip() == "value"
        assert "force-new-cluster" in (tmp_path / "lib/etcd.json").read_text()
        await member.stop()
        await member.start(Start({}))
        assert "force-new-cluster" not in (tmp_path / "lib/etcd.json").read_text()
        await until(lambda: _serves(client_url), "it serves as one of one")
        await member.stop()

    asyncio.run(main())


FAKE_SYSTEMCTL = """\
#!/bin/sh
# Stands in for systemd, which does not run everywhere: writes down what it is asked for, and remembers two states.
echo "$*" >>"$0.log"
case "$1" in
    enable) touch "$0.enabled" "$0.active" ;;
    start) touch "$0.active" ;;
    stop) rm -f "$0.active" ;;
    disable) rm -f "$0.enabled" ;;
    is-enabled) [ -e "$0.enabled" ] && echo enabled || echo disabled ;;
    show) [ -e "$0.active" ] && echo 4711 || echo 0 ;;
    *) echo "unknown: $1" >&2; exit 1 ;;
esac
"""


@pytest.fixture
def systemctl(tmp_path: Path) -> Iterator[Path]:
    program = tmp_path / "bin/systemctl"
    program.parent.mkdir()
    program.write_text(FAKE_SYSTEMCTL)
    program.chmod(0o755)
    before = os.environ["PATH"]
    os.environ["PATH"] = f"{program.parent}:{before}"
    try:
        yield program
    finally:
        os.environ["PATH"] = before


def test_systemd_starts_the_service_at_each_boot_and_the_database_at_none(systemctl: Path) -> None:
    async def main() -> None:
        outlastd, etcd = Unit("outlastd.service"), Unit("outlast-etcd.service")
        await outlastd.start()
        await etcd.start_once()
        assert await etcd.pid() == 4711
        await outlastd.stop()
        assert await outlastd.pid() == 0

    asyncio.run(main())
    said = systemctl.with_name("systemctl.log").read_text().splitlines()
    assert "enable --now outlastd.service" in said
    assert "start outlast-etcd.service" in said
    assert "enable --now outlast-etcd.service" not in said
    assert said.index("stop outlastd.service") < said.index("disable outlastd.service")


async def _no(answer: Coroutine[Any, Any, bool]) -> bool:
    return not await answer


async def _now(answer: bool) -> bool:
    return answer


async def _another(program: Service, before: int) -> bool:
    return await program.pid() not in (0, before)


async def _serves(url: str) -> bool:
    process = await asyncio.create_subprocess_exec(
        "etcdctl", "--endpoints", url, "--command-timeout", "1s", "get", "key",
        env={**os.environ, "ETCDCTL_API": "3"}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    return await process.wait() == 0


def _etcdctl(url: str, *command: str) -> str:
    done = subprocess.run(
        ["etcdctl", "--endpoints", url, *command],
        env={**os.environ, "ETCDCTL_API": "3"}, capture_output=True, text=True, timeout=WITHIN_S, check=True,
    )  # fmt: skip
    return done.stdout


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
    return port
