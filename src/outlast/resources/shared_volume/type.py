"""The resource type `shared_volume`: a directory that all nodes see, mounted by whatever the user has.

It is online on the node that coordinates the volume: changes of what lies there go through that node, one at a time
(`images.py`). That role is a file under /run, which says so to the next host. Whether the volume is seen here, every
node asks of its plugin (verb `watch`), whoever coordinates it.

Nothing here ever touches the volume itself: that may hang for ever, and is left to programs of their own.

Properties: `path`, `limit_s` (of the cluster's, not ours), and `directory` for the files under /run (for tests).
"""

import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from outlast.plugin import (
    CannotStart,
    Condition,
    Found,
    Health,
    Json,
    Progress,
    Refusal,
    ResourceName,
    Spec,
    TypeHost,
)
from outlast.resources.shared_volume import programs
from outlast.resources.shared_volume.watching import Seen, Volume, Watching, look_once

DIRECTORY = "/run/outlast/volumes"
ONLINE_DEADLINE_S = 20.0
ASK_DEADLINE_S = 4.0
"""Less than what a survey waits (5 s)."""
_STEP_S = 0.1


class SharedVolumeType:
    api_version = 1
    version = "1"
    functions: Sequence[str] = ("watch", "see", "mark", "images", "image", "begin", "job", "recover")

    def __init__(self, host: TypeHost) -> None:
        self._host = host
        self._watching = Watching()
        self._open: dict[ResourceName, SharedVolume] = {}
        self._directories = {Path(DIRECTORY)}

    def open(self, spec: Spec) -> "SharedVolume":
        volume = SharedVolume(spec, self._watching, self._open)
        self._directories.add(volume.file.parent)
        self._open[spec.name] = volume
        return volume

    def looks_alive(self, resources: Sequence[ResourceName]) -> Mapping[ResourceName, Health]:
        return self.is_alive(resources)

    def is_alive(self, resources: Sequence[ResourceName]) -> Mapping[ResourceName, Health]:
        return {name: self._open[name].health() for name in resources if name in self._open}

    def discover(self) -> Sequence[Found]:
        files = [file for directory in self._directories if directory.exists() for file in directory.glob("*.online")]
        return [Found(file.read_text(), file.stem, running=True) for file in sorted(files)]

    def control(self, verb: str, arguments: Mapping[str, Json]) -> Json:
        """`watch`: look at these volumes again and again, and tell what was seen last. `see`: look once. `mark`: make a
        directory a volume. `images`, `image`: what lies there."""
        match verb:
            case "watch":
                volumes = msgspec.convert(arguments["volumes"], list[Volume])
                return msgspec.to_builtins(self._watching.follow(volumes))
            case "see":
                return msgspec.to_builtins(look_once(msgspec.convert(arguments, Volume), ASK_DEADLINE_S))
            case "mark":
                return programs.ask({**arguments, "verb": "mark"}, ASK_DEADLINE_S)
            case "images":
                return programs.ask({**arguments, "verb": "list"}, ASK_DEADLINE_S)
            case "image":
                return programs.ask({**arguments, "verb": "show"}, ASK_DEADLINE_S)
        raise Refusal(f'the type "shared_volume" cannot "{verb}"; it can: {", ".join(self.functions)}')

    def close(self) -> None:
        self._watching.close()


class SharedVolume:
    """The role of its coordinator, on this node."""

    def __init__(self, spec: Spec, watching: Watching, siblings: "dict[ResourceName, SharedVolume]") -> None:
        self.name = spec.name
        self.id = spec.identity or spec.name
        self.path = str(spec.properties.get("path", ""))
        self.file = Path(str(spec.properties.get("directory", DIRECTORY))) / f"{spec.name.replace('/', '_')}.online"
        self._watching = watching
        self._siblings = siblings
        self._jobs: dict[str, programs.Job] = {}
        self._lock = threading.Lock()
        """A change begins, or everything ends: never both."""
        self._ends = 0
        """How often it was terminated."""
        self._held = self.file.exists()

    def health(self) -> Health:
        if not self.file.exists():
            if self._held:
                return Health(Condition.FAILED, f"{self.file} is gone", running=bool(programs.running(self.id)))
            left = programs.running(self.id)
            return Health(Condition.FAILED, "a change of it runs", running=True) if left else Health(Condition.OFFLINE)
        seen = self._watching.seen(self.name)
        if seen is not None and seen.why:
            return Health(Condition.FAILED, f"{self.path}: {seen.why}", running=True)
        return Health(Condition.ONLINE, running=True)

    def online(self, progress: Progress) -> None:
        ends = self._ends
        if self.file.exists():
            return
        progress(f"looks whether {self.path} is there")
        seen = look_once(Volume(self.name, self.path, self.id), ONLINE_DEADLINE_S)
        if seen.why:
            raise CannotStart(f'cannot coordinate "{self.name}" here: {self.path}: {seen.why}')
        self._watching.note(self.name, seen)
        programs.end(self.id)  # of another life
        with self._lock:
            if ends != self._ends:
                raise CannotStart(f'"{self.name}" was terminated while it started')
            self.file.parent.mkdir(parents=True, exist_ok=True)
            self.file.write_text(self.id)
            self._held = True

    def offline(self, progress: Progress, timeout_s: float) -> None:
        ends_s = time.monotonic() + timeout_s
        while programs.running(self.id) and self.file.exists() and time.monotonic() < ends_s:
            progress("a change of it is under way")
            time.sleep(_STEP_S)
        self.terminate()

    def terminate(self) -> None:
        with self._lock:
            self._ends += 1
            self._held = False
            programs.end(self.id)
            self.file.unlink(missing_ok=True)

    def control(self, verb: str, arguments: Mapping[str, Json]) -> Json:
        """`begin` a change, ask how its `job` stands (None: it is not known here), or `recover` from one that was cut
        short: end what runs of it, and tell what is there now."""
        request = {**arguments, "path": self.path, "id": self.id}
        match verb:
            case "begin":
                self._begin(request)
                return None
            case "job":
                job = self._jobs.get(str(arguments["id_of_change"]))
                return msgspec.to_builtins(job.progress) if job is not None else None
            case "recover":
                self._jobs.pop(str(arguments["id_of_change"]), None)
                programs.end(self.id)
                return programs.ask({**request, "verb": "recover"}, ONLINE_DEADLINE_S)
        raise Refusal(f'a volume cannot "{verb}"; it can: begin, job, recover')

    def _begin(self, request: Mapping[str, Json]) -> None:
        id = str(request["id_of_change"])
        with self._lock:
            if not self.file.exists():
                raise Refusal(f'"{self.name}" is not coordinated here any more')
            if id in self._jobs:
                return
            if programs.running(self.id):
                raise Refusal("another change of it is under way")
            self._jobs = {id: programs.Job(id, request)}

    def forget(self) -> None:
        self.file.unlink(missing_ok=True)

    def close(self) -> None:
        if self._siblings.get(self.name) is self:
            del self._siblings[self.name]


__all__ = ["Seen", "SharedVolume", "SharedVolumeType"]
