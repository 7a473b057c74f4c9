"""What each of our programs does first: read its settings, be the only one, and log where its supervisor reads."""

import fcntl
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import structlog

from outlast.core.timing import timing
from outlast.service.config import NodeConfig

DEFAULT_CONFIG = Path("/etc/outlast/outlast.toml")


class WrongSettings(Exception):
    """The settings cannot be used; the text says which and why."""


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


def log_to_stderr() -> None:
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.format_exc_info,
            structlog.processors.KeyValueRenderer(key_order=["timestamp", "level", "event"], repr_native_str=False),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
