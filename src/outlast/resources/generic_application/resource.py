"""One application on this node.

*Online*: the process that was started lives, and its check, if it has one, does not fail. *Failed*: that process has
ended, whatever its exit code, for nobody here meant it; what it left behind may still run, and is ended first.
*Offline*: nothing was started, or all of it was ended.
"""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from outlast.plugin import CannotStart, Condition, Health, Json, Progress, Refusal, Spec, TypeHost
from outlast.resources import descendants, programs
from outlast.resources.generic_application import processes
from outlast.resources.generic_application.log import Log
from outlast.resources.generic_application.processes import Application
from outlast.resources.generic_application.settings import Settings, problems, read
from outlast.resources.records import Records

MARK = "OUTLAST_RESOURCE"
VERBS = ("log", "pid")
_LOOK_AGAIN_S = 0.05
_CHECK_AGAIN_S = 0.25


class GenericApplication:
    def __init__(self, spec: Spec, host: TypeHost, records: Records[Application], logs: Path) -> None:
        self.name = spec.name
        self._host = host
        self._records = records
        self._properties = spec.properties
        self._log_file = logs / f"{records.path(spec.name).stem}.log"
        self._gate = threading.Lock()
        self._terminations = 0
        self._stopping = False
        self._closed = False
        self._child: subprocess.Popen[bytes] | None = None
        self._ended = ""
        self._checks_failed = 0
        self._last_check = ""

    # -- how it is ----------------------------------------------------------------------------------------------

    def health(self) -> Health:
        try:
            application = self._records.read(self.name)
        except ValueError as error:
            return Health(Condition.UNKNOWN, str(error), running=True)
        if application is None:
            strays = programs.marked(self.mark)
            if not strays:
                return Health(Condition.OFFLINE)
            return Health(Condition.FAILED, f"{_named(strays)} of it, and nobody wrote its start down", running=True)
        if processes.lives(application):
            return self._checked(application)
        left = processes.left_over(application)
        why = self._end_of(application)
        return Health(Condition.FAILED, f"{why} and left {_named(left)}" if left else why, running=bool(left))

    @property
    def mark(self) -> str:
        return f"{MARK}={self._records.path(self.name)}#"

    def _checked(self, application: Application) -> Health:
        settings = application.settings
        if not settings.check_command:
            return Health(Condition.ONLINE, running=True)
        if self._checks_failed >= settings.check_failures:
            times = f", {self._checks_failed} times in a row" if self._checks_failed > 1 else ""
            return Health(Condition.FAILED, f"its check failed{times}: {self._last_check}", running=True)
        failed = f"its check failed: {self._last_check}" if self._checks_failed else ""
        return Health(Condition.ONLINE, failed, running=True, answers=not failed)

    def ask(self) -> Health:
        """Thorough: its check too."""
        with suppress(ValueError):
            application = self._records.read(self.name)
            if application is not None and processes.lives(application):
                self._log(application.settings).bound()
                if application.settings.check_command:
                    self._check(application.settings)
        return self.health()

    def _check(self, settings: Settings) -> bool:
        words = ""
        try:
            ended = programs.run(
                processes.as_user(settings, settings.check_command),
                timeout_s=settings.check_timeout_s,
                environment=processes.environment(settings),
                directory=settings.working_directory,
            )
        except (OSError, KeyError) as error:
            words = f"it cannot be run: {error}"
        else:
            if ended.timed_out:
                words = f"it did not end within {settings.check_timeout_s:g} s"
            elif ended.code:
                words = f"{ended.last_words or 'it says nothing'} (exit code {ended.code})"
        self._last_check = words
        self._checks_failed = self._checks_failed + 1 if words else 0
        return not words

    def _end_of(self, application: Application) -> str:
        if not application.pid:
            return "its start was cut off"
        if self._child is not None and self._child.pid == application.pid and not self._ended:
            code = self._child.poll()
            if code is not None:
                by = (
                    f"was ended by signal {-code} ({_signal_name(-code)})"
                    if code < 0
                    else f"ended with exit code {code}"
                )
                self._ended = f"it {by}"
        return self._ended or "it has ended"

    # -- start and stop -----------------------------------------------------------------------------------------

    def online(self, progress: Progress) -> None:
        terminations = self._terminations
        former = self._records.read(self.name)
        if former is not None and processes.lives(former):
            self._stopping = False
            return
        self._clear_away(former)
        try:
            settings = read(self._properties)
        except ValueError as error:
            raise CannotStart(str(error)) from None
        wrong = problems(settings)
        if wrong:
            raise CannotStart("; ".join(wrong))
        progress("starting")
        written = self._log(settings).size()
        application = self._start(settings, terminations)
        try:
            self._wait_until_it_serves(application, terminations, written)
        except CannotStart:
            self._clear_away(application)
            raise
        progress("it serves")

    def _start(self, settings: Settings, terminations: int) -> Application:
        cgroup = descendants.make_cgroup(f"application-{self.name}-{os.urandom(4).hex()}")
        application = Application(settings, f"{self.mark}", cgroup)
        with self._gate:
            if self._terminations != terminations:
                descendants.remove_cgroup(cgroup)
                raise CannotStart("it was told to stop before it started")
            # First that it is started, then who it is: a host that is killed in between leaves something to look for.
            self._records.write(self.name, application)
            output = self._log(settings).open()
            try:
                self._child = processes.start(application, output)
            except OSError as error:
                self._clear_away(application)
                raise CannotStart(f"cannot run {settings.command[0]}: {error.strerror}") from None
            finally:
                os.close(output)
            self._stopping, self._ended, self._checks_failed = False, "", 0
            started = programs.start_time(self._child.pid) or 0
            application = Application(settings, self.mark, cgroup, self._child.pid, started)
            self._records.write(self.name, application)
        self.watch()
        return application

    def _wait_until_it_serves(self, application: Application, terminations: int, written: int) -> None:
        settings = application.settings
        settled_s = time.monotonic() + settings.settle_s
        while True:
            if self._terminations != terminations:
                raise CannotStart("it was told to stop while it started")
            if not processes.lives(application):
                words = self._log(settings).last_line(written)
                raise CannotStart(f"{self._end_of(application)}{f': {words}' if words else ''}")
            if settings.check_command:
                if self._check(settings):
                    return
                time.sleep(_CHECK_AGAIN_S)
            elif time.monotonic() >= settled_s:
                return
            else:
                time.sleep(_LOOK_AGAIN_S)

    def offline(self, progress: Progress, timeout_s: float) -> None:
        progress("stopping")
        terminations = self._terminations
        self._stopping = True
        application = self._records.read(self.name)
        if application is not None:
            grace_s = min(timeout_s, application.settings.grace_s)
            processes.end(application, grace_s, lambda: self._terminations != terminations)
        self._clear_away(application)

    def terminate(self) -> None:
        with self._gate:
            self._terminations += 1
            self._stopping = True
            application = self._records.read(self.name)
        self._clear_away(application)

    def _clear_away(self, application: Application | None) -> None:
        """Returns when nothing of it is left, and nothing is written down. Raises `descendants.StillRuns`."""
        self._stopping = True
        if application is not None:
            processes.kill(application)
        descendants.kill(self.mark, "", processes.KILLED_WITHIN_S)
        if self._child is not None:
            self._child.poll()
        self._records.remove(self.name)

    # -- the end of it, seen at once -------------------------------------------------------------------------------

    def watch(self) -> None:
        """Reports the end of what runs, if anything does."""
        try:
            application = self._records.read(self.name)
        except ValueError:
            return
        if application is None or not application.pid:
            return
        try:
            pidfd = os.pidfd_open(application.pid)
        except ProcessLookupError:
            return
        if not processes.lives(application):  # another process by now
            os.close(pidfd)
            return
        threading.Thread(target=self._watch, args=(pidfd,), daemon=True, name=f"watches {self.name}").start()

    def _watch(self, pidfd: int) -> None:
        processes.wait_with(pidfd)
        os.close(pidfd)
        if not self._closed and not self._stopping:
            health = self.health()
            if health.condition is Condition.FAILED and not self._stopping:
                self._host.report(self.name, health)

    # -- the rest -------------------------------------------------------------------------------------------------

    def control(self, verb: str, arguments: Mapping[str, Json]) -> Json:
        if verb == "log":
            lines = arguments.get("lines", 100)
            return Log(self._log_file, 0).tail(lines if isinstance(lines, int) else 100)
        if verb == "pid":
            application = self._records.read(self.name)
            return application.pid if application is not None and processes.lives(application) else None
        raise Refusal(f'a generic application cannot "{verb}"; it can: {", ".join(VERBS)}')

    def forget(self) -> None:
        """Also of what has failed: then it was never stopped. Its log stays: it tells what happened."""
        application = self._records.read(self.name)
        if application is not None and processes.left_over(application):
            raise RuntimeError(f'cannot forget "{self.name}": it may run here; take it offline first')
        self._clear_away(application)

    def close(self) -> None:
        self._closed = True

    def _log(self, settings: Settings) -> Log:
        return Log(self._log_file, settings.log_kib * 1024)


def _named(pids: set[int]) -> str:
    return ", ".join(descendants.describe(pid) for pid in sorted(pids))


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "unknown"
