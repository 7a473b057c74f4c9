"""outlastd: reads the node's settings, plugs the real world in, and runs the node until it is told to end."""

import argparse
import asyncio
import os
import signal
import sys
from pathlib import Path

import structlog

from outlast.ports.database import Unavailable
from outlast.service.config import NodeConfig
from outlast.service.control import serve
from outlast.service.entry import DEFAULT_CONFIG, WrongSettings, log_to_stderr, only_one, read_config
from outlast.service.node import Node
from outlast.service.plugging import environment

log = structlog.get_logger()


def main() -> None:
    arguments = argparse.ArgumentParser(prog="outlastd", description="The cluster service of one node.")
    arguments.add_argument("--config", type=Path, default=DEFAULT_CONFIG, help=f"default: {DEFAULT_CONFIG}")
    path: Path = arguments.parse_args().config
    log_to_stderr()
    try:
        config = read_config(path)
        run_dir = Path(config.run_dir)
        run_dir.mkdir(mode=0o755, parents=True, exist_ok=True)
        with only_one(run_dir, "outlastd"):
            asyncio.run(_run(config))
    except (WrongSettings, Unavailable) as error:
        print(f"outlastd: {error}", file=sys.stderr)
        sys.exit(2)


async def _run(config: NodeConfig) -> None:
    try:
        world = environment(config)
    except ValueError as error:
        raise WrongSettings(f"the settings of this node cannot be used: {error}") from error
    node = Node(config, world)
    loop = asyncio.get_running_loop()
    told_to_end = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told_to_end.set)
    work = {
        asyncio.create_task(node.run(), name="node"),
        asyncio.create_task(serve(node, Path(config.run_dir) / "control.sock"), name="control"),
    }
    ending = asyncio.create_task(told_to_end.wait())
    log.info("outlastd runs", node=config.node, database=config.database)
    await asyncio.wait({*work, ending}, return_when=asyncio.FIRST_COMPLETED)
    try:
        if told_to_end.is_set() and await node.leave():
            log.info("the session is closed in order")
    except Unavailable as error:
        log.warning("the session could not be closed in order", why=str(error))
    finally:
        # What runs goes on: the resource hosts guard it until the next service is there, or the permit ends.
        for task in work:
            if task.done():
                task.result()  # a bug of ours ends the process, loudly; its supervisor starts it again
            task.cancel()
    await world.database.close()
    os._exit(0)


if __name__ == "__main__":
    main()
