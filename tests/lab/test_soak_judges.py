"""The judges of a soak: would they notice? And are a round's faults the same again for the same seed? Needs no lab."""

from pathlib import Path
from random import Random

import msgspec
import pytest

from build import group, resource, session, silence, status
from outlast.cli.lab.judging import Judge
from outlast.lab import faults
from outlast.lab.checker import Writers
from outlast.lab.history import History, Mark, Unread, decode
from outlast.lab.ledger import Times, lost
from outlast.lab.sightings import PermitSeen, Span, resets
from outlast.lab.soak import Evidence
from outlast.model import keys
from outlast.model.group import Wanted
from outlast.model.node import ProofKind
from outlast.model.status import State
from outlast.ports.database import Batch, Change

NODES, GUESTS = ("n1", "n2", "n3"), ("web1", "web2")
NEVER_S = float("inf")


def drawn(seed: str) -> list[tuple[str, float, float]]:
    found = faults.draw_round(Random(seed), NODES, ("w1",), GUESTS, etcd=True)
    return [(timed.fault.words, timed.at_s, timed.lasts_s) for timed in found]


def test_a_rounds_faults_follow_from_seed_and_number_alone() -> None:
    assert drawn("7/3") == drawn("7/3")
    assert len({tuple(drawn(f"7/{number}")) for number in range(50)}) > 40


def test_every_kind_of_fault_is_drawn_sooner_or_later() -> None:
    words = {word for number in range(300) for fault, _, _ in drawn(f"1/{number}") for word in fault.split()}
    assert {"off", "reset", "freeze", "kill", "cut", "bmc", "--one-way", "service", "database", "every", "w1"} <= words
    assert {"split", "slow", "goes,"} <= words


def found_after(place: Path, *boot_ids: str) -> list[str]:
    writers = Writers(place)
    return [
        finding.words
        for at_s, boot_id in enumerate(boot_ids)
        for finding in writers.wrote("web1", boot_id, at_s, float(at_s))
    ]


def test_a_run_that_writes_its_disk_again_after_another_one_is_found(tmp_path: Path) -> None:
    assert found_after(tmp_path, "A", "A", "B", "B", "C") == []
    words = "run B wrote to its disk again, after run C had written there"
    assert found_after(tmp_path, "A", "B", "C", "B") == [words]


def test_a_run_that_counts_back_goes_on_from_an_older_state_and_is_found(tmp_path: Path) -> None:
    writers = Writers(tmp_path)
    looks = (("A", 7), ("A", 8), ("A", 8), ("B", 1), ("B", 5), ("B", 3), ("B", 4))
    found = [one.words for at_s, look in enumerate(looks) for one in writers.wrote("web1", *look, float(at_s))]
    assert found == ["invariant 18: run B is at its beat 3, and had been at 5: it goes on from an older state"]


@pytest.mark.parametrize(
    ("began_s", "ended_s", "found"),
    [
        (1.0, 90.0, True),  # there when A still wrote, and when B had
        (3.5, 90.0, False),  # it may have begun after A's last beat
        (1.0, 5.5, False),  # it may have ended before B began
    ],
)
def test_another_run_in_the_same_process_is_a_reset_and_is_found(
    tmp_path: Path, began_s: float, ended_s: float, found: bool
) -> None:
    writers = Writers(tmp_path)
    looks = (("A", 7), ("A", 8), ("A", 9), ("A", 10), ("A", 10), ("A", 10), ("B", 1), ("B", 2))
    for at_s, look in enumerate(looks):
        assert list(writers.wrote("web1", *look, float(at_s))) == []
    (relay,) = writers.relays
    assert (relay.from_s, relay.until_s) == (2.0, 6.0)
    others = [Span("n1", "web2", 11, 0.0, NEVER_S), Span("n2", "", 1, 0.0, NEVER_S)]
    words = [one.words for one in resets(writers.relays, [*others, Span("n2", "web1", 10, began_s, ended_s)])]
    told = "invariant 21: run B began in the process of run A (10 on n2): it was reset"
    assert words == ([told] if found else [])


class Made:
    """A history that is made up: what stood and ran in a healthy cluster, and then what a test adds.

    A commit each tenth of a second, a mark between each two: the database is never away unless a test says so.
    """

    def __init__(self) -> None:
        self.now_s = 100.0
        self.revision = 0
        self.batches: list[Batch] = []
        self.marks: list[Mark] = []
        self.guests: list[Span] = []
        self.powers = [Span(name, "", 1, 1.0, NEVER_S) for name in NODES]
        self.unarmed: list[Span] = []
        self.permits: list[PermitSeen] = []
        self.killed: list[tuple[str, float]] = []
        self.hindered: list[tuple[str, float, float]] = []
        self.silent: set[str] = set()
        self.judge = Judge()
        self.group = group("web1", on="n2")
        self.commit((keys.RESOURCES + "web1", resource("web1")), (keys.GROUPS + "web1", self.group))
        self.run(2.0)
        self.guest = self.starts("web1", "n2")
        self.commit((keys.STATUS + "web1", status(self.group, State.ONLINE)))
        self.run(5.0)

    def commit(self, *records: tuple[str, msgspec.Struct | None]) -> None:
        changes = [(key, msgspec.json.encode(record) if record is not None else None) for key, record in records]
        self.mark()
        self.revision += 1
        self.batches.append(Batch(self.revision, tuple(Change(*one, self.revision) for one in changes)))
        self.now_s += 0.1
        self.mark()

    def mark(self) -> None:
        self.revision += 1
        self.marks.append(Mark(len(self.marks) + 1, self.revision, self.now_s, self.now_s + 0.01))
        self.now_s += 0.02

    def run(self, seconds: float) -> None:
        """Everyone who is not silent renews all the while."""
        until_s = self.now_s + seconds
        while self.now_s < until_s:
            for name in NODES:
                if name not in self.silent:
                    self.commit((keys.SESSIONS + name, session(name)))
                    permit = PermitSeen(name, self.now_s - 0.04, self.now_s - 0.01, self.now_s - 0.2 + 4.25)
                    self.permits.append(permit)
                else:
                    self.now_s += 0.1

    def starts(self, guest: str, node: str) -> Span:
        self.now_s += 0.2
        self.mark()
        self.now_s += 0.2
        self.guests.append(Span(node, guest, len(self.guests) + 10, self.now_s, NEVER_S))
        self.mark()
        return self.guests[-1]

    def ends(self, span: Span) -> None:
        span.until_s, span.gone_s = self.now_s, self.now_s + 0.02
        self.now_s += 0.02
        self.mark()

    def loses_power(self, node: str) -> None:
        self.silent.add(node)
        for span in self.powers + self.guests:
            if span.node == node and span.until_s == NEVER_S:
                span.until_s, span.gone_s = self.now_s, self.now_s + 0.02
        self.now_s += 0.5

    def call_silent(self, node: str, proof: ProofKind | None) -> None:
        self.commit((keys.SILENCES + node, silence(node)))
        if proof is not None:
            self.commit((keys.SILENCES + node, silence(node, proof=proof)))

    def give(self, to: str) -> None:
        self.group = msgspec.structs.replace(self.group, owner=to, epoch=self.group.epoch + 1)
        self.commit((keys.GROUPS + "web1", self.group))

    def judged(self, *, whole: bool = False) -> list[str]:
        """What is found broken after a quiet time."""
        self.run(6.0)
        history = History(whole, tuple(self.batches))
        self.batches = []
        lists = (self.marks, self.guests, self.powers, self.unarmed, self.permits, self.killed, self.hindered)
        return list(self.judge(Evidence(history, self.now_s, *lists)))


def test_a_healthy_cluster_breaks_nothing_and_all_of_it_is_judged() -> None:
    made = Made()
    assert made.judged() == []
    judge = made.judge
    assert judge.commits > 90
    assert (judge.starts, judge.ends, judge.excused, judge.passed_over) == (1, 0, 0, 0)
    assert judge.permits == len(made.permits) - 1, "the last one waits for a mark after it"
    assert judge._suspects == []


def test_a_node_that_loses_power_is_taken_over_with_proof_and_nothing_is_broken() -> None:
    made = Made()
    made.loses_power("n2")
    made.run(6.0)
    made.call_silent("n2", ProofKind.FENCE)
    made.give("n3")
    made.starts("web1", "n3")
    assert made.judged() == []
    assert (made.judge.starts, made.judge.ends) == (2, 1)


def broken(made: Made, *invariants: int) -> None:
    found = made.judged()
    assert {int(words.split()[1].rstrip(":")) for words in found} == set(invariants), found


def test_a_group_that_was_given_away_without_proof_is_found() -> None:
    made = Made()
    made.loses_power("n2")
    made.run(6.0)
    made.call_silent("n2", None)
    made.give("n3")
    broken(made, 3)


def test_a_start_before_the_owner_is_written_is_found() -> None:
    made = Made()
    made.loses_power("n2")
    made.run(6.0)
    made.call_silent("n2", ProofKind.FENCE)
    made.starts("web1", "n3")
    made.run(1.0)
    made.give("n3")
    broken(made, 2)


def test_a_start_without_a_valid_session_is_found() -> None:
    made = Made()
    made.loses_power("n2")
    made.run(6.0)
    made.call_silent("n2", ProofKind.FENCE)
    made.give("n3")
    made.silent.add("n3")
    made.run(6.0)
    made.starts("web1", "n3")
    broken(made, 2)


def test_that_is_excused_only_where_the_soak_itself_kept_hosts_from_working() -> None:
    made = Made()
    made.hindered = [("n3", made.now_s, made.now_s + 60)]
    made.starts("web1", "n3")
    assert made.judged() == []
    assert made.judge.excused == 1


@pytest.mark.parametrize("proof", [ProofKind.FENCE, ProofKind.WATCHDOG, ProofKind.OPERATOR])
def test_a_proof_of_death_while_the_node_runs_its_guest_is_found(proof: ProofKind) -> None:
    made = Made()
    made.silent.add("n2")
    made.run(6.0)
    made.call_silent("n2", proof)
    broken(made, 3)


def test_a_report_that_it_is_off_while_it_runs_is_found() -> None:
    made = Made()
    made.commit((keys.STATUS + "web1", status(made.group, State.OFFLINE)))
    broken(made, 3)


def test_a_session_that_is_opened_anew_while_a_guest_of_the_last_one_runs_is_found() -> None:
    made = Made()
    made.commit((keys.SESSIONS + "n2", session("n2", life=2)))
    made.silent.add("n2")
    broken(made, 3)


def test_an_epoch_that_falls_is_found() -> None:
    made = Made()
    made.group = msgspec.structs.replace(made.group, epoch=made.group.epoch - 2)
    made.give("n2")
    broken(made, 4)


def test_an_intent_that_nobody_changed_is_found() -> None:
    made = Made()
    made.commit((keys.GROUPS + "web1", msgspec.structs.replace(made.group, wanted=Wanted.OFFLINE)))
    broken(made, 5)


def test_a_guest_that_ended_and_nothing_called_for_it_is_found() -> None:
    made = Made()
    made.ends(made.guest)
    broken(made, 6)


def test_a_guest_that_the_soak_killed_or_whose_permit_had_passed_is_no_such_thing() -> None:
    made = Made()
    made.killed = [("web1", made.now_s - 0.3)]
    made.ends(made.guest)
    assert made.judged() == []
    made = Made()
    made.silent.add("n2")
    made.run(4.6)
    made.ends(made.guest)
    assert made.judged() == []
    assert made.judge.ends == 1


def test_a_permit_that_reaches_beyond_the_silence_of_its_node_is_found() -> None:
    made = Made()
    made.silent.add("n2")
    made.run(3.0)
    made.permits.append(PermitSeen("n2", made.now_s - 0.04, made.now_s, made.now_s + 4.0))
    made.call_silent("n2", None)
    broken(made, 7)


def test_a_permit_that_is_extended_after_the_silence_of_its_node_is_found() -> None:
    made = Made()
    made.silent.add("n2")
    made.run(6.0)
    made.call_silent("n2", None)
    made.run(1.0)
    made.permits.append(PermitSeen("n2", made.now_s - 0.04, made.now_s, made.now_s + 4.0))
    broken(made, 7)


def test_a_session_that_declares_a_watchdog_and_none_counts_is_found() -> None:
    made = Made()
    made.unarmed = [Span("n2", "", 0, made.now_s, NEVER_S)]
    made.run(0.5)
    made.commit((keys.SESSIONS + "n2", session("n2", watchdog_s=7.0)))
    made.silent.add("n2")
    broken(made, 12)


def test_what_cannot_be_told_apart_is_held_against_nobody() -> None:
    """The start lies between two marks, and so does the commit that allows it."""
    made = Made()
    made.loses_power("n2")
    made.run(6.0)
    made.call_silent("n2", ProofKind.FENCE)
    span = made.starts("web1", "n3")
    made.give("n3")
    span.from_s = made.now_s - 0.1
    assert made.judged() == []


def test_after_a_history_that_is_gone_it_is_counted_what_was_not_judged() -> None:
    made = Made()
    assert made.judged() == []
    made.starts("web1", "n3")
    permits = made.judge.permits
    assert made.judged(whole=True) == []
    assert made.judge.passed_over == 1 + len(made.permits) - permits


def test_an_acknowledged_write_that_is_not_in_the_database_is_found() -> None:
    marks = [Mark(number, 10 * number, 0.0, 0.0) for number in (1, 2, 3)]
    pairs = [(one.number, one.revision) for one in marks]
    assert lost(marks, History(False, (), tuple(pairs))) == []
    assert len(lost(marks, History(False, (), (pairs[0], pairs[2])))) == 1
    assert len(lost(marks, History(False, (), (pairs[0], pairs[1], (3, 31))))) == 1
    # Of a history that is gone there is the last one; a newer one that got no answer may stand there.
    assert lost(marks, History(True, (), ((4, 40),))) == []
    assert len(lost(marks, History(True, (), ((2, 20),)))) == 1
    assert len(lost(marks, History(True, (), ((0, 0),)))) == 3


def test_the_time_of_a_commit_lies_between_the_marks_around_it() -> None:
    marks = [Mark(1, 10, 1.0, 1.1), Mark(2, 20, 2.0, 2.1), Mark(3, 30, 3.0, 3.1)]
    times = Times(marks, 9.0)
    assert (times.of(5), times.of(15), times.of(35)) == ((0.0, 1.1), (1.0, 2.1), (3.0, 9.0))
    assert times.revisions(1.05, 1.5) == (0, 20)
    assert times.revisions(2.2, 2.3) == (20, 30)
    assert times.revisions(3.2, 3.3) == (30, float("inf"))


def test_a_history_is_read_as_it_was_printed() -> None:
    batches = (Batch(5, (Change("control/groups/web", b"{}", 5),)),)
    for said in (History(True, batches, ((1, 4),)), Mark(1, 4, 0.5, 0.6), Unread("it does not answer")):
        assert decode(msgspec.json.encode(said).decode()) == said


def test_a_link_that_flaps_comes_and_goes_and_is_there_in_the_end() -> None:
    seen: list[tuple[float, str]] = []

    def deed(word: str) -> faults.Deed:
        return lambda lab: None

    cut, heal = deed("cut"), deed("heal")
    fault = faults.Fault("cut n1 n2", cut, heal, True, period_s=2.0)
    for at_s, words, done in faults.Timed(fault, 1.0, 5.0).deeds():
        seen.append((at_s, "cut" if done is cut else "heal" if done is heal else words))
    assert seen == [(1.0, "cut"), (2.0, "heal"), (3.0, "cut"), (4.0, "heal"), (5.0, "cut"), (6.0, "heal")]


def test_faults_are_harmless_together_when_each_is_and_one_at_most_parts_somebody() -> None:
    def fault(*, touches: bool = False, parts: bool = False) -> faults.Fault:
        return faults.Fault("x", lambda lab: None, None, touches, parts)

    assert faults.harmless([fault(), fault(parts=True)])
    assert not faults.harmless([fault(parts=True), fault(parts=True)])
    assert not faults.harmless([fault(), fault(touches=True)])
