"""Is a fence agent's "off" proof that the node runs nothing any more? One table over the agents of the distribution.

Proof of death is that the power is cut, or that the virtual machine which is the node is ended. Some agents cut a node
off from its storage or from a network instead: it lives on, its VMs with it, and when it is given its port or its key
back they write again. Some only ask, wait, or tell others, and prove nothing by themselves.

Each was read: what it does for "off", and for what it then says that a node is off (fence-agents 4.12.1 of Debian 12;
from `fence_aws_vpc` on, those that stand in other versions and packages). An agent that is not in the table is taken
for one that cuts the power, for sites have agents of their own; unless its metadata say that what it takes away must
be given back when the node starts, which nobody needs who has been off.
"""

from collections.abc import Iterable, Mapping

from outlast.model.fence import FenceAgent, FenceDevice

_BOARDS = (
    "alom amt drac drac5 idrac ilo ilo2 ilo3 ilo3_ssh ilo4 ilo4_ssh ilo5 ilo5_ssh ilo_mp ilo_ssh imm ipmilan "
    "ipmilanplus ironic redfish rsa rsb"
)
"""Of the machine itself."""
_CHASSIS = "bladecenter cisco_ucs hds_cb hpblade ibmblade ilo_moonshot intelmodular"
_OUTLETS = (
    "apc apc_snmp cdu cyberpower_ssh eaton_snmp emerson eps ipdu lindypdu netio powerman raritan raritan_px3 "
    "tripplite_snmp wti"
)
_MACHINES = (
    "aliyun aws azure_arm docker gce ibm_powervs ibm_vpc ibmz kubevirt ldom lpar openstack pve rhevm vbox virsh vmware "
    "vmware_rest vmware_soap vmware_vcloud xenapi zvmip"
)
"""They end the virtual machine (or the container) that is the node."""
_LAB = "outlast_lab"

POWER = frozenset(f"{_BOARDS} {_CHASSIS} {_OUTLETS} {_MACHINES} {_LAB}".split())
"""Names of agents, as all in this file without `fence_`."""

CUTS_OFF: Mapping[str, str] = {
    "brocade": "its port of the storage network",
    "cisco_mds": "its port of the storage network",
    "ifmib": "its port of a network switch",
    "mpath": "the disks that it shares",
    "sanbox2": "its port of the storage network",
    "scsi": "the disks that it shares",
    "aws_vpc": "its network",
    "aws_vpc_net": "its network",
    "mcdata": "its port of the storage network",
    "vixel": "its port of the storage network",
}
"""What these take away from a node, which goes on without it."""

NO_PROOF: Mapping[str, str] = {
    "ack_manual": "it asks a person; that is what `outlast node confirm-down` is for",
    "compute": "it only tells OpenStack that a host is down",
    "crosslink": "it calls a node off that does not answer a ping",
    "dummy": "it switches nothing: it is for tests",
    "ecloud": "its status never says off: it loses its own exit code",
    "evacuate": "it only tells OpenStack that a host is down",
    "heuristics_ping": "it only looks whether others answer a ping",
    "kdump": "it only waits for a kernel that has crashed to say so",
    "ovh": "it starts the machine into another system, and has no status that could confirm it",
    "rcd_serial": "it can only press reset, and nobody can ask it whether that was done",
    "sbd": "it leaves a message on a disk, and calls the node off when that is written, not when it was obeyed",
    "skalar": "it calls a virtual machine off also when its host cannot be reached",
    "heuristics_resource": "it only looks at something else",
    "legacy": "it runs another program, and has no status of the node",
    "manual": "it asks a person; that is what `outlast node confirm-down` is for",
    "nova": "it only tells OpenStack that a host is down",
    "recorder": "it writes down that a node is to be fenced, and switches nothing",
    "watchdog": "it only waits; a watchdog that is set in outlast.toml is proof by itself",
}
"""What these do instead of cutting the power."""

MAY_NOT_BE_ON: Mapping[str, str] = {
    "missing_as_off": "a node that the device does not know, as after a move to another host, would count as off",
    "network_fencing": "a node that is cut off from its network would count as off, and it runs on",
}
"""Parameters with which an agent that cuts the power says off for something else."""

INSTEAD = (
    "use what cuts its power: its management board, a switched outlet, the hypervisor that it is a virtual machine of; "
    "or a watchdog (docs/fencing.md)"
)
NEEDED = ("off", "status")
_YES = {"1", "yes", "on", "true"}


def no_proof(device: FenceDevice, described: FenceAgent | None = None) -> str:
    """Why this device's word would be no proof of death, for people; "" when it would be one."""
    why = agent_no_proof(device.agent, described)
    if why:
        return why
    set_to = {name.replace("-", "_"): value for name, value in device.parameters.items()}
    for parameter, reason in MAY_NOT_BE_ON.items():
        if set_to.get(parameter, "").lower() in _YES:
            return f"{parameter} cannot be on: {reason}"
    return ""


def agent_no_proof(agent: str, described: FenceAgent | None = None) -> str:
    """The same of an agent, whatever its parameters."""
    name = _plain(agent)
    if name in CUTS_OFF:
        return _cuts_off(agent, CUTS_OFF[name])
    if name in NO_PROOF:
        return f"{agent} proves no death: {NO_PROOF[name]}; {INSTEAD}"
    if name in POWER or described is None:
        return ""
    if described.gives_back:
        return _cuts_off(agent, "something that it must be given back when it starts: its storage, or a network")
    missing = [action for action in NEEDED if described.actions and action not in described.actions]
    if missing:
        return f"{agent} has no action {' and no '.join(missing)}: nobody could confirm by it that a node is off"
    return ""


def is_known(agent: str) -> bool:
    """Does the table have it? Then its metadata need not be asked."""
    name = _plain(agent)
    return name in POWER or name in CUTS_OFF or name in NO_PROOF


def doubt(agent: str) -> str:
    """What to make sure of before an unknown agent is relied on, for people; "" when it is known."""
    if is_known(agent):
        return ""
    return (
        f"Outlast does not know {agent} and takes it for one that cuts the power. Make sure that it does: if it only "
        "takes a node's storage or network away, asks or waits, VMs will run twice and their disks are lost"
    )


def proving(devices: Iterable[FenceDevice]) -> tuple[FenceDevice, ...]:
    """Those whose word would be proof, as far as it can be told without asking their agents."""
    return tuple(device for device in devices if not no_proof(device))


def _plain(agent: str) -> str:
    return agent.rpartition("/")[2].removeprefix("fence_")


def _cuts_off(agent: str, what: str) -> str:
    return (
        f"{agent} does not cut a node's power but {what}: the node runs on, what it writes is lost while its VMs' "
        f"addresses answer twice, and when it is given that back it writes again; {INSTEAD}"
    )
