"""How is it inside the VM? The guest agent is asked, or a port is knocked at; and what the VM has done meanwhile is
counted.

An agent that does not answer holds one of libvirtd's workers until its time is over, and these are few (20 by default)
and serve everybody. So all VMs of a node together ask a few at a time (`Asking`), over a connection of their own; whose
turn does not come has not been asked, which says nothing about him.
"""

import base64
import contextlib
import json
import math
import shlex
import socket
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import libvirt
import libvirt_qemu

from outlast.plugin import Answer, Asked, Finding, Inquiry, Json, Refusal
from outlast.resources.vm import definition, qemu
from outlast.resources.vm.connection import Connection, NoAnswer

AT_ONCE = 4
_TURN_S = 3.0
_SYNC_S = 5.0
"""Once an agent has not answered in time, libvirt (9.0, measured) takes so long each time to find that it still does
not. That cannot be set."""
_BEYOND_S = 2.0
"""What libvirt may take besides the agent."""
_STATUS_S = 0.2
_RESET_S = 5.0
_RESET_IS_SEEN_S = 10.0
_NOTHING_TO_ASK = (libvirt.VIR_ERR_ARGUMENT_UNSUPPORTED, libvirt.VIR_ERR_CONFIG_UNSUPPORTED)
_AGENT_SILENT = (libvirt.VIR_ERR_AGENT_UNRESPONSIVE, libvirt.VIR_ERR_AGENT_UNSYNCED)


class NotHealthy(Exception):
    """What a probe asked about is not well; the text says why."""


class Asking:
    """The connection for questions to agents, and whose turn it is; one for all VMs."""

    def __init__(self) -> None:
        self._connection = Connection(calls=AT_ONCE)
        self._slots = threading.BoundedSemaphore(AT_ONCE)

    def start(self) -> None:
        self._connection.start()

    def close(self) -> None:
        self._connection.close()

    def ask(self, work: Callable[[Any], Finding], timeout_s: float) -> Finding:
        if not self._slots.acquire(timeout=_TURN_S):
            return Finding(Answer.UNTOLD, "others did not answer in time, and it was not asked")
        try:
            return self._connection.ask(work, timeout_s)
        except (libvirt.libvirtError, NoAnswer) as error:
            return Finding(Answer.UNTOLD, str(error))
        finally:
            self._slots.release()


class Guest:
    """Of one VM."""

    def __init__(
        self, uuid: str, name: str, asking: Asking, connection: Connection, process: Callable[[], qemu.Process | None]
    ) -> None:
        """`process`: its QEMU, as it is known just now. `connection`: for what changes something."""
        self._uuid = uuid
        self._name = name
        self._asking = asking
        self._connection = connection
        self._process = process
        self._running: dict[str, int] = {}
        """Commands that had not ended in time, and their process in the guest: none is started twice."""
        self._reset_at_s = -math.inf

    def inquire(self, inquiry: Inquiry) -> Finding:
        if inquiry.asked is Asked.TCP:
            return _knock(inquiry)
        times = 1 if inquiry.asked is Asked.PING else 2
        limit_s = times * (inquiry.timeout_s + _SYNC_S) + _BEYOND_S
        return self._asking.ask(lambda conn: self._found(conn, inquiry), limit_s)

    def reset(self) -> None:
        self._reset_at_s = time.monotonic()
        try:
            self._connection.ask(lambda conn: conn.lookupByUUIDString(self._uuid).reset(0), _RESET_S)
        except (libvirt.libvirtError, NoAnswer) as error:
            raise Refusal(f'cannot reset "{self._name}": {error}') from error

    @property
    def was_just_reset(self) -> bool:
        """libvirt tells our own reset as it tells a reboot from inside."""
        return time.monotonic() - self._reset_at_s < _RESET_IS_SEEN_S

    def _found(self, conn: Any, inquiry: Inquiry) -> Finding:
        domain = conn.lookupByUUIDString(self._uuid)
        kinds = libvirt.VIR_DOMAIN_STATS_STATE | libvirt.VIR_DOMAIN_STATS_BLOCK
        # NOWAIT: counters that others keep us from are left out, and nothing is waited for.
        ((_, stats),) = conn.domainListGetStats([domain], kinds, libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT)
        if stats.get("state.state") not in (libvirt.VIR_DOMAIN_RUNNING, libvirt.VIR_DOMAIN_BLOCKED):
            return Finding(Answer.UNTOLD, "it is paused", stands=True)
        answer, why = self._answer(domain, inquiry)
        process = self._process()
        return Finding(answer, why, cpu_s=process.cpu_s() if process else None, io_requests=_requests(stats))

    def _answer(self, domain: Any, inquiry: Inquiry) -> tuple[Answer, str]:
        timeout_s = max(1, math.ceil(inquiry.timeout_s))
        try:
            match inquiry.asked:
                case Asked.PING:
                    _tell(domain, "guest-ping", {}, timeout_s)
                case Asked.UNIT:
                    self._run(domain, ["systemctl", "is-active", inquiry.what], inquiry.timeout_s)
                case _:
                    self._run(domain, shlex.split(inquiry.what), inquiry.timeout_s)
        except NotHealthy as error:
            return Answer.NO, str(error)
        except libvirt.libvirtError as error:
            return _of_error(domain, error)
        return Answer.YES, ""

    def _run(self, domain: Any, command: list[str], timeout_s: float) -> None:
        """Raises `NotHealthy` unless it ends with status 0 in time."""
        ends_s = time.monotonic() + timeout_s
        key = shlex.join(command)
        pid = self._running.get(key)
        if pid is None:
            start = {"path": command[0], "arg": command[1:], "capture-output": True}
            try:
                pid = int(_tell(domain, "guest-exec", start, max(1, math.ceil(timeout_s)))["pid"])
            except libvirt.libvirtError as error:
                if error.get_error_code() == libvirt.VIR_ERR_INTERNAL_ERROR:  # the agent answers: that it cannot
                    raise NotHealthy(_last_words(str(error))) from error
                raise
            self._running[key] = pid
        while True:
            try:
                status = _tell(domain, "guest-exec-status", {"pid": pid}, max(1, math.ceil(timeout_s)))
            except libvirt.libvirtError:
                self._running.pop(key, None)  # another agent, or another guest: it knows no such process
                raise
            if status["exited"]:
                break
            if time.monotonic() >= ends_s:
                raise NotHealthy(f"{command[0]} has not ended within {timeout_s:g} s")
            time.sleep(_STATUS_S)
        self._running.pop(key, None)
        code = status.get("exitcode", -1)
        if code != 0:
            said = _last_words(_text(status, "out-data") or _text(status, "err-data"))
            raise NotHealthy(f"{command[0]} ended with status {code}" + (f": {said}" if said else ""))


def _tell(domain: Any, command: str, arguments: Mapping[str, Json], timeout_s: int) -> Any:
    request = {"execute": command, **({"arguments": arguments} if arguments else {})}
    return json.loads(libvirt_qemu.qemuAgentCommand(domain, json.dumps(request), timeout_s, 0))["return"]


def _of_error(domain: Any, error: libvirt.libvirtError) -> tuple[Answer, str]:
    code = error.get_error_code()
    if code in _NOTHING_TO_ASK:
        return Answer.NO_WAY, "it has no channel for a guest agent"
    if code not in _AGENT_SILENT:
        return Answer.UNTOLD, str(error)
    # libvirt has one error for an agent that does not answer and one that is not there.
    with contextlib.suppress(libvirt.libvirtError):
        if definition.agent_state(domain.XMLDesc(0)) is False:
            return Answer.ABSENT, "its agent does not run"
    return Answer.SILENT, "its agent does not answer"


def _requests(stats: Mapping[str, Any]) -> int | None:
    """All requests to all its disks; None when that cannot be told of each disk."""
    count = 0
    for disk in range(stats.get("block.count", 0)):
        for kind in ("rd", "wr", "fl"):
            requests = stats.get(f"block.{disk}.{kind}.reqs")
            if requests is None and kind != "fl":
                return None
            count += requests or 0
    return count if "block.count" in stats else None


def _knock(inquiry: Inquiry) -> Finding:
    host, _, port = inquiry.what.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), inquiry.timeout_s):
            return Finding(Answer.YES)
    except OSError as error:
        return Finding(Answer.NO, f"{inquiry.what} does not accept: {error.strerror or error}")


def _text(status: Mapping[str, Any], key: str) -> str:
    return base64.b64decode(status.get(key, "")).decode(errors="replace").strip()


def _last_words(text: str) -> str:
    return text.splitlines()[-1] if text else ""
