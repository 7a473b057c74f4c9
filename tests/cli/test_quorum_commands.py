"""outlast quorum show and outlast cluster force-quorum: what is told, what is asked, what is refused."""

from typing import Any

import healthy
import msgspec
import pytest

from command_line import Outlast
from fake_service import FakeService, Refusal, Result
from outlast.model.answers import ForceRow, QuorumRow, VoterRow

pytest_plugins = ("cli_fixtures",)

AT_RISK = ("n2", "n3")


def voter(name: str, state: str = "votes", **changes: Any) -> VoterRow:
    row = VoterRow(name, "node", state, "", "3.4.23", 0, 0.5)
    return msgspec.structs.replace(row, **changes)


def quorum(**changes: Any) -> QuorumRow:
    row = QuorumRow(
        answered_by="n1",
        quorum=True,
        leader="n1",
        voters=(voter("n1", "leads"), voter("n2"), voter("n3")),
        others=(),
        margin=1,
        words="can lose one more of n1, n2, n3",
        waits=(),
        generation=0,
    )
    return msgspec.structs.replace(row, **changes)


def forecast(**changes: Any) -> ForceRow:
    row = ForceRow(
        refused="",
        alone=True,
        must_be_off=AT_RISK,
        fenced=("n2",),
        vms={"n2": ("web", "db")},
        consequences=("n1 goes on with what is on its own disk",),
    )
    return msgspec.structs.replace(row, **changes)


def test_who_votes_and_what_can_be_lost(fake: FakeService, outlast: Outlast) -> None:
    gone = voter("n3", "not well", why="it has not answered for 7 s", version="")
    fake.answers["quorum.show"] = Result(quorum(voters=(voter("n1", "leads", behind=1), voter("n2", behind=3), gone)))
    assert outlast("quorum", "show", width=120).lines() == [
        "Quorum: can lose one more of n1, n2, n3",
        "member  part  state     version  behind     size     why",
        "n1      node  leads     3.4.23   1 entry    0.5 MiB",
        "n2      node  votes     3.4.23   3 entries  0.5 MiB",
        "n3      node  not well                               it has not answered for 7 s",
    ]


def test_without_a_quorum_the_first_words_say_so(fake: FakeService, outlast: Outlast) -> None:
    words = "no quorum: 1 of 3 voters answer (n1), 2 are needed"
    waits = ("n1 does not go on alone; it waits for 1 of n2, n3: then a majority votes again",)
    fake.answers["quorum.show"] = Result(quorum(quorum=False, leader="", margin=-1, words=words, waits=waits))
    lines = outlast("quorum", "show").lines()
    assert (lines[0], lines[-1]) == ("No quorum: 1 of 3 voters answer (n1), 2 are needed", waits[0])


def test_what_is_waited_for_is_told(fake: FakeService, outlast: Outlast) -> None:
    fake.answers["quorum.show"] = Result(quorum(waits=("n4 need not vote: 3 machines do",)))
    assert outlast("quorum", "show").lines()[-1] == "n4 need not vote: 3 machines do"


def test_the_status_has_a_line_when_no_member_can_be_lost(fake: FakeService, outlast: Outlast) -> None:
    words = "cannot lose any of n1, n2: without it there is no majority of 3"
    fake.answers["status"] = Result(msgspec.structs.replace(healthy.status(), quorum=words))
    assert f"Cluster database: {words}" in outlast("status").lines()


def test_a_forced_quorum_takes_a_terminal_or_yes(fake: FakeService, outlast: Outlast) -> None:
    fake.answers["quorum.forecast"] = Result(forecast())
    ended = outlast("cluster", "force-quorum")
    assert ended.code == 2
    assert "--yes" in ended.err
    assert "quorum.force" not in fake.verbs()


def test_with_yes_all_that_must_be_off_are_confirmed(fake: FakeService, outlast: Outlast) -> None:
    fake.answers["quorum.forecast"] = Result(forecast())
    fake.answers["quorum.force"] = Result("n1 goes on alone")
    assert outlast("cluster", "force-quorum", "--yes").lines() == ["n1 goes on alone"]
    assert fake.arguments("quorum.force") == {"confirmed": ["n2", "n3"], "others_lost": False}


def test_the_consequences_name_the_vms_at_risk_and_nothing_is_changed(fake: FakeService, outlast: Outlast) -> None:
    fake.answers["quorum.forecast"] = Result(forecast())
    assert outlast("cluster", "force-quorum", "--what-if").lines() == [
        "- n1 goes on with what is on its own disk.",
        "  n2 owns: web, db",
    ]
    assert fake.verbs() == ["quorum.forecast"]


@pytest.mark.parametrize("arguments", [("--yes",), ("--yes", "--others-are-lost")])
def test_where_it_cannot_be_done_it_is_refused_with_the_reason(
    fake: FakeService, outlast: Outlast, arguments: tuple[str, ...]
) -> None:
    fake.answers["quorum.forecast"] = Result(forecast(refused="the database of n1 has a quorum"))
    ended = outlast("cluster", "force-quorum", *arguments)
    assert ended.code == 3
    assert "the database of n1 has a quorum" in ended.err
    assert fake.arguments("quorum.forecast") == {"others_lost": "--others-are-lost" in arguments}


def test_what_the_service_refuses_is_not_possible_now(fake: FakeService, outlast: Outlast) -> None:
    fake.answers["quorum.forecast"] = Result(forecast())
    fake.answers["quorum.force"] = Refusal("impossible", "nothing has confirmed that n3 is off")
    assert outlast("cluster", "force-quorum", "--yes").code == 3


def test_only_what_is_given_is_set_for_the_cluster(fake: FakeService, outlast: Outlast) -> None:
    fake.answers["cluster.set"] = Refusal("usage", "no")
    outlast("cluster", "set", "vote_removal_s=30", "watchdog_strength=hardware")
    assert fake.arguments("cluster.set") == {"values": {"vote_removal_s": "30", "watchdog_strength": "hardware"}}
    assert outlast("cluster", "set").code == 2
