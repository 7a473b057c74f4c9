"""Which OCF agents can this cluster not use, and why? Read in resource-agents 4.12.0 (Debian 12).

Three reasons. *Promotable* agents (that is in their meta-data) want to run on several nodes at once, in two roles.
Agents that *need Pacemaker* keep what they find in its node attributes, or ask it who else is there; without it they
fail or do nothing. And some *say what is not so*: that it runs while it does not, or that it was stopped while it runs.

An agent that is not in the tables is read by machine for the names of Pacemaker's tools; that errs on the side of no.
"""

import re
from collections.abc import Mapping
from pathlib import Path

from outlast.resources.ocf.metadata import Agent

_ATTRIBUTES = "it keeps what it finds in Pacemaker's node attributes, and nobody here reads those"
_OPENSTACK = "it asks Pacemaker's node attributes who this node is"

NEEDS_PACEMAKER: Mapping[str, str] = {
    "ClusterMon": "it runs Pacemaker's crm_mon",
    "NodeUtilization": _ATTRIBUTES,
    "SysInfo": _ATTRIBUTES,
    "azure-events": "it puts Pacemaker's nodes on standby",
    "azure-events-az": "it puts Pacemaker's nodes on standby",
    "ethmonitor": _ATTRIBUTES,
    "lxd-info": _ATTRIBUTES,
    "machine-info": _ATTRIBUTES,
    "openstack-cinder-volume": _OPENSTACK,
    "openstack-floating-ip": _OPENSTACK,
    "openstack-info": _ATTRIBUTES,
    "openstack-virtual-ip": _OPENSTACK,
    "ovsmonitor": _ATTRIBUTES,
    "pingd": _ATTRIBUTES,
    "rabbitmq-cluster": "it asks Pacemaker's configuration who else is there",
    "storage-mon": _ATTRIBUTES,
}

LIES: Mapping[str, str] = {
    "VirtualDomain": (
        "it says stopped while the VM runs, when its configuration file cannot be read; "
        "use the type vm (`outlast vm protect`)"
    ),
    "ipsec": "it says that the tunnel is up whenever `ipsec status` does not say otherwise, also when nothing runs",
}

MENTIONS_ONLY = frozenset({"LVM-activate", "SAPDatabase", "Xen", "aws-vpc-route53", "garbd", "portblock"})
"""They name Pacemaker's tools in comments, or use them for what is not needed here, and go on without."""

SHARED_DAEMONS = frozenset({"dmeventd", "iscsid", "lvmetad", "lvmpolld", "multipathd", "rpcbind", "rpc.statd", "udevd"})
"""What an agent's start may start first, and serves the whole machine from then on."""

_TOOLS = re.compile(
    rb"\b(crm_attribute|attrd_updater|crm_node|cibadmin|crm_resource|crm_mon|crm_master|crm_failcount|crm_simulate"
    rb"|crm_standby|crm_ticket|crmadmin|stonith_admin|ocf_promotion_score)\b"
)


def why_not(agent: Agent, file: Path) -> str:
    """Why it cannot be used, for people; "" when it can."""
    told = f"{agent.full_name} cannot be used: "
    if agent.promotable:
        return f"{told}it runs on several nodes at once, one of them promoted; a resource of Outlast runs on one node"
    if agent.name in LIES:
        return f"{told}{LIES[agent.name]}"
    if agent.name in NEEDS_PACEMAKER:
        return f"{told}{NEEDS_PACEMAKER[agent.name]}"
    if agent.provider != "heartbeat" or agent.name not in MENTIONS_ONLY:
        found = _TOOLS.search(file.read_bytes())
        if found:
            return f"{told}it uses {found[1].decode()} of Pacemaker, which is not here"
    return ""
