"""What a plugin told before it answered is heard before its answer: it says how things were before."""

import asyncio
import contextlib
import os
import signal
import sys
from pathlib import Path

from hosts_contract import SOON_S
from test_hosts import install

from outlast.adapters.clock import SystemClock
from outlast.adapters.hosts import ProcessHosts
from outlast.model.health import Health, Spec
from outlast.ports.hosts import HealthReport, Host
from outlast.service.hosting.hosts import HostKeeper, Progress

TALKS = """
from outlast.plugin import Condition, Health
from outlast.resources.dummy import DummyType
class Mine(DummyType):
    def __init__(self, host):
        super().__init__(host)
        self.talk = host.report
    def control(self, verb, arguments):
        for _ in range(3):
            self.talk("it", Health(Condition.ONLINE))
"""
ROUNDS = 50


def test_words_that_came_before_an_answer_are_heard_before_it(tmp_path: Path) -> None:
    async def main() -> None:
        install(tmp_path / "site", TALKS)
        command = ["env", f"PYTHONPATH={tmp_path / 'site'}", sys.executable, "-P", "-m", "outlast.rhs.main"]
        keeper = HostKeeper(ProcessHosts(tmp_path / "run", command=command), SystemClock())
        heard: list[str] = []

        async def listen() -> None:
            while True:
                if isinstance(await keeper.news.get(), HealthReport):
                    heard.append("word")

        async def open_it(host: Host, _: Progress) -> Health:
            return await host.open(Spec("it", "mine", properties={"directory": str(tmp_path)}))

        async def talk(host: Host, _: Progress) -> None:
            await host.type_control("mine", "talk", {})

        keeping = [asyncio.create_task(keeper.run()), asyncio.create_task(listen())]
        try:
            await keeper.call("mine", "open", SOON_S, open_it)
            for _ in range(ROUNDS):
                await keeper.call("mine", "control", SOON_S, talk)
                heard.append("answer")
        finally:
            for task in keeping:
                task.cancel()
            for pid in keeper.processes().values():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        assert heard == ["word", "word", "word", "answer"] * ROUNDS

    asyncio.run(main())
