"""What people read about loads, and what becomes of `outlast balance`."""

from typing import Any

import msgspec

from command_line import Outlast
from fake_service import FakeService, Result, Stream
from outlast.model.balance_answers import BalanceRow, LoadRow, MoveRow

pytest_plugins = ("cli_fixtures",)

WHY = "to balance the load (n1 has 3 groups, n2 0 groups)"
MOVE = MoveRow("web", "n1", "n2", WHY)


def load(name: str, groups: int, **changes: Any) -> LoadRow:
    row = LoadRow(name, float(groups), groups, groups * 512, 0, groups, 0, "")
    return msgspec.structs.replace(row, **changes)


def answer(**changes: Any) -> BalanceRow:
    row = BalanceRow("off", False, (load("n1", 3), load("n2", 0)), (MOVE,), {}, "")
    return msgspec.structs.replace(row, **changes)


DONE = answer(nodes=(load("n1", 2), load("n2", 1)), moves=())


def test_what_if_shows_loads_and_moves_with_their_reasons_and_changes_nothing(
    fake: FakeService, outlast: Outlast
) -> None:
    kept = {"it is locked: backup": ("db", "mail")}
    fake.answers["balance.look"] = Result(answer(stay=kept, waits="n3 is silent"))
    ended = outlast("balance", "--what-if", width=120)
    assert (ended.code, ended.lines()) == (
        0,
        [
            "Load, not balanced by itself (setting balance=off)",
            "node  load  groups  memory    processors",
            "n1    3     3       1536 MiB  3",
            "n2    0     0       0 MiB     0",
            "",
            "Would be moved",
            "group  from  to  why",
            f"web    n1    n2  {WHY}",
            "db, mail: it is locked: backup",
            "Before anything is moved, something else has to end: n3 is silent",
        ],
    )
    assert fake.verbs() == ["balance.look"]


def test_nodes_that_say_what_they_have_are_shown_with_their_shares(fake: FakeService, outlast: Outlast) -> None:
    nodes = (load("n1", 3, load=0.754, has_mib=4096, has_cpus=8), load("n2", 0, load=0.0, refuses="it is paused"))
    fake.answers["balance.look"] = Result(answer(mode="continuous", weighed=True, nodes=nodes, moves=()))
    lines = outlast("balance", width=140).lines()
    assert lines[0] == "Load, balanced continuous (setting balance=continuous)"
    assert "75%" in lines[2]
    assert "1536 of 4096 MiB  3 of 8" in lines[2]
    assert lines[3].endswith("is given nothing: it is paused")
    assert lines[-1] == "Nothing is to be moved: no move would be worth it"


def test_without_what_if_it_is_done_and_waited_for(fake: FakeService, outlast: Outlast) -> None:
    fake.answers |= {"balance.look": Result(answer()), "balance.run": Stream([answer(), DONE])}
    ended = outlast("balance")
    assert ended.code == 0
    assert ended.lines()[-1] == "It is done: no move is worth it any more"


def test_what_is_left_when_the_time_is_up_is_told_and_the_exit_code_says_so(
    fake: FakeService, outlast: Outlast
) -> None:
    fake.answers |= {"balance.look": Result(answer()), "balance.run": Stream([answer(waits="web is offline pending")])}
    ended = outlast("balance", "--wait", "5")
    assert ended.code == 3
    assert "not done: 1 are left to move (web is offline pending)" in ended.err
