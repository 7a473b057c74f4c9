"""The judges of a soak: would they notice? And are a round's faults the same again for the same seed? Needs no lab."""

from pathlib import Path
from random import Random

import msgspec
import pytest

from build import group, session, silence
from outlast.cli.soak import CommitJudge
from outlast.lab import faults, history
from outlast.lab.checker import Writers
from outlast.model import keys
from outlast.model.node import ProofKind
from outlast.ports.database import Batch, Change

NODES, GUESTS = ("n1", "n2", "n3"), ("web1", "web2")


def drawn(seed: str) -> list[tuple[str, float, float]]:
    found = faults.draw_round(Random(seed), NODES, ("w1",), GUESTS, etcd=True)
    return [(timed.fault.words, timed.at_s, timed.lasts_s) for timed in found]


def test_a_rounds_faults_follow_from_seed_and_number_alone() -> None:
    assert drawn("7/3") == drawn("7/3")
    assert len({tuple(drawn(f"7/{number}")) for number in range(50)}) > 40


def test_every_kind_of_fault_is_drawn_sooner_or_later() -> None:
    words = {word for number in range(300) for fault, _, _ in drawn(f"1/{number}") for word in fault.split()}
    assert {"off", "reset", "freeze", "kill", "cut", "bmc", "--one-way", "service", "database", "every", "w1"} <= words


def found_after(place: Path, *boot_ids: str) -> list[str]:
    writers = Writers(place)
    for boot_id in boot_ids:
        writers.wrote("web1", boot_id)
    return [finding.words for finding in writers.findings]


def test_a_run_that_writes_its_disk_again_after_another_one_is_found(tmp_path: Path) -> None:
    assert found_after(tmp_path, "A", "A", "B", "B", "C") == []
    words = "run B wrote to its disk again, after run C had written there"
    assert found_after(tmp_path, "A", "B", "C", "B") == [words]


def commits(*records: tuple[str, msgspec.Struct]) -> list[Batch]:
    return [
        Batch(number, (Change(key, msgspec.json.encode(record), number),))
        for number, (key, record) in enumerate(records, 1)
    ]


@pytest.mark.parametrize(("proof", "broken"), [(None, 1), (ProofKind.FENCE, 0)])
def test_a_group_that_was_given_away_without_proof_is_found_among_the_commits(
    proof: ProofKind | None, broken: int
) -> None:
    before = group("web1", on="n2")
    after = msgspec.structs.replace(before, owner="n3", epoch=before.epoch + 1)
    batches = commits(
        (keys.SESSIONS + "n2", session("n2")),
        (keys.GROUPS + "web1", before),
        (keys.SILENCES + "n2", silence("n2", proof=proof)),
        (keys.GROUPS + "web1", after),
    )
    found = CommitJudge()(history.History(True, tuple(batches)))
    assert len(found) == broken, found


def test_a_history_is_read_as_it_was_printed() -> None:
    batches = (Batch(0, ()), Batch(5, (Change("control/groups/web", b"{}", 5),)))
    read = history.decode([msgspec.json.encode(batch).decode() for batch in batches])
    assert read == history.History(True, batches[1:])
    assert history.decode([msgspec.json.encode(batches[1]).decode()]) == history.History(False, batches[1:])
