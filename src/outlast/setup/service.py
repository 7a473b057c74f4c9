"""Does the cluster service of this machine run, and is it a node by now?"""

import asyncio
import time

import msgspec

from outlast.client.control import Client, ControlError
from outlast.model.answers import MEMBERS, ClusterStatus, NodeRow
from outlast.setup.checks import Tell
from outlast.setup.machine import SERVICE, Machine, SetupError
from outlast.setup.programs import log_hint

POLL_S = 0.1
PATIENCE_S = 60.0
CALL_S = 60.0
START_S = 30.0
NOT_STARTED = "it has not started"


def call(machine: Machine, verb: str, **arguments: object) -> object:
    """One question to this node's service. Raises `ControlError`."""
    return Client(str(machine.run / "control.sock")).call(verb, arguments, type=object, timeout_s=CALL_S)


def status(machine: Machine) -> ClusterStatus:
    return msgspec.convert(call(machine, "status"), ClusterStatus)


def _not_yet(node: str, row: NodeRow | None, no_session: str) -> str:
    if row is None:
        return f"the cluster does not know {node} yet"
    if row.state != "out":
        return f"{node} is {row.state}: {row.why}"
    return f"{node} has no session yet: {no_session}" if no_session else f"{node} has no session yet"


async def wait_until_up(machine: Machine, node: str, tell: Tell, patience_s: float = PATIENCE_S) -> ClusterStatus:
    """Until the node has its session. Raises `SetupError` with what is in the way."""
    began, told, why = time.monotonic(), "", NOT_STARTED
    # One that does not even listen ends again and again; its log says why.
    while time.monotonic() - began < (START_S if why == NOT_STARTED else patience_s):
        try:
            found = await asyncio.to_thread(status, machine)
        except ControlError as error:
            if error.kind != "no-contact":
                why = str(error).removesuffix("; try again")  # which is what this does
        else:
            row = next((row for row in found.nodes if row.name == node), None)
            if row is not None and row.state in MEMBERS:
                return found
            why = _not_yet(node, row, found.session)
        if why not in (told, NOT_STARTED):
            tell(f"waiting: {why}")
            told = why
        await asyncio.sleep(POLL_S)
    words = f"the cluster service of this machine is not ready: {why}"
    raise SetupError("failed", f"{words}; see {log_hint(machine, SERVICE)}")
