"""A lab whose nodes have real management boards: three nodes on etcd, with links between their services."""

import os
from collections.abc import Iterator

import pytest
from boards import IpmiBoard, RedfishBoard, wait_until_it_answers

from outlast.lab.cluster import LabCluster
from outlast.lab.lab import Lab


@pytest.fixture(scope="session")
def fenced_lab() -> Iterator[Lab]:
    if os.geteuid() != 0:
        pytest.skip("the lab makes Linux namespaces, which takes root")
    lab = Lab(f"test-{os.getpid()}-fence")
    try:
        lab.up(nodes=3, node_timeout_s=5.0, database="etcd", watchdog=False)
        yield lab
    finally:
        lab.down()


@pytest.fixture
def cluster(fenced_lab: Lab) -> Iterator[LabCluster]:
    """Nothing protected; watched for double copies."""
    cluster = LabCluster(fenced_lab)
    cluster.clear()
    with fenced_lab.watcher() as watcher:
        yield cluster
    assert not watcher.findings, "two copies of a guest ran at once"
    assert not fenced_lab.check_disks(), "two copies of a guest wrote to one disk"


@pytest.fixture
def ipmi(cluster: LabCluster) -> Iterator[IpmiBoard]:
    """The board of n1."""
    board = IpmiBoard(cluster.lab, "n1")
    board.start()
    try:
        wait_until_it_answers(board, "fence_ipmilan", "n2")
        yield board
    finally:
        board.kill()


@pytest.fixture
def redfish(cluster: LabCluster) -> Iterator[RedfishBoard]:
    """Another board of n1."""
    board = RedfishBoard(cluster.lab, "n1")
    board.start()
    try:
        wait_until_it_answers(board, "fence_redfish", "n2")
        yield board
    finally:
        board.kill()
