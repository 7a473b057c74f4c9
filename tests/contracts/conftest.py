"""Three members of etcd that the contract and the tests of the adapter share; in order again before each test."""

import shutil
from collections.abc import Iterator

import pytest

from etcd_members import EtcdCluster, etcd_cluster


@pytest.fixture(scope="session")
def shared_etcd() -> Iterator[EtcdCluster]:
    if shutil.which("etcd") is None:
        pytest.skip("there is no etcd on this machine; install the package etcd-server")
    with etcd_cluster() as cluster:
        yield cluster


@pytest.fixture
def etcd(shared_etcd: EtcdCluster) -> EtcdCluster:
    shared_etcd.put_in_order()
    return shared_etcd
