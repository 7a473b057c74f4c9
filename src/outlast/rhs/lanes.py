"""How do calls run beside each other without overtaking each other?

A lane runs its jobs one at a time, in order. Lanes know nothing of each other: a job that hangs holds up its own lane
only. A lane has a thread only while it has work, so a node of a hundred idle resources has no idle threads.
"""

import threading
from collections import deque
from collections.abc import Callable

Job = Callable[[], None]


class Lane:
    """Jobs must not raise; the host wraps each one so that it answers instead."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = threading.Lock()
        self._waiting: deque[Job] = deque()
        self._running = False

    @property
    def busy(self) -> bool:
        return self._running

    def submit(self, job: Job) -> None:
        with self._lock:
            self._waiting.append(job)
            if self._running:
                return
            self._running = True
        # Daemon threads: a job that hangs for ever must not keep a host alive that wants to leave.
        threading.Thread(target=self._work, name=self._name, daemon=True).start()

    def drop_waiting(self) -> None:
        """Forget what has not begun. What runs goes on."""
        with self._lock:
            self._waiting.clear()

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._running = False
                    return
                job = self._waiting.popleft()
            job()
