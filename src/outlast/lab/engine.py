"""How do the members of etcd in a lab stand, and how is one made to lead? For tests and benchmarks."""

import json

from outlast.lab.cluster import LabCluster
from outlast.lab.layout import address_of
from outlast.model.answers import QuorumRow

PKI = "/etc/outlast/pki"
ACCESS = ("--cacert", f"{PKI}/authority.crt", "--cert", f"{PKI}/node.crt", "--key", f"{PKI}/node.key")


def quorum(cluster: LabCluster, node: str = "") -> QuorumRow:
    """As this node sees it."""
    return cluster.client(node).call("quorum.show", type=QuorumRow)


def voters(cluster: LabCluster, node: str = "") -> set[str]:
    """Those that are well."""
    return voters_of(quorum(cluster, node))


def voters_of(row: QuorumRow) -> set[str]:
    return {voter.name for voter in row.voters if voter.state in ("leads", "votes")}


def lead(cluster: LabCluster, node: str) -> None:
    """From now on etcd is led there."""
    leader = quorum(cluster, node).leader
    if leader != node:
        (own,) = json.loads(etcdctl(cluster, node, node, "endpoint", "status", "--write-out", "json"))
        etcdctl(cluster, node, leader, "move-leader", f"{own['Status']['header']['member_id']:x}")
    cluster.wait(lambda _: quorum(cluster, node).leader == node, f"etcd is led on {node}")


def etcdctl(cluster: LabCluster, on: str, member: str, *command: str) -> str:
    """Executed on one node, it asks the member of another (or the same)."""
    endpoint = f"https://{address_of(member)}:2379"
    return cluster.lab.exec(on, "env", "ETCDCTL_API=3", "etcdctl", "--endpoints", endpoint, *ACCESS, *command)
