"""One resource on this node that programs of others start, stop and ask.

What it was started with is written down before its start, in a file that outlives the host and the boot: a stop must
be given the properties of the start, and "not running" means something else for what was started here. What a program
says is not taken on trust where it matters: after a stop that succeeded the question must be answered accordingly, and
nothing that the start had started may be left (agents are known that say "stopped" because they cannot read their
configuration).
"""

import os
import threading
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from pathlib import Path

import msgspec

from outlast.plugin import CannotStart, Condition, Health, Json, Progress, Refusal, ResourceName, Spec, TypeHost
from outlast.resources import descendants
from outlast.resources.by_programs.actions import Actions, Busy
from outlast.resources.by_programs.driver import Acted, Action, Driver, NotUsable, acted
from outlast.resources.programs import Running, marked
from outlast.resources.records import Records

OPEN_WITHIN_S = 10.0
"""A question in `open` and `discover`, which the cluster service gives 15 s."""
TERMINATE_WITHIN_S = 11.0
"""Of the 15 s that the cluster service gives `terminate`; a stop that takes longer goes on, and is asked for again."""
LEFT_OVER_S = 2.0
"""What a stop, or an end, leaves behind may end by itself within that."""
KILLED_WITHIN_S = 2.0
TIMEOUTS_TO_FAIL = 2
"""An answer that comes in time now and then says more than one that is late once, on a busy machine."""
RESOURCE = "OUTLAST_RESOURCE"
ACTION = "OUTLAST_ACTION"


class StillThere(Exception):
    """It could not be stopped, or nobody can tell that it was."""


class Started(msgspec.Struct, frozen=True):
    """What is written down of a start."""

    properties: Mapping[str, Json]
    mark: str
    cgroup: str
    life: str = ""
    """Of this machine, from boot to boot: what was started in a former one has most likely ended with it."""


LIFE = Path("/run/outlast/life")


def this_life() -> str:
    """The same until /run is empty again."""
    while True:
        with suppress(FileNotFoundError):
            return LIFE.read_text()
        LIFE.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        new = LIFE.with_name(f"{LIFE.name}.{os.getpid()}.{threading.get_ident()}")
        new.write_text(os.urandom(16).hex())
        with suppress(FileExistsError):
            os.link(new, LIFE)  # the first of several that try
        new.unlink()


MakeDriver = Callable[[ResourceName, Mapping[str, Json]], Driver]
"""Raises `NotUsable`, and ValueError, both in words."""


class ProgramResource:
    def __init__(
        self,
        spec: Spec,
        host: TypeHost,
        records: Records[Started],
        make_driver: MakeDriver,
        spared: Collection[str] = (),
    ) -> None:
        """`spared`: programs that a start may start first, and that serve the whole machine from then on."""
        self.name = spec.name
        self._host = host
        self._records = records
        self._properties = spec.properties
        self._make_driver = make_driver
        self._spared = spared
        self._actions = Actions()
        self._gate = threading.Lock()
        self._terminations = 0
        self._late = 0
        self._last = Health(Condition.UNKNOWN, "it was not asked yet", running=True)
        self._drivers: dict[str, Driver] = {}
        """By the mark of the start; "" is for the next one."""

    # -- how it is ----------------------------------------------------------------------------------------------

    def health(self) -> Health:
        return self._last

    def find_out(self) -> Health:
        """What is there; ends what a killed host has left under way."""
        mark = f"{ACTION}={self._records.path(self.name)}"
        if marked(mark):
            try:
                descendants.kill(mark, "", KILLED_WITHIN_S)
            except descendants.StillRuns as error:
                self._host.log(f"{self.name}: what a former host had under way {error}")
        return self.ask(within_s=OPEN_WITHIN_S)

    def ask(self, *, thorough: bool = False, within_s: float | None = None) -> Health:
        """`within_s`: not longer than that."""
        started = self._records.path(self.name).exists()
        try:
            record = self._records.read(self.name)
            started = record is not None and record.life == this_life()
            driver = self._driver(record)
            timeout_s = min(driver.timeout_s(Action.ASK), within_s or float("inf"))
            answer = self._ask(driver, thorough=thorough, started=started, timeout_s=timeout_s)
        except Busy as error:
            return Health(Condition.UNKNOWN, str(error), running=True)
        except (NotUsable, ValueError) as error:
            self._last = Health(Condition.UNKNOWN if started else Condition.OFFLINE, str(error), running=started)
            return self._last
        if record is not None and not started and driver.gone(answer) and not self._left_over(record):
            # It ended with the life in which it was started.
            descendants.remove_cgroup(record.cgroup)
            self._records.remove(self.name)
        self._last = self._judge(driver, answer, record if started else None)
        return self._last

    def asked_for(self, seconds: float) -> Health:
        """A question has been under way for so long: what was known holds until its time is over."""
        try:
            driver = self._driver(self._records.read(self.name))
            limit_s = driver.timeout_s(Action.ASK)
        except (NotUsable, ValueError) as error:
            return Health(Condition.UNKNOWN, str(error), running=True)
        if seconds <= limit_s:
            return self._last
        words = f"its {driver.name_of(Action.ASK)} has not ended for {seconds:.0f} s and cannot be killed"
        late = Condition.FAILED if seconds > TIMEOUTS_TO_FAIL * limit_s else Condition.UNKNOWN
        return Health(late, words, running=True)

    def _judge(self, driver: Driver, answer: Acted, record: Started | None) -> Health:
        if not answer.timed_out:
            self._late = 0
            return self._with_what_is_left(driver.health(answer, started=record is not None), record)
        self._late += 1
        if self._late < TIMEOUTS_TO_FAIL or record is None:
            return Health(Condition.UNKNOWN, answer.words, running=True)
        return Health(Condition.FAILED, f"{answer.words}, {self._late} times one after the other", running=True)

    def _with_what_is_left(self, health: Health, record: Started | None) -> Health:
        """That nothing runs is not believed while something lives that its start had started."""
        if health.running or health.condition is not Condition.FAILED or record is None:
            return health
        # A start may leave helpers that end by themselves (an address is announced for a second).
        ends_s = time.monotonic() + LEFT_OVER_S
        while (left := self._left_over(record)) and time.monotonic() < ends_s:
            time.sleep(0.05)
        if not left:
            return health
        words = ", ".join(descendants.describe(pid) for pid in sorted(left))
        return Health(Condition.FAILED, f"{health.why}, and {words} of it runs", running=True)

    # -- start and stop -----------------------------------------------------------------------------------------

    def online(self, progress: Progress) -> None:
        terminations = self._terminations
        record = self._records.read(self.name)
        if self.ask().condition is Condition.ONLINE and record is not None:
            return
        if record is not None or self._last.running:
            progress("clearing away what is left of it")
            self._stop(record, TERMINATE_WITHIN_S)
        try:
            self._drivers.pop("", None)  # what could not be used may have been mended
            driver = self._driver(None)
            wrong = driver.problems()
        except (NotUsable, ValueError) as error:
            raise CannotStart(str(error)) from None
        if wrong:
            raise CannotStart("; ".join(wrong))
        progress("starting")
        record = self._write_down()
        try:
            answer = self._start(record, driver, terminations)
        except CannotStart:  # nothing was begun
            descendants.remove_cgroup(record.cgroup)
            self._records.remove(self.name)
            raise
        if driver.done(answer):
            progress("started")
            if self.ask().condition is Condition.ONLINE:
                return
            why = f"its {driver.name_of(Action.START)} succeeded, but then: {self._last.why}"
        else:
            why = answer.words if answer.timed_out else driver.told(answer)
        if self._terminations != terminations:
            raise CannotStart("it was told to stop while it started")
        self._stop(record, driver.timeout_s(Action.STOP))
        raise CannotStart(why)

    def _start(self, record: Started, driver: Driver, terminations: int) -> Acted:
        name, timeout_s = driver.name_of(Action.START), driver.timeout_s(Action.START)

        def begin() -> Running:
            with self._gate:
                if self._terminations != terminations:
                    raise CannotStart("it was told to stop before it started")
                return self._begin(driver, Action.START, timeout_s, record=record)

        try:
            return acted(self._actions.start(name, begin), name, timeout_s, driver)
        except (Busy, OSError) as error:
            raise RuntimeError(f"cannot be started: {error}") from error

    def _write_down(self) -> Started:
        mark = os.urandom(16).hex()
        cgroup = descendants.make_cgroup(f"resource-{self.name}-{mark[:8]}")
        record = Started(self._properties, f"{RESOURCE}={self._records.path(self.name)}#{mark}", cgroup, this_life())
        self._records.write(self.name, record)
        return record

    def offline(self, progress: Progress, timeout_s: float) -> None:
        progress("stopping")
        record = self._records.read(self.name)
        if record is None and not self.ask().running:
            return
        self._stop(record, timeout_s)

    def terminate(self) -> None:
        with self._gate:
            self._terminations += 1
        record = self._records.read(self.name)
        if record is None and not self.ask(within_s=OPEN_WITHIN_S / 2).running:
            self._actions.kill()
            return
        try:
            self._stop(record, TERMINATE_WITHIN_S, force=True)
        except NotUsable as error:
            raise StillThere(f"cannot be stopped: {error}") from error

    def forget(self) -> None:
        """Also of what has failed: then it was never stopped."""
        record = self._records.read(self.name)
        if record is None:
            return
        found = self.ask(within_s=OPEN_WITHIN_S)
        if found.running or found.condition in (Condition.ONLINE, Condition.UNKNOWN):
            raise StillThere(f'cannot forget "{self.name}": it may run here; take it offline first ({found.why})')
        descendants.remove_cgroup(record.cgroup)
        self._records.remove(self.name)

    def close(self) -> None:
        """A program that is under way ends by its own time-out."""

    def control(self, verb: str, arguments: Mapping[str, Json]) -> Json:
        raise Refusal(f'a resource that is run by programs cannot "{verb}"')

    def _stop(self, record: Started | None, within_s: float, *, force: bool = False) -> None:
        """Returns when nothing runs. `within_s`: for the stop; by force it is tried twice, the second time when what
        the start had started has been killed. Raises `StillThere`, `NotUsable`."""
        driver = self._driver(record)
        action = Action.TERMINATE if force else Action.STOP
        name = driver.name_of(action)
        limit_s = driver.timeout_s(action) if force else within_s
        ends_s = time.monotonic() + within_s
        for attempt in (1, 2):
            wait_s = max(0.5, ends_s - time.monotonic()) if force else limit_s + KILLED_WITHIN_S
            try:
                ended = self._actions.stop(action, name, lambda: self._begin(driver, action, limit_s), wait_s)
            except (Busy, OSError) as error:
                raise StillThere(f"cannot be stopped: {error}") from error
            if ended is None:
                raise StillThere(f"its {name} has been going on for {within_s:g} s, and goes on")
            answer = acted(ended, name, limit_s, driver)
            if not answer.timed_out and driver.done(answer):
                self._verify(record, driver, name)
                return
            if not force or attempt == 2 or record is None:
                told = answer.words if answer.timed_out else driver.told(answer)
                raise StillThere(f"its {name} failed: {told}")
            descendants.kill(record.mark, record.cgroup, KILLED_WITHIN_S, self._spared)

    def _verify(self, record: Started | None, driver: Driver, stop: str) -> None:
        """Who is asked must agree that it is gone; then nothing of it may be left."""
        answer = self._ask(driver, thorough=False, started=False, timeout_s=driver.timeout_s(Action.ASK))
        if answer.timed_out or not driver.gone(answer):
            told = answer.words if answer.timed_out else driver.told(answer)
            raise StillThere(f"its {stop} succeeded, but its {driver.name_of(Action.ASK)} says: {told}")
        if record is not None:
            self._clear_away(record, stop)
            self._records.remove(self.name)
        self._last = Health(Condition.OFFLINE)

    def _clear_away(self, record: Started, stop: str) -> None:
        ends_s = time.monotonic() + LEFT_OVER_S
        while left := self._left_over(record):
            if time.monotonic() > ends_s:
                words = ", ".join(descendants.describe(pid) for pid in sorted(left))
                self._host.log(f"{self.name}: its {stop} succeeded and left {words}, which is killed")
                descendants.kill(record.mark, record.cgroup, KILLED_WITHIN_S, self._spared)
                break
            time.sleep(0.02)
        descendants.remove_cgroup(record.cgroup)

    def _left_over(self, record: Started) -> set[int]:
        left = descendants.alive(record.mark, record.cgroup)
        return {pid for pid in left if descendants.program(pid) not in self._spared}

    # -- the programs ---------------------------------------------------------------------------------------------

    def _driver(self, record: Started | None) -> Driver:
        """For the properties of its start, as long as it may run. Raises `NotUsable`, ValueError."""
        key = record.mark if record is not None else ""
        if key not in self._drivers:
            self._drivers[key] = self._make_driver(self.name, record.properties if record else self._properties)
        return self._drivers[key]

    def _ask(self, driver: Driver, *, thorough: bool, started: bool, timeout_s: float) -> Acted:
        name = driver.name_of(Action.ASK)
        try:
            ended = self._actions.ask(
                name, lambda: self._begin(driver, Action.ASK, timeout_s, thorough=thorough, started=started)
            )
        except OSError as error:
            raise NotUsable(f"its {name} cannot be run: {error.strerror}") from error
        return acted(ended, name, timeout_s, driver)

    def _begin(
        self,
        driver: Driver,
        action: Action,
        timeout_s: float,
        *,
        thorough: bool = False,
        started: bool = True,
        record: Started | None = None,
    ) -> Running:
        """`record`: of a start; all that comes of it bears its mark."""
        if record is not None:
            name, _, value = record.mark.partition("=")
        else:
            name, value = ACTION, str(self._records.path(self.name))
        return driver.begin(
            action,
            thorough=thorough,
            started=started,
            timeout_s=timeout_s,
            extra={name: value},
            cgroup=record.cgroup if record is not None else "",
        )
