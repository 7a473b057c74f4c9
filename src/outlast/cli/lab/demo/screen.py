"""Where does the demo tell its story? On a terminal: the story scrolls, and below it stands the cluster as it is now.
Without a terminal, or on a dumb one: plain lines."""

import sys
import threading
import time
from typing import Any, Protocol

from outlast.cli import output, rows
from outlast.cli.output import Cell
from outlast.cli.top.picture import latest
from outlast.client.control import ControlError
from outlast.lab.cluster import LabCluster
from outlast.lab.errors import LabError
from outlast.model.answers import ClusterStatus
from outlast.model.event import Event

LOOK_EVERY_S = 0.2
MOST_EVENTS = 6
TIME_TO_READ_S = 1.5


class Screen(Protocol):
    def watch_from(self, node: str) -> None:
        """The node that is asked how the cluster is; "": none yet, or any more."""

    def step(self, title: str) -> None:
        """A new chapter."""

    def say(self, words: str, *, good: bool = False) -> None:
        """A line of the story."""

    def rest(self) -> None:
        """Time to look at the cluster, where there is something to look at."""

    def close(self) -> None: ...


def screen(cluster: LabCluster) -> Screen:
    console = output.console()
    if not sys.stdout.isatty() or console.is_dumb_terminal:
        return PlainScreen()
    return LiveScreen(cluster, console)


class PlainScreen:
    def __init__(self) -> None:
        self._began = time.monotonic()

    def watch_from(self, node: str) -> None:
        pass

    def step(self, title: str) -> None:
        self._print("\n" + title)

    def say(self, words: str, *, good: bool = False) -> None:
        self._print(f"{time.monotonic() - self._began:7.1f} s  {words}")

    def rest(self) -> None:
        pass

    def close(self) -> None:
        pass

    def _print(self, words: str) -> None:
        sys.stdout.write(output.printable(words) + "\n")
        sys.stdout.flush()


class LiveScreen:
    def __init__(self, cluster: LabCluster, console: Any) -> None:
        from rich.live import Live

        self._cluster = cluster
        self._console = console
        self._node = ""
        self._status: ClusterStatus | None = None
        self._events: list[Event] = []
        self._ending = threading.Event()
        self._live = Live(
            get_renderable=self._picture, console=console, refresh_per_second=8, transient=True, redirect_stderr=False
        )
        self._live.start()
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()

    def watch_from(self, node: str) -> None:
        self._node = node

    def step(self, title: str) -> None:
        self.rest()
        self._console.print()
        self._console.print(output.joined(Cell(title, "bold cyan")))

    def say(self, words: str, *, good: bool = False) -> None:
        self._console.print(output.joined("  ", Cell(words, "green" if good else "")))

    def rest(self) -> None:
        if self._status is not None:
            time.sleep(TIME_TO_READ_S)

    def close(self) -> None:
        self._ending.set()
        self._watcher.join()
        self._live.stop()

    def _watch(self) -> None:
        while not self._ending.wait(LOOK_EVERY_S):
            node = self._node
            if not node:
                self._status = None
                continue
            try:
                self._status = self._cluster.status(node)
                self._events = self._cluster.events(node, limit=MOST_EVENTS)
            except (ControlError, LabError, OSError):
                continue  # the picture stays as it was; the story says what is wrong

    def _picture(self) -> Any:
        from rich.console import Group
        from rich.rule import Rule

        status = self._status
        if status is None:
            return output.joined("")
        width = self._console.width
        parts: list[Any] = [
            Rule(style="dim"),
            output.grid(rows.NODE_TITLES, [rows.node(n) for n in status.nodes], width),
        ]
        parts += ["", output.grid(rows.VM_TITLES, [rows.vm(row) for row in status.vms], width, "no VM yet"), ""]
        parts += [told.line(width - 1) for told in latest(self._events, MOST_EVENTS)]
        return Group(*parts)
