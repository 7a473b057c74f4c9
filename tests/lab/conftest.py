"""Which labs do the tests use? Real nodes on this machine; each test session has labs of its own name.

`labs` makes a lab and keeps it for the next test that asks for it (`labs(service=False)`, `labs("two", nodes=2)`),
until two others were asked for since: labs that nobody uses cost the others time. `lab` is the usual one, three nodes
without the cluster service, put in order again before each test. `guarded` makes a lab with the cluster service, and
sees to it that no guest ever runs twice in it.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, Protocol

import pytest

from lab.guarded import Guarded, no_guest_twice
from outlast.lab.cluster import LabCluster
from outlast.lab.lab import Lab
from outlast.lab.layout import LabPaths

KEPT = 2


class Labs(Protocol):
    def __call__(self, kind: str = "plain", **options: Any) -> Lab: ...


@pytest.fixture(scope="session")
def labs() -> Iterator[Labs]:
    if os.geteuid() != 0:
        pytest.skip("the lab makes Linux namespaces, which takes root")
    made: dict[str, Lab] = {}

    def make(kind: str = "plain", **options: Any) -> Lab:
        if kind in made:
            made[kind] = made.pop(kind)  # the last one, as the one that was asked for last
            return made[kind]
        while len(made) >= KEPT:
            made.pop(next(iter(made))).down()
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
def guarded(labs: Labs) -> Iterator[Guarded]:
    """Makes a cluster as `labs` makes labs: everybody is a member, nothing is protected (unless `clear=False`). From
    then on to the test's end no guest runs twice at once."""
    with ExitStack() as guards:

        def make(kind: str, *, clear: bool = True, **options: Any) -> LabCluster:
            cluster = LabCluster(labs(kind, **options))
            if clear:
                cluster.clear()
            guards.enter_context(no_guest_twice(cluster.lab))
            return cluster

        yield make


@pytest.fixture
def cluster(guarded: Guarded) -> LabCluster:
    """Three nodes with a node time-out of 2 s."""
    return guarded("cluster", nodes=3, node_timeout_s=2.0)


@pytest.fixture
def patient_cluster(guarded: Guarded) -> LabCluster:
    """The same with the default node time-out, for what must be back within it also on a machine that is busy."""
    return guarded("patient", nodes=3)


@pytest.fixture
def etcd_cluster(guarded: Guarded) -> LabCluster:
    """Three nodes that carry a member of etcd each, with the default node time-out."""
    return guarded("quorum", nodes=3, database="etcd")
