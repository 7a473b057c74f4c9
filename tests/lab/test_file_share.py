"""A client writes to a file share while it changes its node, and nothing that was acknowledged is lost."""

from collections.abc import Iterator

import pytest

from outlast.lab.cluster import LabCluster
from outlast.lab.smb_writer import RECORD_BYTES, lost, record
from outlast.lab.written_share import GROUP, SERVERS, WrittenShare

pytestmark = pytest.mark.lab


@pytest.fixture
def share(cluster: LabCluster) -> Iterator[WrittenShare]:
    share = WrittenShare(cluster)
    share.make()
    yield share
    for node in SERVERS:
        if not cluster.lab.is_on(node):
            cluster.lab.power_on(node)
    cluster.wait_for_members()
    share.delete()


def other(node: str) -> str:
    return next(name for name in SERVERS if name != node)


def test_a_client_writes_through_a_planned_move_and_loses_nothing(share: WrittenShare) -> None:
    to = other(share.owner)
    with share.written() as writing:
        share.outlast("group", "move", GROUP, "--to", to)
        writing.go_on()
    assert share.owner == to
    assert writing.account.connections == 2
    assert writing.lost() == []


def test_a_client_writes_through_its_servers_power_cut_and_loses_nothing(share: WrittenShare) -> None:
    owner = share.owner
    with share.written() as writing:
        share.cluster.lab.power_off(owner)
        writing.go_on()
    assert share.owner == other(owner)
    assert writing.account.connections == 2
    assert writing.lost() == []


def test_a_killed_server_is_started_again_and_the_client_loses_nothing(share: WrittenShare) -> None:
    with share.written() as writing:
        pids = share.cluster.lab.exec(share.owner, "sh", "-c", "cat /run/outlast/file_share/share/pid/smbd.pid")
        share.cluster.lab.exec(share.owner, "kill", "-KILL", pids.strip())
        share.cluster.wait(lambda s: any("smbd has ended" in e.words for e in share.cluster.story()), "it is told")
        writing.go_on()
        share.cluster.wait_online(GROUP)
    assert writing.lost() == []


def test_what_is_lost_is_found() -> None:
    whole = b"".join(record(number) for number in range(4))
    assert lost(whole, 4) == []
    assert lost(whole[:-1], 4) == [3]
    assert lost(whole[:RECORD_BYTES] + bytes(RECORD_BYTES) + whole[2 * RECORD_BYTES :], 4) == [1]
