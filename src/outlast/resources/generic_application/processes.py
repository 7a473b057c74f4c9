"""The processes of an application: started, found again by another host, watched, and ended to the last one."""

import os
import pwd
import select
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import msgspec

from outlast.resources import descendants
from outlast.resources.generic_application.settings import Settings
from outlast.resources.programs import SEARCH_PATH, start_time

KILLED_WITHIN_S = 10.0
_LOOK_AGAIN_S = 0.02
_JOIN_GROUP = 'echo 0 >"$0/cgroup.procs" && exec "$@"'


class Application(msgspec.Struct, frozen=True):
    """What is written down of a start: enough to find all of it again."""

    settings: Settings
    mark: str
    """The beginning of a line of the environment that all of its processes bear."""
    cgroup: str
    pid: int = 0
    """Of the one that was started; 0 until it is known."""
    started: int = 0
    """When, in ticks since boot: with `pid`, that is one process for good."""


def environment(settings: Settings) -> dict[str, str]:
    user = {"USER": settings.user, "LOGNAME": settings.user} if settings.user else {}
    return {"PATH": SEARCH_PATH, "LANG": "C.UTF-8", **user, **settings.environment}


def as_user(settings: Settings, command: tuple[str, ...]) -> list[str]:
    """Raises KeyError when there is no such user."""
    if not settings.user:
        return list(command)
    user = pwd.getpwnam(settings.user)
    return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--init-groups", "--", *command]


def start(application: Application, output: int) -> "subprocess.Popen[bytes]":
    """Raises OSError."""
    settings = application.settings
    name, _, value = application.mark.partition("=")
    joining = ("/bin/sh", "-c", _JOIN_GROUP, application.cgroup) if application.cgroup else ()
    return subprocess.Popen(
        [*joining, *as_user(settings, settings.command)],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        env={**environment(settings), name: value},
        cwd=settings.working_directory,
        start_new_session=True,
    )


def lives(application: Application) -> bool:
    """The process that was started."""
    return application.pid != 0 and start_time(application.pid) == application.started


def left_over(application: Application) -> set[int]:
    """All that is left of it."""
    return descendants.alive(application.mark, application.cgroup) | _main(application)


def wait_for_end(application: Application, within_s: float, given_up: Callable[[], bool]) -> bool:
    """Whether the process that was started has ended by then."""
    ends_s = time.monotonic() + within_s
    while lives(application):
        if time.monotonic() > ends_s or given_up():
            return False
        time.sleep(_LOOK_AGAIN_S)
    return True


def end(application: Application, grace_s: float, given_up: Callable[[], bool]) -> None:
    """In order: the stop signal to the process that was started, then to those that it leaves behind, all within
    `grace_s`; then by force. Raises `descendants.StillRuns`."""
    ends_s = time.monotonic() + grace_s
    kin = session(application)
    _signal(_main(application), application.settings.stop_signal)
    wait_for_end(application, grace_s, given_up)
    _signal(left_over(application), application.settings.stop_signal)
    while left_over(application) and time.monotonic() < ends_s and not given_up():
        time.sleep(_LOOK_AGAIN_S)
    kill(application, kin)


def kill(application: Application, kin: dict[int, int] | None = None) -> None:
    """All of it, now. `kin`: those that were in its session, with their start times. Raises `descendants.StillRuns`."""
    kin = session(application) if kin is None else kin
    ends_s = time.monotonic() + KILLED_WITHIN_S
    while pids := _main(application) | {pid for pid, started in kin.items() if start_time(pid) == started}:
        if time.monotonic() > ends_s:
            words = ", ".join(descendants.describe(pid) for pid in sorted(pids))
            raise descendants.StillRuns(f"cannot be killed: {words}")
        _signal(pids, signal.SIGKILL)
        time.sleep(_LOOK_AGAIN_S / 2)
    descendants.kill(application.mark, application.cgroup, max(1.0, ends_s - time.monotonic()))


def session(application: Application) -> dict[int, int]:
    """The processes of its session, with their start times. Only while the one that was started lives: afterwards
    another session may bear its number."""
    if not lives(application):
        return {}
    found = {}
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            with suppress(OSError):
                fields = Path(entry.path, "stat").read_text().rpartition(")")[2].split()
                if int(fields[3]) == application.pid:
                    found[int(entry.name)] = int(fields[19])
    return found if lives(application) else {}


def wait_with(pidfd: int) -> None:
    """Returns when that process has ended."""
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    poll.poll()


def _main(application: Application) -> set[int]:
    return {application.pid} if lives(application) else set()


def _signal(pids: set[int], number: int) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)
