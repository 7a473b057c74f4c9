"""This node's watchdog: armed while anything may run here, fed by what extends the run permit (rule 3).

Nobody waits for it and nothing hangs on it: one that cannot be armed or fed is declared no longer, and the node goes
on without (`core/membership/watchdog.py` says why nothing starts before the cluster knows).
"""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress

import structlog

from outlast.core.membership.watchdog import may_feed, may_start, must_count
from outlast.core.owner.resource import S
from outlast.model.watchdog import Strength
from outlast.ports.environment import Clock
from outlast.ports.watchdog import Watchdog

log = structlog.get_logger()

TRY_AGAIN_S = 30.0
IDLE_LOOK_S = 1.0


class Arming:
    def __init__(self, watchdog: Watchdog | None, clock: Clock) -> None:
        self.claim_s = 0.0
        """What the session record declares from now on."""
        self.problem = ""
        """Why nothing is declared although a watchdog is set, for people."""
        self.claim_changed: Callable[[], None] = lambda: None
        """Called when the cluster should be told at once."""
        self._watchdog = watchdog
        self._clock = clock
        self._timeout_s = 0.0
        self._counting_s = 0.0
        self._told_s = 0.0
        self._states: Callable[[], Iterable[S]] = tuple
        self._failed_at = 0.0

    @property
    def strength(self) -> Strength | None:
        return self._watchdog.strength if self._watchdog is not None and self.claim_s else None

    def watch(self, states: Callable[[], Iterable[S]]) -> None:
        """Where to look what may run here."""
        self._states = states

    def prepare(self, timeout_s: float, *, running: bool, until_s: float) -> None:
        """A session is about to be opened. `running`: something may run here already, under a permit until then."""
        self._timeout_s, self.claim_s, self.problem = timeout_s, 0.0, ""
        if self._watchdog is None:
            return
        if running:
            if may_feed(until_s, self._clock.now()):
                self._arm()  # at once: what was armed in the service's last life is fed, never stopped
            return
        try:
            self.claim_s = self._watchdog.length_s(timeout_s)
        except OSError as error:
            self._failed(error)

    def told(self, claim_s: float) -> None:
        """A session record of this node that declares so much stands in the database."""
        self._told_s = claim_s

    def may_start(self) -> bool:
        """Arms it, if it is not; False: the cluster must be told something else first, so try again."""
        if self.claim_s and not self._counting_s:
            self._arm()
        return may_start(self.claim_s, self._counting_s, self._told_s)

    def look(self) -> None:
        """Something that runs here may have begun or ended."""
        counts = bool(self._counting_s)
        needed = must_count(self._states(), counts=counts)
        if needed and not counts and self.claim_s:
            self._arm()
        elif counts and not needed:
            self._disarm()

    def feed(self, until_s: float) -> None:
        """The run permit was extended until then. One that is gone is declared no longer.

        The clock is read once more: this process may have stood still since its caller has looked."""
        if self._watchdog is None or not may_feed(until_s, self._clock.now()):
            return
        if self.problem:
            if self._clock.now() >= self._failed_at + TRY_AGAIN_S:
                self._try_again()
        elif self._counting_s:
            try:
                self._watchdog.feed()
            except OSError as error:
                self._failed(error)

    def stand_down(self) -> None:
        """Nothing runs here, and there is no session."""
        self._told_s = 0.0
        if self._watchdog is not None:
            self._disarm()

    async def run(self) -> None:
        """Feeds a watchdog that cannot be stopped also while nothing runs: the node need not end for nothing."""
        while self._watchdog is not None:
            await asyncio.sleep(self._timeout_s / 4 or IDLE_LOOK_S)
            if self._watchdog.counts_on and not self._counting_s:
                with suppress(OSError):  # then it ends the node, and nothing runs here
                    self._watchdog.feed()

    def _arm(self) -> None:
        assert self._watchdog is not None
        try:
            self._counting_s = self._watchdog.arm(self._timeout_s)
        except OSError as error:
            self._failed(error)
            return
        if self._counting_s != self.claim_s:
            self.claim_s = self._counting_s
            self.claim_changed()

    def _disarm(self) -> None:
        assert self._watchdog is not None
        self._counting_s = 0.0
        self._watchdog.disarm()

    def _try_again(self) -> None:
        """Its countdown is declared when it runs, not before: something may run here."""
        self._failed_at = self._clock.now()
        self.problem = ""
        self._arm()
        if not self.problem:
            log.info("the watchdog counts again", watchdog=self._watchdog.words if self._watchdog else "")
            self.look()

    def _failed(self, error: OSError) -> None:
        log.warning("the watchdog counts no more", why=str(error))
        self.problem = str(error)
        self._failed_at = self._clock.now()
        self.claim_s = self._counting_s = 0.0
        self.claim_changed()
