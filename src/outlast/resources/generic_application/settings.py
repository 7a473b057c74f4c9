"""What do the properties of a generic application say?

`command` (a text as in a shell, without one; or a list), `working_directory`, `user`, `env.NAME`, `stop_signal`,
`grace_s`, `check_command`, `check_timeout_s`, `check_failures`, `settle_s`, `log_kib`.
"""

import difflib
import pwd
import shlex
import shutil
import signal
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from outlast.plugin import Json
from outlast.resources.environment import PREFIX, environment_of
from outlast.resources.programs import SEARCH_PATH


class Settings(msgspec.Struct, frozen=True):
    command: tuple[str, ...]
    working_directory: str = "/"
    user: str = ""
    """Empty: the one that the resource host runs as."""
    environment: Mapping[str, str] = msgspec.field(default_factory=dict)
    stop_signal: int = signal.SIGTERM
    grace_s: float = 10.0
    """After its stop signal, before it is killed; `offline` may allow less."""
    check_command: tuple[str, ...] = ()
    check_timeout_s: float = 10.0
    check_failures: int = 2
    """So many in a row, and it has failed."""
    settle_s: float = 1.0
    """Without a check, it serves when it has lived so long."""
    log_kib: int = 1024


def read(properties: Mapping[str, Json]) -> Settings:
    """Raises ValueError, in words."""
    found: dict[str, object] = {"environment": environment_of(properties)}
    for name, value in properties.items():
        if name in _READERS:
            found[name] = _READERS[name](name, value)
        elif not name.startswith(PREFIX):
            close = difflib.get_close_matches(name, _READERS, n=1)
            hint = f"; did you mean {close[0]}?" if close else ""
            raise ValueError(f"a generic application has no property {name}{hint}")
    if "command" not in found:
        raise ValueError("the property command is missing: what shall be run?")
    return msgspec.convert(found, Settings)


def problems(settings: Settings) -> list[str]:
    """What keeps it from being started on this node now, for people."""
    found = []
    program = settings.command[0]
    if not shutil.which(program, path=settings.environment.get("PATH", SEARCH_PATH)):
        found.append(f"there is no program {program} that could be run")
    if not Path(settings.working_directory).is_dir():
        found.append(f"the working directory {settings.working_directory} is not there")
    return [*found, *unknown_user(settings)]


def unknown_user(settings: Settings) -> list[str]:
    try:
        if settings.user:
            pwd.getpwnam(settings.user)
    except KeyError:
        return [f"there is no user {settings.user}"]
    return []


def _command(name: str, value: Json) -> tuple[str, ...]:
    try:
        words = shlex.split(value) if isinstance(value, str) else value
    except ValueError as error:
        raise ValueError(f'{name} cannot be "{value}": {error}') from None
    if (
        not isinstance(words, list)
        or not words
        or not all(isinstance(word, str) and "\0" not in word for word in words)
    ):
        raise ValueError(f"{name} cannot be {value!r}: it takes a command, or a list of its words")
    return tuple(words)


def _directory(name: str, value: Json) -> str:
    if not isinstance(value, str) or not value.startswith("/"):
        raise ValueError(f"{name} cannot be {value!r}: it takes a path that begins with /")
    return value


def _user(name: str, value: Json) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(f"{name} cannot be {value!r}: it takes the name of a user")
    return value


def _signal(name: str, value: Json) -> int:
    """TERM, SIGTERM or 15."""
    try:
        if isinstance(value, int) and not isinstance(value, bool):
            return int(signal.Signals(value))
        return int(signal.Signals[f"SIG{str(value).upper().removeprefix('SIG')}"])
    except (KeyError, ValueError):
        raise ValueError(f"{name} cannot be {value!r}: it takes the name of a signal, as TERM") from None


def _number(least: float, most: float) -> Callable[[str, Json], float]:
    def read_number(name: str, value: Json) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
            raise ValueError(f"{name} cannot be {value!r}: it takes a number from {least:g} to {most:g}")
        return value

    return read_number


def _whole(least: int, most: int) -> Callable[[str, Json], int]:
    def read_whole(name: str, value: Json) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise ValueError(f"{name} cannot be {value!r}: it takes a whole number from {least} to {most}")
        return value

    return read_whole


_READERS: Mapping[str, Callable[[str, Json], object]] = {
    "command": _command,
    "working_directory": _directory,
    "user": _user,
    "stop_signal": _signal,
    "grace_s": _number(0, 3600),
    "check_command": _command,
    "check_timeout_s": _number(0.1, 300),
    "check_failures": _whole(1, 100),
    "settle_s": _number(0, 60),
    "log_kib": _whole(16, 1024 * 1024),
}
