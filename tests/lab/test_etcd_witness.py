"""A cluster of two nodes and a witness; and the certificates of all three, which are renewed while everything runs."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from lab.guarded import Guarded
from outlast.adapters import pki
from outlast.lab import engine
from outlast.lab.bmc import Fault
from outlast.lab.cluster import LabCluster
from outlast.lab.layout import NodePaths, address_of

pytestmark = pytest.mark.lab
MOST_MIB = 80.0
PATIENCE_S = 90.0


@pytest.fixture
def cluster(guarded: Guarded) -> LabCluster:
    return guarded("witness", nodes=2, database="etcd", witness=True)


def test_two_nodes_and_a_witness_vote(cluster: LabCluster) -> None:
    cluster.wait(lambda _: engine.voters(cluster) == {"n1", "n2", "w1"}, "all three vote", PATIENCE_S)
    machines = json.loads(cluster.lab.exec("n1", "outlast", "--json", "cluster", "show"))["machines"]
    assert {row["name"]: row["part"] for row in machines} == {"n1": "node", "n2": "node", "w1": "witness"}
    assert {row.name for row in cluster.status().nodes} == {"n1", "n2"}, "it is no node"


def test_a_witness_fits_into_80_mib_with_its_database(cluster: LabCluster) -> None:
    """As the kernel counts: also what it shares with other programs."""
    programs = ("outlast-witness", "etcd")
    cluster.lab.wait(lambda: all(cluster.pid("w1", what) for what in programs), PATIENCE_S, "both run")
    sizes = {what: resident_mib(cluster.pid("w1", what)) for what in programs}
    assert sum(sizes.values()) <= MOST_MIB, sizes


def test_a_witness_has_no_key_with_which_it_could_let_machines_in(cluster: LabCluster) -> None:
    etc = cluster.lab.node("w1").etc / "outlast"
    files = {str(path.relative_to(etc)) for path in etc.rglob("*") if path.is_file()}
    assert files == {"outlast.toml", "pki/authority.crt", "pki/node.crt", "pki/node.key"}


def test_with_the_witness_one_of_two_nodes_may_die_without_any_fence_device(cluster: LabCluster) -> None:
    for name in ("n1", "n2"):
        cluster.lab.set_bmc_fault(name, Fault.DEAD)
    cluster.protect("beacon", "web", preferred_owners=["n1"])
    before = cluster.outputs(["web"], ["n2"])
    cluster.lab.power_off("n1")
    cluster.wait_for_output(["web"], ["n2"], before, within_s=PATIENCE_S)
    assert any("watchdog" in event.words for event in cluster.story("n2") if event.kind == "node-dead")
    cluster.lab.power_on("n1")
    cluster.wait_for_members()


def test_a_witness_that_lost_its_power_votes_again_after_the_boot(cluster: LabCluster) -> None:
    cluster.lab.reset("w1")
    cluster.wait(lambda _: engine.voters(cluster) == {"n1", "n2", "w1"}, "all three vote again", PATIENCE_S)


@pytest.mark.parametrize("name", ["n1", "w1"])
def test_a_certificate_that_is_nearly_over_is_renewed_and_used_while_everything_runs(
    cluster: LabCluster, name: str
) -> None:
    age(cluster, name)
    target, program = cluster.lab.node(name), "outlastd" if name == "n1" else "outlast-witness"
    etcd, before = cluster.pid(name, "etcd"), certificate(target)
    # It looks once a day, and when it starts.
    cluster.lab.kill(name, program)
    cluster.lab.wait(lambda: certificate(target) != before, PATIENCE_S, "the certificate is another one")
    left_s = (pki.validity(certificate(target))[1] - datetime.now(UTC)).total_seconds()
    assert left_s > 300 * 24 * 3600
    assert pki.names_of(certificate(target)) == pki.names_of(before)
    shown = shown_by_etcd(cluster, name)
    assert shown == pki.fingerprint(certificate(target)), "etcd shows the new one, and was not restarted for it"
    assert cluster.pid(name, "etcd") == etcd
    cluster.wait_for_members()


def age(cluster: LabCluster, name: str) -> None:
    """As if 300 of its 365 days had passed."""
    signer, target = cluster.lab.node("n1"), cluster.lab.node(name)
    key = (target.etc / "outlast/pki/node.key").read_text()
    authority, authority_key = (
        (signer.etc / "outlast/pki" / file).read_text() for file in ("authority.crt", "authority.key")
    )
    names = pki.names_of(certificate(target))
    # A term of which less than a third is left: it began a day ago, as all do.
    old = pki.sign(authority, authority_key, pki.create_request(key), names, datetime.now(UTC), days=0.4)
    file = target.etc / "outlast/pki/node.crt"
    new = file.with_name("node.crt.test")
    new.write_text(old)
    new.rename(file)


def certificate(node: NodePaths) -> str:
    return (node.etc / "outlast/pki/node.crt").read_text()


def shown_by_etcd(cluster: LabCluster, name: str) -> bytes:
    look = (
        "import ssl, sys; context = ssl.create_default_context(cafile='/etc/outlast/pki/authority.crt'); "
        "context.load_cert_chain('/etc/outlast/pki/node.crt', '/etc/outlast/pki/node.key'); "
        "import socket, hashlib; "
        "link = context.wrap_socket(socket.create_connection((sys.argv[1], 2379), 30), server_hostname=sys.argv[2]); "
        "print(hashlib.sha256(link.getpeercert(True)).hexdigest())"
    )
    return bytes.fromhex(cluster.lab.exec("n2", "python3", "-c", look, address_of(name), name).strip())


def resident_mib(pid: int) -> float:
    (line,) = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS")]
    return int(line.split()[1]) / 1024
