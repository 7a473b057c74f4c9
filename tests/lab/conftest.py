"""Which labs do the tests use? Real nodes on this machine; each test session has labs of its own name.

`labs` makes a lab once per session and keeps it (`labs(service=False)`, `labs("two", nodes=2)`); `lab` is the usual
one, three nodes without the cluster service, put in order again before each test.
"""

import os
from collections.abc import Iterator
from typing import Any, Protocol

import pytest

from outlast.lab.cluster import LabCluster
from outlast.lab.lab import Lab
from outlast.lab.layout import LabPaths


class Labs(Protocol):
    def __call__(self, kind: str = "plain", **options: Any) -> Lab: ...


@pytest.fixture(scope="session")
def labs() -> Iterator[Labs]:
    if os.geteuid() != 0:
        pytest.skip("the lab makes Linux namespaces, which takes root")
    made: dict[str, Lab] = {}

    def make(kind: str = "plain", **options: Any) -> Lab:
        if kind not in made:
            made[kind] = Lab(f"test-{os.getpid()}-{kind}")
            made[kind].up(**options)
        return made[kind]

    try:
        yield make
    finally:
        for lab in made.values():
            lab.down()


@pytest.fixture
def lab(labs: Labs) -> Lab:
    usual = labs("plain", nodes=3, service=False)
    usual.put_in_order()
    return usual


@pytest.fixture
def lab_paths() -> Iterator[LabPaths]:
    """A name that no other lab has; whatever the test leaves there is cleared."""
    if os.geteuid() != 0:
        pytest.skip("the lab makes Linux namespaces, which takes root")
    lab = Lab(f"test-{os.getpid()}-own")
    try:
        yield lab.paths
    finally:
        lab.down()


@pytest.fixture
def cluster(labs: Labs) -> Iterator[LabCluster]:
    """Three nodes with the cluster service, a node time-out of 2 s, nothing protected; watched for double copies."""
    yield from _watched(labs("cluster", nodes=3, node_timeout_s=2.0))


@pytest.fixture
def patient_cluster(labs: Labs) -> Iterator[LabCluster]:
    """The same with the default node time-out, for what must be back within it also on a machine that is busy."""
    yield from _watched(labs("patient", nodes=3))


def _watched(lab: Lab) -> Iterator[LabCluster]:
    usual = LabCluster(lab)
    usual.clear()
    with usual.lab.watcher() as watcher:
        yield usual
    assert not watcher.findings, "two copies of a guest ran at once"
    assert not usual.lab.check_disks(), "two copies of a guest wrote to one disk"
