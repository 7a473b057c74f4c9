"""What is the life of a resource host, from its start to its end?

It greets, loads its types, says what they are, and then does what the service says. It has one duty of its own: the
run permit. It looks at the permit when its deadline comes (an idle host sleeps) and obeys `core/membership/permit.py`.

How it ends: killed by the service; by SIGTERM, at once and touching nothing (the default action: no handler can be
late); or as an orphan after its service, by the permit's word. Resources outlive it in every case but a passed permit.
SIGUSR1 prints what every thread is doing, for a host that hangs.
"""

import argparse
import faulthandler
import os
import select
import signal
import socket
import sys
import time

from outlast.core.membership.permit import RECORD_BYTES, Guard, Judgement, Order, PermitRecord, from_bytes
from outlast.frames import BadFrame, decode_call
from outlast.rhs.host import ResourceHost, log
from outlast.rhs.wire import Wire

_RECHECK_TYPES_S = 2.0
_ORPHAN_LOOKS_S = 0.25
_STOPPING_LOOKS_S = 0.25
_TORN_READS = 3


def main() -> None:
    arguments = _arguments()
    # Ctrl-C in the terminal of a service is not meant for its hosts. Ignored, it would be ignored by all that they
    # start, too, and a shell script never hears a signal that was ignored when it began (POSIX, "trap").
    signal.signal(signal.SIGINT, lambda *_: None)
    faulthandler.register(signal.SIGUSR1, all_threads=True)
    # Plugins start programs; none of them may keep this socket open when the host has died.
    os.set_inheritable(arguments.fd, False)
    run(socket.socket(fileno=arguments.fd), arguments)


def run(sock: socket.socket, arguments: argparse.Namespace) -> None:
    wire = Wire(sock)
    types = [name for name in arguments.types.split(",") if name]
    wire.greet(types)
    watch = PermitWatch(arguments.permit, arguments.service)
    host = ResourceHost(wire, watch.may_start, lambda: watch.judge(service_gone=wire.gone).order is Order.STOP)
    host.load(types)
    _serve(wire, host, watch)
    # Not sys.exit: a plugin's thread that hangs, or its atexit work, must not hold up the end.
    sys.stderr.flush()
    os._exit(0)


def _serve(wire: Wire, host: ResourceHost, watch: "PermitWatch") -> None:
    """Returns when the host has to leave."""
    poll = select.poll()
    poll.register(wire.wake_fd, select.POLLIN)
    poll.register(wire.fileno(), select.POLLIN)
    next_recheck_s = time.monotonic() + _RECHECK_TYPES_S
    while True:
        was_gone = wire.gone
        judgement = watch.judge(service_gone=was_gone)
        if judgement.order is Order.LEAVE:
            return
        if judgement.order is Order.STOP:
            host.stop_everything()
            if was_gone and not host.may_run_anything:
                log("the service is gone, the permit has passed, and nothing runs: leaving")
                return
        timeout_s = _sleep_s(judgement, next_recheck_s, orphan=was_gone)
        for fd, event in poll.poll(max(0.0, timeout_s) * 1000):
            if fd == wire.wake_fd:
                os.eventfd_read(fd)
            else:
                _exchange(wire, host, event)
        if wire.gone and not was_gone:
            log("the cluster service is gone; guarding what runs until another one takes over")
            poll.unregister(wire.fileno())
            host.drop_waiting()
        elif not wire.gone:
            poll.modify(wire.fileno(), select.POLLIN | (select.POLLOUT if wire.wants_to_write else 0))
        if time.monotonic() >= next_recheck_s:
            host.recheck_types()
            next_recheck_s = time.monotonic() + _RECHECK_TYPES_S


def _sleep_s(judgement: Judgement, next_recheck_s: float, *, orphan: bool) -> float:
    sleep_s = next_recheck_s - time.monotonic()
    if judgement.look_again_s is not None:
        sleep_s = min(sleep_s, judgement.look_again_s - boottime_s())
    if orphan:
        sleep_s = min(sleep_s, _ORPHAN_LOOKS_S)
    if judgement.order is Order.STOP:
        sleep_s = min(sleep_s, _STOPPING_LOOKS_S)
    return sleep_s


def _exchange(wire: Wire, host: ResourceHost, event: int) -> None:
    if event & select.POLLOUT:
        wire.flush()
    if event & ~select.POLLOUT:
        try:
            for body in wire.receive():
                host.handle(decode_call(body))
        except BadFrame as error:
            # The stream is out of step, nothing in it can be trusted. Ending touches no resource.
            log(f"leaving: {error}")
            os._exit(1)


class PermitWatch:
    """The permit's file as this host reads it. Safe from any thread."""

    def __init__(self, path: str, service: str) -> None:
        self._path = path
        self._service = service
        self._guard = Guard(service)

    def judge(self, *, service_gone: bool) -> Judgement:
        return self._guard.judge(self._read(), boottime_s(), service_gone=service_gone)

    def may_start(self) -> bool:
        record = self._read()
        return record is not None and record.service == self._service and boottime_s() < record.until_s

    def _read(self) -> PermitRecord | None:
        """By path each time: the file may be replaced. A torn read is repeated; the writer needs microseconds."""
        for _ in range(_TORN_READS):
            try:
                fd = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
            except OSError:
                return None
            try:
                record = from_bytes(os.read(fd, RECORD_BYTES))
            except OSError:
                return None
            finally:
                os.close(fd)
            if record is not None:
                return record
        return None


def boottime_s() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="outlast-rhs", description="Resource host; started by outlastd, not by hand.")
    parser.add_argument("--fd", type=int, required=True, help="socket to the cluster service")
    parser.add_argument("--permit", required=True, help="file of the run permit")
    parser.add_argument("--service", required=True, help="which life of the cluster service started this host")
    parser.add_argument("--types", default="", help="types to load, separated by commas; default: every installed one")
    return parser.parse_args()


if __name__ == "__main__":
    main()
