"""The ports of the database's members, kept by real etcd as Outlast runs it and by the simulated members alike."""

import asyncio
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from members_contract import HANG_S, NAMES, MembersContract, Story, until

from etcd_members import free_ports
from nobody import Nobody
from outlast.adapters.etcd import Client, EtcdMembers
from outlast.adapters.member import EtcdMember
from outlast.ports.members import LocalMember, Members, Start
from outlast.sim.clock import SimClock
from outlast.sim.database import SimDatabase
from outlast.sim.engine import Engine
from outlast.sim.links import Links
from outlast.sim.loop import SimLoop
from outlast.sim.machine import Machine
from outlast.sim.setup import Setup


class Program:
    """etcd as a child of the test, as its supervisor would run it."""

    def __init__(self, settings: Path, log: Path) -> None:
        self._settings = settings
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    async def start_once(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: ASYNC220  (quick, and its end is asked for later)
                ["etcd", f"--config-file={self._settings}"], stdout=log, stderr=log
            )

    async def start(self) -> None:
        await self.start_once()

    async def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            await asyncio.to_thread(self._process.wait)

    async def pid(self) -> int:
        return self._process.pid if self._process is not None and self._process.poll() is None else 0


class RealStage:
    def __init__(self, directory: Path) -> None:
        self.locals: dict[str, LocalMember] = {}
        self.programs = [Program(directory / f"{name}.json", directory / f"{name}.log") for name in NAMES]
        for name, program in zip(NAMES, self.programs, strict=True):
            client_port, peer_port = free_ports(2)
            self.locals[name] = EtcdMember(
                name,
                program,
                directory / name,
                client_url=f"http://127.0.0.1:{client_port}",
                peer_url=f"http://127.0.0.1:{peer_port}",
            )
        self.members: Members


class TestEtcdMembers(MembersContract):
    def play(self, story: Story) -> None:
        if shutil.which("etcd") is None:
            pytest.skip("there is no etcd on this machine; install the package etcd-server")
        shared_memory = Path("/dev/shm")
        with tempfile.TemporaryDirectory(dir=shared_memory if shared_memory.is_dir() else None) as directory:
            asyncio.run(self._play(story, RealStage(Path(directory))))

    async def _play(self, story: Story, stage: RealStage) -> None:
        client = Client([local.client_url for local in stage.locals.values()], prefix="contract/")
        stage.members = EtcdMembers(client)
        try:
            async with asyncio.timeout(3 * HANG_S):
                initial = {name: local.peer_url for name, local in stage.locals.items()}
                for local in stage.locals.values():
                    await local.start(Start(initial, existing=False))
                await until(lambda: _all_are_named(stage.members), "the cluster is founded")
                await story(stage)
        finally:
            await client.close()
            for program in stage.programs:
                await program.stop()


async def _all_are_named(members: Members) -> bool:
    return all(member.name for member in await members.list(timeout_s=1.0))


class SimStage:
    def __init__(self, loop: SimLoop) -> None:
        machines = {name: Machine(name, loop, SimClock(loop), {}, 5.0, Nobody()) for name in NAMES}
        self.engine = Engine(Setup(nodes=NAMES, members=3), loop, Links(loop), SimDatabase(), machines, Nobody())
        self.locals: dict[str, LocalMember] = {}
        for name, machine in machines.items():
            machine.power_on("")
            local = self.engine.of(name)
            assert local is not None
            self.locals[name] = local
        members = self.engine.asked_by(self.engine.connect("a"))
        assert members is not None
        self.members = members


class TestSimMembers(MembersContract):
    def play(self, story: Story) -> None:
        loop = SimLoop()

        async def main() -> None:
            stage = SimStage(loop)
            for local in stage.locals.values():
                await local.start(Start({}))
            await story(stage)

        try:
            loop.run_until_complete(main())
            assert loop.problems == []
        finally:
            loop.close()
