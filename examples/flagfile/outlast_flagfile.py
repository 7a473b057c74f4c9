"""The smallest useful resource type: a file that exists on one node of the cluster at a time.

Its definition is the file's path. Install it on every node (`pip install ./examples/flagfile`, into the environment of
Outlast), then `outlast resource-type restart flagfile --node NODE`, and `outlast resource-type list` shows it.

What it has made it writes down first, in a directory that outlives hosts and boots: for each resource a symbolic link
to its file. So a file that is gone is told from one that was never made, and `discover` rests on what is on the disk.
"""

import os
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from outlast.plugin import CannotStart, Condition, Found, Health, Json, Progress, Refusal, Spec, TypeHost


class FlagFile:
    """One file. It is online while it exists."""

    def __init__(self, spec: Spec, records: Path) -> None:
        self.path = Path(spec.definition)
        self.record = records / (spec.identity or spec.name)
        self._lock = threading.Lock()  # `terminate` may come beside `online`, and wins

    def health(self) -> Health:
        if self.path.exists():
            return Health(Condition.ONLINE, running=True)
        if self.record.is_symlink():  # Nobody has told us to remove it, so it broke.
            return Health(Condition.FAILED, f"{self.path} is gone")
        return Health(Condition.OFFLINE)

    def online(self, progress: Progress) -> None:
        with self._lock:
            try:
                self.record.parent.mkdir(parents=True, exist_ok=True)
                self.record.unlink(missing_ok=True)
                self.record.symlink_to(self.path)
                self.path.touch()
            except OSError as error:
                self._remove()  # If not even that can be done, its error says so: `CannotStart` would be a promise.
                raise CannotStart(f"{self.path} cannot be made: {error}") from error

    def offline(self, progress: Progress, timeout_s: float) -> None:
        self.terminate()

    def terminate(self) -> None:
        with self._lock:
            self._remove()

    def _remove(self) -> None:
        self.path.unlink(missing_ok=True)
        self.record.unlink(missing_ok=True)

    def control(self, verb: str, arguments: Mapping[str, Json]) -> Json:
        raise Refusal(f'a flag file knows no "{verb}"')

    def forget(self) -> None:
        self.record.unlink(missing_ok=True)

    def close(self) -> None:
        pass


class FlagFileType:
    api_version = 1
    version = "1.1"
    functions: Sequence[str] = ()

    def __init__(self, host: TypeHost) -> None:
        self.records = Path(os.environ.get("OUTLAST_FLAGFILE_RECORDS", "/var/lib/outlast-flagfile"))
        self.files: dict[str, FlagFile] = {}

    def open(self, spec: Spec) -> FlagFile:
        self.files[spec.name] = FlagFile(spec, self.records)
        return self.files[spec.name]

    def looks_alive(self, resources: Sequence[str]) -> Mapping[str, Health]:
        return {name: self.files[name].health() for name in resources if name in self.files}

    def is_alive(self, resources: Sequence[str]) -> Mapping[str, Health]:
        return self.looks_alive(resources)

    def discover(self) -> Sequence[Found]:
        records = sorted(self.records.iterdir()) if self.records.exists() else []
        return [Found(record.name, record.name, running=record.exists()) for record in records]

    def control(self, verb: str, arguments: Mapping[str, Json]) -> Json:
        raise Refusal(f'the type "flagfile" knows no "{verb}"')

    def close(self) -> None:
        pass
