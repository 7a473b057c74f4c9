"""The cluster database of one machine: SQLite in a file that several processes share.

`database` is the port as the event loop sees it; `store` is what one process does to the file; `worker` is
the thread between the two; `bell` tells the other processes that something was committed; `place` says
whether a file system can carry all this; `faults` puts SQLite's errors into words.
"""

from outlast.adapters.sqlite.database import SqliteDatabase

__all__ = ["SqliteDatabase"]
