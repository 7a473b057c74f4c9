"""The machine's own time."""

import time


class SystemClock:
    def now(self) -> float:
        # Unlike CLOCK_MONOTONIC it counts while the machine sleeps: a session does not outlast a nap.
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    def wall(self) -> float:
        return time.time()
