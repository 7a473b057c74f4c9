"""The smallest example as its author's users have it: built, installed, found by its entry point, run by a host."""

import asyncio
import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from outlast.adapters.hosts import ProcessHosts
from outlast.model.health import Condition, Found, Spec
from outlast.plugin_contract import PluginContract
from outlast.ports.hosts import CallFailed, Host

EXAMPLE = Path(__file__).parents[2] / "examples" / "flagfile"
HANG_S = 120.0


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where pip has installed the example's wheel. It is built from a copy: a build leaves files beside its source."""
    directory = tmp_path_factory.mktemp("flagfile")
    shutil.copytree(EXAMPLE, directory / "source", ignore=shutil.ignore_patterns("__pycache__", "build", "*.egg-info"))
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-build-isolation"]
    pip += ["--disable-pip-version-check", "--target", str(directory / "site"), str(directory / "source")]
    subprocess.run(pip, check=True, timeout=HANG_S)
    return directory / "site"


@pytest.fixture
def command(site: Path, tmp_path: Path) -> list[str]:
    """A resource host that has the package, and writes nothing outside of this test's directory."""
    variables = [f"PYTHONPATH={site}", f"OUTLAST_FLAGFILE_RECORDS={tmp_path / 'records'}"]
    return ["env", *variables, sys.executable, "-P", "-m", "outlast.rhs.main"]


def test_the_smallest_example_is_found_by_its_entry_point_and_outlives_its_host(
    tmp_path: Path, command: list[str]
) -> None:
    flag = tmp_path / "flag"
    spec = Spec("it", "flagfile", definition=str(flag), identity="it")
    hosts = ProcessHosts(tmp_path / "run", command=command)
    hosts.permit.extend(time.clock_gettime(time.CLOCK_BOOTTIME) + HANG_S)

    async def condition(host: Host) -> Condition:
        return (await host.is_alive("flagfile", ["it"]))["it"].condition

    async def main() -> None:
        async with asyncio.timeout(HANG_S), host_of(hosts) as host:
            (offer,) = host.offers
            assert (offer.type, offer.version, offer.problem) == ("flagfile", "1.1", "")
            assert (await host.open(spec)).condition is Condition.OFFLINE
            await host.online("it", print)
            assert flag.exists()
        async with asyncio.timeout(HANG_S), host_of(hosts) as host:
            assert list(await host.discover("flagfile")) == [Found("it", "it", running=True)], "before it is opened"
            assert (await host.open(spec)).condition is Condition.ONLINE
            flag.unlink()
            assert await condition(host) is Condition.FAILED
            assert list(await host.discover("flagfile")) == [Found("it", "it", running=False)]
            await host.online("it", print)
            assert await condition(host) is Condition.ONLINE
            await host.offline("it", HANG_S, print)
            assert not flag.exists()
            assert await condition(host) is Condition.OFFLINE
            await host.forget("it")
            assert list(await host.discover("flagfile")) == []

    asyncio.run(main())


def test_a_file_that_cannot_be_made_is_a_start_that_failed_and_leaves_nothing(
    tmp_path: Path, command: list[str]
) -> None:
    hosts = ProcessHosts(tmp_path / "run", command=command)
    hosts.permit.extend(time.clock_gettime(time.CLOCK_BOOTTIME) + HANG_S)

    async def main() -> None:
        async with asyncio.timeout(HANG_S), host_of(hosts) as host:
            await host.open(Spec("it", "flagfile", definition=str(tmp_path / "nowhere" / "flag"), identity="it"))
            with pytest.raises(CallFailed, match="cannot be made") as failed:
                await host.online("it", print)
            assert failed.value.refusal
            assert list(await host.discover("flagfile")) == []

    asyncio.run(main())


def test_the_smallest_example_passes_its_own_contract_test_where_it_is_installed(site: Path, tmp_path: Path) -> None:
    """The tests alone are copied: what they import can only be what pip has installed."""
    shutil.copytree(EXAMPLE / "tests", tmp_path / "tests")
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(site)}, capture_output=True, text=True, timeout=HANG_S,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout + run.stderr
    promises = [name for name in dir(PluginContract) if name.startswith("test_")]
    assert f"{len(promises)} passed" in run.stdout, "none is skipped"


@contextlib.asynccontextmanager
async def host_of(hosts: ProcessHosts) -> AsyncIterator[Host]:
    """Killed in the end, as by a crash."""
    host = await hosts.start(["flagfile"], timeout_s=HANG_S)
    try:
        yield host
    finally:
        await host.kill()
