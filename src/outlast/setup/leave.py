"""How does a machine stop being a node, on its own side? What the cluster knows of it, the cluster forgets first."""

import tomllib

from outlast.client.control import ControlError
from outlast.setup import checks, join, libvirt, service
from outlast.setup.checks import Tell
from outlast.setup.machine import Machine, SetupError, one_at_a_time


async def leave(machine: Machine, tell: Tell, *, force: bool) -> str:
    """Raises `SetupError`."""
    checks.require_root()
    checks.require_supervisor(machine)
    with one_at_a_time(machine):
        if machine.mark() is not None:
            await join.clear_earlier_try(machine, tell)
            return "what an earlier try had left is cleared away; this machine belongs to no cluster"
        if not machine.config.exists():
            raise SetupError("impossible", "this machine belongs to no cluster")
        if not force:
            tell("asking the cluster to let this machine go")
            _let_go(machine)
        tell("stopping the cluster service, and clearing away what is here")
        await libvirt.take_back(machine)
        await machine.sweep()
    return "this machine belongs to no cluster any more"


def _let_go(machine: Machine) -> None:
    name = tomllib.loads(machine.config.read_text()).get("node", "")
    try:
        service.call(machine, "node.leave")
    except ControlError as error:
        hint = "if the cluster is gone, or shall be, or has evicted this machine already: outlast cluster leave --force"
        raise SetupError(error.kind, f"{name} cannot leave its cluster: {error}; {hint}") from error
