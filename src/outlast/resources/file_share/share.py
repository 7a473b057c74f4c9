"""One share on this node: an smbd of its own, brought online, watched, ended."""

import errno
import os
import select
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from outlast.plugin import CannotStart, Condition, Health, Json, Progress, Refusal, Spec, TypeHost
from outlast.resources.file_share import asking, processes, record
from outlast.resources.file_share.configuration import KEPT, PORT, Share, share_of, smb_conf
from outlast.resources.file_share.processes import Server
from outlast.resources.file_share.record import Record

ANSWERS_WITHIN_S = 5.0
"""A machine with much to do answers late, and a failover would not help it."""
_STARTS_WITHIN_S = 60.0
_FREE_WITHIN_S = 1.0
_STOPPED = "it was stopped while it started"
_LOOK_AGAIN_S = 0.02
_OWN_DIRECTORIES = ("lock", "cache", "pid", "ncalrpc")
_KEPT_DIRECTORIES = ("private", "state")


def smbd() -> str:
    """Empty when there is none on this node."""
    return shutil.which("smbd", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin") or ""


class FileShare:
    def __init__(self, spec: Spec, host: TypeHost, directory: Path, on_close: Callable[["FileShare"], None]) -> None:
        self.name = spec.name
        self.configuration = record.configuration_of(spec.name, directory)
        self._spec = spec
        self._host = host
        self._directory = directory
        self._run = record.directory_of(spec.name, directory)
        self._on_close = on_close
        self._lock = threading.Lock()
        """Held while processes begin or end together with the record of them."""
        self._stop = threading.Event()
        self._closed = threading.Event()

    # -- how it is ---------------------------------------------------------------------------------------------

    def health(self) -> Health:
        return self.judge_again(thoroughly=False)

    def judge_again(self, *, thoroughly: bool) -> Health:
        try:
            with self._lock:
                known = record.load(self.name, self._directory)
                server = processes.servers([self.configuration]).get(self.configuration)
        except OSError as error:
            return Health(Condition.UNKNOWN, f"cannot look at this node's processes: {error.strerror or error}")
        return self._judge(known, server, thoroughly=thoroughly)

    def _judge(self, known: Record | None, server: Server | None, *, thoroughly: bool) -> Health:
        if server is None:
            if known is None or not known.is_up:
                return Health(Condition.OFFLINE)
            return Health(Condition.FAILED, f"its smbd has ended{self._last_words()}")
        if not server.main:
            return Health(Condition.FAILED, "the first process of its smbd has ended", running=True)
        if known is None or not known.is_up:
            return Health(Condition.FAILED, "its smbd runs, and its start did not end", running=True)
        if thoroughly and (problem := _problem(known)):
            return Health(Condition.FAILED, problem, running=True)
        return Health(Condition.ONLINE, running=True)

    def watch(self) -> None:
        """Tells at once when its first process ends. (Polling sees it later.)"""
        server = processes.servers([self.configuration]).get(self.configuration)
        if server is not None and server.main:
            arguments = (server.main, self._stop)
            threading.Thread(target=self._watch, args=arguments, name=f"watches {self.name}", daemon=True).start()

    def _watch(self, pid: int, stop: threading.Event) -> None:
        try:
            process = os.pidfd_open(pid)
        except ProcessLookupError:
            return
        try:
            select.select([process], [], [])
        finally:
            os.close(process)
        with self._lock:
            if stop.is_set() or self._closed.is_set():
                return
            known = record.load(self.name, self._directory)
            server = processes.servers([self.configuration]).get(self.configuration)
            health = self._judge(known, server, thoroughly=False)
            if health.condition is Condition.FAILED:
                self._host.report(self.name, health)

    # -- online and offline ------------------------------------------------------------------------------------

    def online(self, progress: Progress) -> None:
        with self._lock:
            stop = self._stop = threading.Event()
        try:
            share = share_of(self.name, self._spec.properties)
        except ValueError as error:
            raise CannotStart(str(error)) from None
        known = record.load(self.name, self._directory)
        is_same = known is not None and (known.address, known.kept) == (share.address, str(share.kept))
        if is_same and self.judge_again(thoroughly=True).condition is Condition.ONLINE:
            return
        processes.end(self.configuration)  # What a former start has left.
        _refuse(share)
        progress("starting smbd")
        try:
            self._start(share, stop)
            self._wait_until_it_answers(share, stop, progress)
        except CannotStart:
            self._end()
            raise
        self.watch()
        progress(f"{share.name} is served at {share.address}")

    def _start(self, share: Share, stop: threading.Event) -> None:
        with self._lock:
            if stop.is_set():
                raise CannotStart(_STOPPED)
            try:
                for kept in _KEPT_DIRECTORIES:
                    (share.kept / kept).mkdir(mode=0o700, exist_ok=True)
                for own in _OWN_DIRECTORIES:
                    (self._run / own).mkdir(parents=True, exist_ok=True)
                (self._run / "log").unlink(missing_ok=True)
                self.configuration.write_text(smb_conf(share, self.name, self._run))
            except OSError as error:
                raise CannotStart(f"cannot write {error.filename}: {error.strerror}") from None
            identity = self._spec.identity or self.name
            record.save(Record(self.name, identity, share.address, str(share.kept)), self._directory)
            process = subprocess.Popen(
                [smbd(), "--foreground", "--no-process-group", f"--configfile={self.configuration}"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                cwd="/",
            )
            processes.be_no_exception(process.pid)
            process.returncode = 0  # It is not ours to wait for: it outlives this object and this host.
            # For a moment it does not show its arguments, and who would end it now would not find it.
            while processes.is_there(process.pid) and self.configuration not in processes.servers([self.configuration]):
                time.sleep(_LOOK_AGAIN_S / 10)

    def _wait_until_it_answers(self, share: Share, stop: threading.Event, progress: Progress) -> None:
        ends_s = time.monotonic() + _STARTS_WITHIN_S
        why = asking.why_no_answer(share.address, PORT, ANSWERS_WITHIN_S)
        while why:
            progress(why)
            if stop.is_set():
                raise CannotStart(_STOPPED)
            if self.configuration not in processes.servers([self.configuration]):
                raise CannotStart(f"smbd ended{self._last_words()}")
            if time.monotonic() > ends_s:
                raise CannotStart(f"smbd runs, and {why}{self._last_words()}")
            stop.wait(_LOOK_AGAIN_S)
            why = asking.why_no_answer(share.address, PORT, ANSWERS_WITHIN_S)
        with self._lock:
            if stop.is_set():
                raise CannotStart(_STOPPED)
            known = record.load(self.name, self._directory)
            if known is None or self.configuration not in processes.servers([self.configuration]):
                raise CannotStart(f"smbd ended, and something else answers at {share.address}{self._last_words()}")
            record.save(msgspec.structs.replace(known, is_up=True), self._directory)

    def offline(self, progress: Progress, timeout_s: float) -> None:
        """In order: each process ends its connections, and writes down what it knows."""
        self._stop.set()
        ends_s = time.monotonic() + timeout_s
        with self._lock:
            server = processes.servers([self.configuration]).get(self.configuration)
            if server is not None:
                processes.send(server, signal.SIGTERM)
        while time.monotonic() < ends_s and processes.servers([self.configuration]):
            time.sleep(_LOOK_AGAIN_S)
        self._end()
        progress("its smbd has ended")

    def terminate(self) -> None:
        self._stop.set()
        self._end()

    def _end(self) -> None:
        with self._lock:
            processes.end(self.configuration)
            record.forget_start(self.name, self._directory)

    def _last_words(self) -> str:
        """What smbd has written last, if anything."""
        try:
            lines = (self._run / "log").read_text(errors="replace").splitlines()
        except OSError:
            return ""
        said = [line.strip() for line in lines if line.startswith("  ") and "Copyright" not in line]
        said = [line for line in said if not line.startswith("smbd version")]
        return f"; it said: {said[-1].rstrip('.')}" if said else ""

    # -- the rest ----------------------------------------------------------------------------------------------

    def control(self, verb: str, arguments: Mapping[str, Json]) -> Json:
        raise Refusal(f'a file share cannot "{verb}": there is nothing to be asked of it')

    def forget(self) -> None:
        """What the share's directory keeps is left there: it is the next node's."""
        if processes.servers([self.configuration]):
            raise RuntimeError(f'cannot forget "{self.name}": its smbd runs; take it offline first')
        record.remove(self.name, self._directory)

    def close(self) -> None:
        self._closed.set()
        self._on_close(self)


def _refuse(share: Share) -> None:
    """What would go wrong, in words; before anything is written."""
    if not share.path.is_dir():
        raise CannotStart(f"there is no directory {share.path} on this node")
    if not share.kept.is_dir():
        raise CannotStart(
            f"{share.path} has no directory {KEPT}: its storage is not mounted on this node; or the share is new, and "
            f"then make it, once, where the storage is mounted: mkdir -m 700 {share.kept}"
        )
    if why := _why_not_free(share.address):
        raise CannotStart(
            f"{share.address} port {PORT} is not free on this node ({why}): let the share need the "
            "ip_address of its group (depends_on=NAME), and no other server listen there"
        )


def _why_not_free(address: str) -> str:
    """Asked again for a moment: the last thread of a server that was killed just now may still hold it."""
    ends_s = time.monotonic() + _FREE_WITHIN_S
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    while True:
        try:
            with socket.socket(family, socket.SOCK_STREAM) as trying:
                trying.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                trying.bind((address, PORT))
            return ""
        except OSError as error:
            if error.errno != errno.EADDRINUSE or time.monotonic() > ends_s:
                return error.strerror or str(error)
        time.sleep(_LOOK_AGAIN_S)


def _problem(known: Record) -> str:
    if not Path(known.kept).is_dir():
        return f"{known.kept} is gone: its storage is not mounted any more"
    why = asking.why_no_answer(known.address, PORT, ANSWERS_WITHIN_S)
    return f"its smbd runs at {known.address}, and {why}" if why else ""
