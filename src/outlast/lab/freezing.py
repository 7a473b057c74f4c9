"""How does something stand still without holding up everybody else?

The nodes of a lab with SQLite share one file. Who stands still in the middle of a write keeps all others from writing
for as long as that lasts, which no database server would do: then another moment is chosen.
"""

import signal
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

from outlast.lab import node
from outlast.lab.errors import LabError
from outlast.lab.layout import NodePaths

WRITABLE_WITHIN_S = 0.5
"""Much longer than a write of a process that goes on."""
_ATTEMPTS = 20
_PAUSE_S = 0.01


def freeze(target: NodePaths, process: str = "") -> None:
    """The whole node, or one process of it (`node.find_processes`)."""

    def stop() -> None:
        if process:
            _signal(target, process, signal.SIGSTOP)
        else:
            node.freeze(target)

    database = target.lab.database
    if not stand_still(stop, lambda: thaw(target, process), database):
        raise LabError(f"cannot freeze {target.name}: whenever it stands still, nobody can write to {database}")


def thaw(target: NodePaths, process: str = "") -> None:
    if process:
        _signal(target, process, signal.SIGCONT)
    else:
        node.thaw(target)


def _signal(target: NodePaths, process: str, what: signal.Signals) -> None:
    node.signal_processes(target, process, what)


def stand_still(freeze: Callable[[], None], thaw: Callable[[], None], database: Path) -> bool:
    """In a moment in which others can write to the database; False when there is none."""
    for _ in range(_ATTEMPTS):
        freeze()
        if _can_be_written(database):
            return True
        thaw()
        time.sleep(_PAUSE_S)
    return False


def _can_be_written(database: Path) -> bool:
    if not database.exists():
        return True  # etcd: each of its members has its own
    connection = sqlite3.connect(database, timeout=WRITABLE_WITHIN_S, isolation_level=None)
    try:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("ROLLBACK")
        return True
    except sqlite3.OperationalError:
        return False
    finally:
        connection.close()
