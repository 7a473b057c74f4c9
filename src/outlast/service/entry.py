"""How does each of our services begin and end? It reads its settings, is the only one, logs where its supervisor reads,
and goes on until it is told to end."""

import argparse
import asyncio
import fcntl
import logging
import os
import signal
import sys
import tomllib
from collections.abc import Awaitable, Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import structlog

from outlast.core.membership.timing import timing
from outlast.ports.database import Unavailable
from outlast.service.config import NodeConfig

DEFAULT_CONFIG = Path("/etc/outlast/outlast.toml")


class WrongSettings(Exception):
    """The settings cannot be used; the text says which and why."""


Run = Callable[[NodeConfig, asyncio.Event], Awaitable[None]]
"""What a program does, with the node's settings, until the event is set: it is told to end."""


def start(program: str, about: str, run: Run) -> None:
    """The program, from its command line on. `about`: what it is, in one line, for `--help`."""
    arguments = argparse.ArgumentParser(prog=program, description=about)
    arguments.add_argument("--config", type=Path, default=DEFAULT_CONFIG, help=f"default: {DEFAULT_CONFIG}")
    path: Path = arguments.parse_args().config
    log_to_stderr()
    try:
        config = read_config(path)
        run_dir = Path(config.run_dir)
        run_dir.mkdir(mode=0o755, parents=True, exist_ok=True)
        with only_one(run_dir, program):
            asyncio.run(_until_told_to_end(config, run))
    except (WrongSettings, Unavailable) as error:
        print(f"{program}: {error}", file=sys.stderr)
        sys.exit(2)


async def _until_told_to_end(config: NodeConfig, run: Run) -> None:
    told_to_end = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told_to_end.set)
    await run(config, told_to_end)
    os._exit(0)


@contextmanager
def usable_settings() -> Iterator[None]:
    """For what is built from them: a value that turns out to be wrong there is the settings' fault."""
    try:
        yield
    except ValueError as error:
        raise WrongSettings(f"the settings of this node cannot be used: {error}") from error


async def first_end(work: Collection["asyncio.Task[None]"], told_to_end: asyncio.Event) -> None:
    """Until one part of the work has ended, which none should, or it is told to end."""
    ending = asyncio.create_task(told_to_end.wait())
    await asyncio.wait({*work, ending}, return_when=asyncio.FIRST_COMPLETED)


def raise_bugs(work: Collection["asyncio.Task[None]"]) -> None:
    """A bug of ours ends the process, loudly; its supervisor starts it again."""
    for task in work:
        if task.done():
            task.result()


def read_config(path: Path) -> NodeConfig:
    """Raises `WrongSettings` with the key and the reason."""
    try:
        config = msgspec.convert(tomllib.loads(path.read_text()), NodeConfig)
        timing(config.node_timeout_s)
    except OSError as error:
        raise WrongSettings(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, msgspec.ValidationError) as error:  # TOML's own and Impossible are ValueErrors
        raise WrongSettings(f"{path} cannot be used: {error}") from error
    return config


@contextmanager
def only_one(run_dir: Path, program: str) -> Iterator[None]:
    """Two services for one node would fight: the second is refused."""
    with (run_dir / f"{program}.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise WrongSettings(f"another {program} runs on this node already ({file.name} is locked)") from None
        yield


def log_to_stderr(level: int = logging.NOTSET) -> None:
    """`level`: what is less than that (as `logging` has it) is left out."""
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(level),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.format_exc_info,
            structlog.processors.KeyValueRenderer(key_order=["timestamp", "level", "event"], repr_native_str=False),
        ],
        logger_factory=_to_stderr,
    )


def _to_stderr(*_: object) -> structlog.PrintLogger:
    """To what that is by then: who runs a program within another one may have put something else in its place."""
    return structlog.PrintLogger(sys.stderr)
