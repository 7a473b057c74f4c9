"""How does the cluster service start resource hosts as processes, talk to them, and end them?

A host is `outlast-rhs` in a session of its own, joined to the service by a socket pair: no signal to the service's
process group reaches it, and it outlives the service (as an orphan that guards the run permit). Its end is noticed at
once, by its pidfd and by the end of the stream. What a host writes to stderr goes where the service's own goes.

Everything here happens in the service's event loop; nothing blocks but the start of the process (about 2 ms).
"""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import uuid
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from outlast import frames
from outlast.adapters.permit import FILE_NAME, FilePermit
from outlast.model.health import Found, Health, Json, Spec
from outlast.model.inside import Finding, Inquiry
from outlast.model.node import Offer
from outlast.model.saved import SavedState
from outlast.model.transfer import Destination, Transfer
from outlast.ports.hosts import (
    AppearedReport,
    CallFailed,
    HappenedReport,
    HealthReport,
    Host,
    HostDied,
    HostSilent,
    OfferReport,
    Permit,
    RedefinedReport,
    Report,
)

_T = TypeVar("_T")
_OnProgress = Callable[[frames.Progress], None]
_NOTHING = type(None)
_JSON: type[Any] = Any  # msgspec's word for "whatever the JSON holds"
_STREAM_TAIL_S = 0.1
"""After the process ended, what it still sent is in the socket; the end of the stream follows at once. Normally."""


class ProcessHosts:
    """The Hosts port on real processes. `service` names this life of the cluster service; default: a new one."""

    def __init__(self, run_dir: Path, *, service: str = "", command: Sequence[str] = ()) -> None:
        self.service = service or uuid.uuid4().hex
        self._permit_path = run_dir / FILE_NAME
        self.permit: Permit = FilePermit(self._permit_path, self.service)
        # -P: what lies in the service's working directory is not imported by accident.
        self._command = tuple(command) or (sys.executable, "-P", "-m", "outlast.rhs.main")

    async def start(self, types: Sequence[str], *, timeout_s: float, type_timeout_s: float | None = None) -> Host:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            process = self._spawn(theirs, types)
        except OSError as error:
            ours.close()
            raise HostDied(f"cannot start {self._command[0]}: {error.strerror}") from error
        finally:
            theirs.close()
        host = ProcessHost(process)
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(timeout_s) as deadline:

                def on_loading(types: Sequence[str]) -> None:
                    if type_timeout_s is not None and len(types) > 1:
                        deadline.reschedule(loop.time() + type_timeout_s)

                await host.shake_hands(ours, on_loading)
        except BaseException as error:
            await host.kill()
            if isinstance(error, TimeoutError):
                raise host.silent(timeout_s) from None
            raise
        return host

    def _spawn(self, theirs: socket.socket, types: Sequence[str]) -> "subprocess.Popen[bytes]":
        fd = theirs.fileno()
        arguments = ["--fd", str(fd), "--permit", str(self._permit_path)]
        arguments += ["--service", self.service, "--types", ",".join(types)]
        return subprocess.Popen(
            [*self._command, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=2,  # A plugin that prints must not disturb what the service prints.
            pass_fds=(fd,),
            start_new_session=True,
        )


class ProcessHost(asyncio.Protocol):
    """The Host port on one process."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self.pid = process.pid
        self.offers: Sequence[Offer] = ()
        self._process = process
        self._pidfd = os.pidfd_open(process.pid)
        self._loop = asyncio.get_running_loop()
        self._splitter = frames.Splitter(greeting_first=True)
        self._transport: asyncio.Transport | None = None
        self._hello: asyncio.Future[None] = self._loop.create_future()
        self._on_loading: Callable[[Sequence[str]], None] = lambda types: None
        self._loading = frames.Loading((), "")
        self._calls: dict[int, tuple[asyncio.Future[msgspec.Raw], _OnProgress | None]] = {}
        self._last_id = 0
        self._reports: deque[Report] = deque()
        """What nobody listened to yet."""
        self._on_report: Callable[[Report], None] = self._reports.append
        self._dead = asyncio.Event()
        self._gone = asyncio.Event()
        self._death = ""
        """Why no more answers come; empty while they do."""
        self._loop.add_reader(self._pidfd, self._process_ended)

    async def shake_hands(self, sock: socket.socket, on_loading: Callable[[Sequence[str]], None]) -> None:
        """`on_loading`: called before each plugin is loaded, with all types that are to be."""
        self._on_loading = on_loading
        await self._loop.create_unix_connection(lambda: self, sock=sock)
        await self._hello

    def silent(self, timeout_s: float) -> HostSilent:
        """Why there was no handshake."""
        types, loading = self._loading.types, self._loading.type
        why = (
            f"the resource host hung as it loaded the plugin for {loading}"
            if loading
            else f"the resource host did not say what it offers within {timeout_s:g} s"
        )
        return HostSilent(why, types=types, loading=loading)

    @property
    def end(self) -> str:
        return self._death

    # -- the port -------------------------------------------------------------------------------------------------

    async def open(self, spec: Spec) -> Health:
        return await self._ask(lambda id: frames.Open(id, spec), Health)

    async def online(self, resource: str, on_progress: Callable[[str], None]) -> None:
        await self._ask(lambda id: frames.Online(id, resource), _NOTHING, _words(on_progress))

    async def offline(self, resource: str, timeout_s: float, on_progress: Callable[[str], None]) -> None:
        await self._ask(lambda id: frames.Offline(id, resource, timeout_s), _NOTHING, _words(on_progress))

    async def terminate(self, resource: str) -> None:
        await self._ask(lambda id: frames.Terminate(id, resource), _NOTHING)

    async def hand_over(self, resource: str, to: Destination, on_progress: Callable[[Transfer], None]) -> None:
        def passed_on(progress: frames.Progress) -> None:
            if progress.transfer is not None:
                on_progress(progress.transfer)

        await self._ask(lambda id: frames.HandOver(id, resource, to), _NOTHING, passed_on)

    async def call_back(self, resource: str) -> None:
        await self._ask(lambda id: frames.CallBack(id, resource), _NOTHING)

    async def take_up(self, resource: str, on_progress: Callable[[str], None]) -> None:
        await self._ask(lambda id: frames.TakeUp(id, resource), _NOTHING, _words(on_progress))

    async def save(self, resource: str, stop: str, directory: str, on_progress: Callable[[str], None]) -> SavedState:
        return await self._ask(lambda id: frames.Save(id, resource, stop, directory), SavedState, _words(on_progress))

    async def restore(self, resource: str, state: SavedState, on_progress: Callable[[str], None]) -> None:
        await self._ask(lambda id: frames.Restore(id, resource, state), _NOTHING, _words(on_progress))

    async def forget(self, resource: str) -> None:
        await self._ask(lambda id: frames.Forget(id, resource), _NOTHING)

    async def close(self, resource: str) -> None:
        await self._ask(lambda id: frames.Close(id, resource), _NOTHING)

    async def inquire(self, resource: str, inquiry: Inquiry) -> Finding:
        return await self._ask(lambda id: frames.Inquire(id, resource, inquiry), Finding)

    async def reset(self, resource: str, until_s: float) -> None:
        await self._ask(lambda id: frames.Reset(id, resource, until_s), _NOTHING)

    async def go_on(self, resource: str) -> None:
        await self._ask(lambda id: frames.GoOn(id, resource), _NOTHING)

    async def control(self, resource: str, verb: str, arguments: Mapping[str, Json]) -> Json:
        return await self._ask(lambda id: frames.Control(id, resource, verb, arguments), _JSON)

    async def looks_alive(self, type: str, resources: Sequence[str]) -> Mapping[str, Health]:
        return await self._ask(lambda id: frames.LooksAlive(id, type, resources), dict[str, Health])

    async def is_alive(self, type: str, resources: Sequence[str]) -> Mapping[str, Health]:
        return await self._ask(lambda id: frames.IsAlive(id, type, resources), dict[str, Health])

    async def discover(self, type: str) -> Sequence[Found]:
        return await self._ask(lambda id: frames.Discover(id, type), list[Found])

    async def type_control(self, type: str, verb: str, arguments: Mapping[str, Json]) -> Json:
        return await self._ask(lambda id: frames.TypeControl(id, type, verb, arguments), _JSON)

    async def listen(self, on_report: Callable[[Report], None]) -> None:
        while self._reports:
            on_report(self._reports.popleft())
        self._on_report = on_report
        await self._dead.wait()

    async def kill(self) -> None:
        """SIGKILL also ends a process that is stopped or frozen by a signal."""
        self._kill_process()
        await self._gone.wait()
        self._end()

    # -- calls and frames -----------------------------------------------------------------------------------------

    async def _ask(
        self, make: Callable[[int], frames.Call], answer: type[_T], on_progress: _OnProgress | None = None
    ) -> _T:
        if self._death or self._transport is None:
            raise HostDied(self._death)
        self._last_id += 1
        call = make(self._last_id)
        future: asyncio.Future[msgspec.Raw] = self._loop.create_future()
        self._calls[call.id] = (future, on_progress)
        try:
            self._transport.write(frames.encode(call))
            raw = await future
        finally:
            del self._calls[call.id]
        try:
            return msgspec.json.decode(raw, type=answer)
        except msgspec.DecodeError as error:
            raise CallFailed(f"the plugin's answer to {type(call).__name__.lower()} is not usable: {error}") from error

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        try:
            for body in self._splitter.feed(data):
                self._take(frames.decode_from_host(body))
        except frames.BadFrame as error:
            self._end(f"the resource host (pid {self.pid}) cannot be used: {error}")
            self._kill_process()

    def connection_lost(self, error: Exception | None) -> None:
        # A host that closed its end without ending is of no more use. Mostly it is ending just now, and how it ended
        # is the better reason: give it the moment it needs.
        if self._gone.is_set():
            self._end()
        else:
            self._kill_process()
            self._loop.call_later(_STREAM_TAIL_S, self._end)

    def _take(self, message: frames.FromHost) -> None:
        match message:
            case frames.Loading(types):
                self._loading = message
                self._on_loading(types)
            case frames.Hello(offers):
                self.offers = offers
                if not self._hello.done():
                    self._hello.set_result(None)
            case frames.Progress(id):
                _, on_progress = self._calls.get(id, (None, None))
                if on_progress:
                    on_progress(message)
            case frames.Done(id, result):
                self._settle(id, lambda future: future.set_result(result))
            case frames.Failed(id, why, refusal):
                self._settle(id, lambda future: future.set_exception(CallFailed(why, refusal=refusal)))
            case _:
                self._on_report(_report_of(message))

    def _settle(self, id: int, settle: Callable[["asyncio.Future[msgspec.Raw]"], None]) -> None:
        """An answer to a call that was abandoned meanwhile is dropped."""
        future, _ = self._calls.get(id, (None, None))
        if future and not future.done():
            settle(future)

    # -- the end --------------------------------------------------------------------------------------------------

    def _process_ended(self) -> None:
        self._loop.remove_reader(self._pidfd)
        os.close(self._pidfd)
        self._process.wait()
        self._gone.set()
        if self._transport is None or self._transport.is_closing():
            self._end()
        else:
            self._loop.call_later(_STREAM_TAIL_S, self._end)

    def _kill_process(self) -> None:
        if not self._gone.is_set():
            signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)

    def _end(self, why: str = "") -> None:
        """No more answers come. Safe to repeat; the first reason stands."""
        if self._death:
            return
        self._death = why or f"the resource host (pid {self.pid}) {_how_it_ended(self._process.returncode)}"
        if self._transport:
            self._transport.abort()
        if not self._hello.done():
            loading = self._loading
            words = f"{self._death} as it loaded the plugin for {loading.type}" if loading.type else self._death
            self._hello.set_exception(HostDied(words, types=loading.types, loading=loading.type))
            self._hello.exception()  # Marks it as seen: whoever waited may have been cancelled.
        for future, _ in list(self._calls.values()):
            if not future.done():
                future.set_exception(HostDied(self._death))
        self._dead.set()


def _words(on_progress: Callable[[str], None]) -> _OnProgress:
    return lambda progress: on_progress(progress.word)


def _how_it_ended(returncode: int | None) -> str:
    if returncode is None:
        return "closed its connection"
    if returncode < 0:
        return f"was ended by signal {-returncode} ({signal.strsignal(-returncode)})"
    return f"ended by itself (exit code {returncode})"


def _report_of(
    message: frames.HealthSeen | frames.Redefined | frames.Happened | frames.ThingAppeared | frames.OfferChanged,
) -> Report:
    match message:
        case frames.HealthSeen(resource, health):
            return HealthReport(resource, health)
        case frames.Redefined(resource, change):
            return RedefinedReport(resource, change)
        case frames.Happened(resource, incident, words):
            return HappenedReport(resource, incident, words)
        case frames.ThingAppeared(type, found):
            return AppearedReport(type, found)
        case frames.OfferChanged(offer):
            return OfferReport(offer)
