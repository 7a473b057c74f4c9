"""The resource type `dummy`: a process that only sleeps, and, when told so, a plugin that misbehaves.

It serves tests and demonstrations: everything a cluster does with a VM can be tried with it in milliseconds. What
"runs" is a `sleep` process; a small state file says which, so that a new host finds it again.

Properties: `directory` for the state files (default /run/outlast/dummy), and how it misbehaves:
`start_fails` (the reason), `start_takes_s`, `hang_in`, `crash_in` and `fail_in` (lists of the method names below),
`lie` (a condition that health calls give whatever is true), `false_stop` (`offline` and `terminate` stop nothing, and
return as if they had), `transfer_takes_s`. The control verb `misbehave` changes
the same at run time, `report` lets it report a health by itself.

It can be handed over as it runs, from one state directory to another on the same machine: that is the address of the
destination. Its type does not say so among its functions, because nodes have one machine each.
"""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from outlast.plugin import (
    STAND_STILL,
    CannotStart,
    Condition,
    Destination,
    Found,
    Health,
    Json,
    Progress,
    Refusal,
    ResourceName,
    SavedState,
    Spec,
    Transfer,
    TransferProgress,
    TypeHost,
)

DIRECTORY = "/run/outlast/dummy"
_SLEEP = ("sleep", "infinity")
_STEP_S = 0.05


class State(msgspec.Struct, frozen=True):
    """What the state file holds: which process it is, so that a reused pid is not mistaken for it."""

    name: str
    pid: int
    started: int
    """Field 22 of /proc/PID/stat: the kernel's own start time."""
    stands: bool = False
    """It was handed over from another directory, and was not taken up yet."""


class Behaviour(msgspec.Struct, frozen=True):
    start_fails: str = ""
    start_takes_s: float = 0.0
    hang_in: tuple[str, ...] = ()
    crash_in: tuple[str, ...] = ()
    fail_in: tuple[str, ...] = ()
    lie: Condition | None = None
    false_stop: bool = False
    transfer_takes_s: float = 0.0


class DummyType:
    api_version = 1
    version = "1"
    functions: Sequence[str] = ("misbehave", "report", "pid", STAND_STILL)

    def __init__(self, host: TypeHost) -> None:
        self._host = host
        self._open: dict[ResourceName, Dummy] = {}
        self._directories = {Path(DIRECTORY)}

    def open(self, spec: Spec) -> "Dummy":
        dummy = Dummy(spec, self._host, self._open)
        dummy.behave("open")
        self._directories.add(dummy.file.parent)
        self._open[spec.name] = dummy
        return dummy

    def looks_alive(self, resources: Sequence[ResourceName]) -> Mapping[ResourceName, Health]:
        return self._ask("looks_alive", resources)

    def is_alive(self, resources: Sequence[ResourceName]) -> Mapping[ResourceName, Health]:
        return self._ask("is_alive", resources)

    def _ask(self, call: str, resources: Sequence[ResourceName]) -> Mapping[ResourceName, Health]:
        found = {}
        for name in resources:
            if dummy := self._open.get(name):
                dummy.behave(call)
                found[name] = dummy.health()
        return found

    def discover(self) -> Sequence[Found]:
        for dummy in list(self._open.values()):
            dummy.behave("discover")
        files = [file for directory in self._directories if directory.exists() for file in directory.glob("*.json")]
        states = [state for file in sorted(files) if (state := _read(file))]
        return [Found(state.name, state.name, running=_runs(state), stands=state.stands) for state in states]

    def control(self, verb: str, arguments: Mapping[str, Json]) -> Json:
        raise Refusal(f'the type "dummy" has no function "{verb}"; its resources have: {", ".join(self.functions)}')

    def close(self) -> None:
        pass


class Dummy:
    """One sleeping process."""

    def __init__(self, spec: Spec, host: TypeHost, siblings: dict[ResourceName, "Dummy"]) -> None:
        self.name = spec.name
        directory = Path(str(spec.properties.get("directory", DIRECTORY)))
        self.file = directory / f"{spec.name.replace('/', '_')}.json"
        self._host = host
        self._siblings = siblings
        self._behaviour = _behaviour(spec.properties)
        self._called_back = False

    def health(self) -> Health:
        state = self._state()
        running = state is not None and _runs(state)
        if self._behaviour.lie:
            return Health(self._behaviour.lie, "it lies", running=self._behaviour.lie is Condition.ONLINE)
        if running:
            return Health(Condition.ONLINE, running=True, stands=state is not None and state.stands)
        if state is not None:
            return Health(Condition.FAILED, f"its process {state.pid} has ended")
        return Health(Condition.OFFLINE, "handed over" if self._left.exists() else "", moved_away=self._left.exists())

    @property
    def _left(self) -> Path:
        return self.file.with_suffix(".left")

    def online(self, progress: Progress) -> None:
        self.behave("online")
        if self._behaviour.start_fails:
            raise CannotStart(self._behaviour.start_fails)
        _wait(self._behaviour.start_takes_s, progress)
        state = self._state()
        if state is not None and state.stands:
            self._stop(signal.SIGKILL)  # an old copy
        elif state is not None and _runs(state):
            return
        self._left.unlink(missing_ok=True)
        _write(self.file, _start(self.name))
        progress("started")

    def offline(self, progress: Progress, timeout_s: float) -> None:
        self.behave("offline")
        self._stop(signal.SIGTERM)
        progress("stopped")

    def terminate(self) -> None:
        self.behave("terminate")
        self._stop(signal.SIGKILL)

    def hand_over(self, to: Destination, progress: TransferProgress) -> None:
        self._called_back = False
        self.behave("hand_over")
        there = Path(to.address) / self.file.name
        if not there.parent.is_dir():
            raise Refusal(f"{to.address} is no directory of this machine")
        if _read(there) is not None:
            raise Refusal(f"something of it is in {to.address} already")
        copy = _start(self.name)
        _halt(copy)
        _write(there, msgspec.structs.replace(copy, stands=True))
        ends_s = time.monotonic() + self._behaviour.transfer_takes_s
        while not self._called_back and time.monotonic() < ends_s:
            progress(Transfer(50))
            time.sleep(_STEP_S)
        state = self._state()
        if self._called_back or state is None or not _runs(state):
            os.kill(copy.pid, signal.SIGKILL)
            there.unlink()
            if self._called_back:
                raise Refusal("it was called back")
            raise RuntimeError("it ended while it was handed over")
        self._left.touch()
        self._stop(signal.SIGKILL)

    def save(self, stop: str, directory: str, progress: Progress) -> SavedState:
        self.behave("save")
        path = Path(directory or self.file.parent) / f"{self.file.stem}.{stop}.state"
        state = self._state()
        if state is not None and _runs(state):
            progress("saving")
            _write(path, state)
            self._stop(signal.SIGKILL)
        elif _read(path) is None:
            raise Refusal(f'nothing of "{self.name}" runs, and no state was saved for that stop')
        return SavedState(stop, str(path))

    def restore(self, state: SavedState, progress: Progress) -> None:
        self.behave("restore")
        if self._behaviour.start_fails:
            raise CannotStart(self._behaviour.start_fails)
        try:
            Path(state.path).unlink()
        except FileNotFoundError:
            raise CannotStart(f"{state.path} is not there") from None
        _write(self.file, _start(self.name))
        progress("it goes on from its state")

    def call_back(self) -> None:
        self._called_back = True

    def take_up(self, progress: Progress) -> None:
        self.behave("take_up")
        state = self._state()
        if state is None or not _runs(state):
            raise CannotStart(f'cannot take up "{self.name}": nothing of it stands here')
        _write(self.file, msgspec.structs.replace(state, stands=False))
        os.kill(state.pid, signal.SIGCONT)
        progress("it runs on")

    def control(self, verb: str, arguments: Mapping[str, Json]) -> Json:
        self.behave("control")
        match verb:
            case "misbehave":
                self._behaviour = _behaviour(arguments)
                return None
            case "report":
                self._host.report(self.name, msgspec.convert(arguments, Health))
                return None
            case "pid":
                state = self._state()
                return state.pid if state and _runs(state) else None
            case "stand_still":
                self._stand_still()
                return None
        raise Refusal(f'a dummy cannot "{verb}"; it can: {", ".join(DummyType.functions)}')

    def _stand_still(self) -> None:
        state = self._state()
        if state is None or not _runs(state):
            raise Refusal(f'cannot make "{self.name}" stand still: it does not run')
        _write(self.file, msgspec.structs.replace(state, stands=True))
        _halt(state)

    def forget(self) -> None:
        self.behave("forget")
        state = self._state()
        if state is not None and _runs(state):
            raise RuntimeError(f'cannot forget "{self.name}": its process {state.pid} runs; take it offline first')
        self.file.unlink(missing_ok=True)
        self._left.unlink(missing_ok=True)

    def close(self) -> None:
        if self._siblings.get(self.name) is self:
            del self._siblings[self.name]

    def behave(self, call: str) -> None:
        if call in self._behaviour.crash_in:
            os.abort()
        if call in self._behaviour.fail_in:
            raise RuntimeError(f"told to fail in {call}")
        while call in self._behaviour.hang_in:
            time.sleep(_STEP_S)

    def _stop(self, number: signal.Signals) -> None:
        state = self._state()
        if state is None or self._behaviour.false_stop:
            return
        while _runs(state):
            os.kill(state.pid, signal.SIGKILL if state.stands else number)
            time.sleep(0.001)
        self.file.unlink(missing_ok=True)

    def _state(self) -> State | None:
        return _read(self.file)


def _behaviour(properties: Mapping[str, Json]) -> Behaviour:
    return msgspec.convert(dict(properties), Behaviour)


def _start(name: ResourceName) -> State:
    process = subprocess.Popen(
        _SLEEP,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    started = _start_time(process.pid)
    process.returncode = 0  # It is not ours to wait for: it outlives this object and this host.
    return State(name, process.pid, started or 0)


def _write(file: Path, state: State) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    new = file.with_suffix(".new")
    new.write_bytes(msgspec.json.encode(state))
    new.rename(file)


def _read(file: Path) -> State | None:
    try:
        return msgspec.json.decode(file.read_bytes(), type=State)
    except FileNotFoundError:
        return None


def _runs(state: State) -> bool:
    return _start_time(state.pid) == state.started


def _start_time(pid: int) -> int | None:
    """None when there is no such process any more, or only its remains."""
    with contextlib.suppress(ChildProcessError):  # Another host's child, or cleared away already.
        os.waitpid(pid, os.WNOHANG)  # Clears away the remains of our own child.
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] == "Z" else int(fields[19])


def _halt(state: State) -> None:
    """The signal is sent at once, and stops it a moment later."""
    os.kill(state.pid, signal.SIGSTOP)
    while _runs(state) and not _is_stopped(state.pid):
        time.sleep(0.001)


def _is_stopped(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"
    except (FileNotFoundError, ProcessLookupError):
        return True


def _wait(wait_s: float, progress: Progress) -> None:
    ends_s = time.monotonic() + wait_s
    while time.monotonic() < ends_s:
        time.sleep(min(_STEP_S, wait_s))
        progress("starting")
