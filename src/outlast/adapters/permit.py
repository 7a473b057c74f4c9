"""How does the cluster service write the run permit, so that every resource host of the node can read it?

One file of one record (`core/membership/permit.py`), on a file system that is empty after a boot (`/run`), overwritten
in place by a single write; readers check its sum. No fsync: it need not survive anything.
"""

import os
from pathlib import Path

from outlast.core.membership.permit import RECORD_BYTES, PermitRecord, from_bytes, to_bytes

FILE_NAME = "permit"


class FilePermit:
    """The Permit port on a file. `service` names this life of the cluster service."""

    def __init__(self, path: Path, service: str) -> None:
        self.path = path
        self.service = service
        self._generation = 0
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)

    def until_s(self) -> float:
        record = from_bytes(os.pread(self._fd, RECORD_BYTES, 0))
        return record.until_s if record is not None else 0.0

    def extend(self, until_s: float) -> None:
        self._generation += 1
        os.pwrite(self._fd, to_bytes(PermitRecord(self.service, self._generation, until_s)), 0)

    def close(self) -> None:
        os.close(self._fd)
