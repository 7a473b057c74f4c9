"""outlastd: reads the node's settings, plugs the real world in, and runs the node until it is told to end."""

import argparse
import asyncio
import fcntl
import os
import signal
import sys
import tomllib
from pathlib import Path

import msgspec
import structlog

from outlast.adapters.watchdog import chosen
from outlast.core.timing import timing
from outlast.ports.database import Unavailable
from outlast.service.config import NodeConfig
from outlast.service.control import serve
from outlast.service.node import Node
from outlast.service.plugging import environment

DEFAULT_CONFIG = Path("/etc/outlast/outlast.toml")

log = structlog.get_logger()


class WrongSettings(Exception):
    """The settings cannot be used; the text says which and why."""


def main() -> None:
    arguments = argparse.ArgumentParser(prog="outlastd", description="The cluster service of one node.")
    arguments.add_argument("--config", type=Path, default=DEFAULT_CONFIG, help=f"default: {DEFAULT_CONFIG}")
    path: Path = arguments.parse_args().config
    _log_to_stderr()
    try:
        config = read_config(path)
        run_dir = Path(config.run_dir)
        run_dir.mkdir(mode=0o755, parents=True, exist_ok=True)
        with _only_one(run_dir):
            asyncio.run(_run(config))
    except (WrongSettings, Unavailable) as error:
        print(f"outlastd: {error}", file=sys.stderr)
        sys.exit(2)


def read_config(path: Path) -> NodeConfig:
    """Raises `WrongSettings` with the key and the reason."""
    try:
        config = msgspec.convert(tomllib.loads(path.read_text()), NodeConfig)
        timing(config.node_timeout_s)
        chosen(config.watchdog, Path(config.run_dir))
    except OSError as error:
        raise WrongSettings(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, msgspec.ValidationError) as error:  # TOML's own and Impossible are ValueErrors
        raise WrongSettings(f"{path} cannot be used: {error}") from error
    return config


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


class _only_one:
    """Two services for one node would fight: the second is refused."""

    def __init__(self, run_dir: Path) -> None:
        self._file = (run_dir / "outlastd.lock").open("w")

    def __enter__(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise WrongSettings(f"another outlastd runs on this node already ({self._file.name} is locked)") from None

    def __exit__(self, *_: object) -> None:
        self._file.close()


def _log_to_stderr() -> None:
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.format_exc_info,
            structlog.processors.KeyValueRenderer(key_order=["timestamp", "level", "event"], repr_native_str=False),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


if __name__ == "__main__":
    main()
