"""outlastd: reads the node's settings, plugs the real world in, and runs the node until it is told to end."""

import asyncio
from pathlib import Path

import structlog

from outlast.ports.database import Unavailable
from outlast.service.config import NodeConfig
from outlast.service.control import serve, serve_web
from outlast.service.entry import first_end, raise_bugs, start, usable_settings
from outlast.service.node import Node
from outlast.service.plugging import environment

log = structlog.get_logger()


def main() -> None:
    start("outlastd", "The cluster service of one node.", _run)


async def _run(config: NodeConfig, told_to_end: asyncio.Event) -> None:
    with usable_settings():
        world = environment(config)
    node = Node(config, world)
    work = {
        asyncio.create_task(node.run(), name="node"),
        asyncio.create_task(serve(node, Path(config.run_dir) / "control.sock"), name="control"),
        asyncio.create_task(serve_web(node, Path(config.run_dir) / "web.sock"), name="web"),
    }
    log.info("outlastd runs", node=config.node, database=config.database)
    await first_end(work, told_to_end)
    try:
        if told_to_end.is_set() and await node.leave():
            log.info("the session is closed in order")
    except Unavailable as error:
        log.warning("the session could not be closed in order", why=str(error))
    finally:
        # What runs goes on: the resource hosts guard it until the next service is there, or the permit ends.
        raise_bugs(work)
        for task in work:
            task.cancel()
    await world.database.close()


if __name__ == "__main__":
    main()
