"""The smallest useful resource type: a file that exists on one node of the cluster at a time.

Its definition is the file's path. Install it on every node (`pip install ./examples/flagfile`), restart the resource
host, and `outlast resource-type list` shows it.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from outlast.plugin import CannotStart, Condition, Found, Health, Json, Progress, Refusal, Spec, TypeHost


class FlagFile:
    """One file. It is online when it exists."""

    def __init__(self, spec: Spec) -> None:
        self.path = Path(spec.definition)

    def health(self) -> Health:
        if self.path.exists():
            return Health(Condition.ONLINE, running=True)
        return Health(Condition.OFFLINE)

    def online(self, progress: Progress) -> None:
        try:
            self.path.touch()
        except OSError as error:
            raise CannotStart(f"cannot create {self.path}: {error.strerror}") from error

    def offline(self, progress: Progress, timeout_s: float) -> None:
        self.terminate()

    def terminate(self) -> None:
        self.path.unlink(missing_ok=True)

    def control(self, verb: str, arguments: Mapping[str, Json]) -> Json:
        raise Refusal(f'a flag file knows no "{verb}"')

    def forget(self) -> None:
        pass

    def close(self) -> None:
        pass


class FlagFileType:
    api_version = 1
    version = "1.0"
    functions: Sequence[str] = ()

    def __init__(self, host: TypeHost) -> None:
        self.files: dict[str, FlagFile] = {}

    def open(self, spec: Spec) -> FlagFile:
        self.files[spec.name] = FlagFile(spec)
        return self.files[spec.name]

    def looks_alive(self, resources: Sequence[str]) -> Mapping[str, Health]:
        return {name: self.files[name].health() for name in resources if name in self.files}

    def is_alive(self, resources: Sequence[str]) -> Mapping[str, Health]:
        return self.looks_alive(resources)

    def discover(self) -> Sequence[Found]:
        return [Found(name, name, running=True) for name, file in self.files.items() if file.path.exists()]

    def control(self, verb: str, arguments: Mapping[str, Json]) -> Json:
        raise Refusal(f'the type "flagfile" knows no "{verb}"')

    def close(self) -> None:
        pass
