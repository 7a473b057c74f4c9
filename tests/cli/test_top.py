"""outlast top: what is worst stands first, every line fits, keys do what the help says; the terminal is given back."""

import os
import pty
import re
import select
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import healthy
import msgspec
import pytest

from command_line import Outlast
from fake_service import Broken, FakeService, Refusal, Result, Stream, Unending
from outlast.cli.top.picture import picture
from outlast.cli.top.screen import keys
from outlast.cli.top.seen import Seen, lines, operations
from outlast.cli.top.view import HELP, Sort, View, after, shown
from outlast.model.answers import ClusterStatus, GroupRow, QuorumRow
from outlast.model.transfer import Transfer

pytest_plugins = ("cli_fixtures",)
LONG = (
    "n3: it does not see the disk /srv/images/web1.img of n1; put it on storage that all nodes share, or leave n3 out"
)


def quorum(margin: int = 1, words: str = "can lose one more of n1, n2, n3") -> QuorumRow:
    return QuorumRow("n1", True, "n1", (), (), margin, words, (), 0)


def vms(*changes: dict[str, Any]) -> ClusterStatus:
    """A cluster of these VMs, each in a group of its own."""
    groups = [healthy.group(**{k: v for k, v in c.items() if k in GroupRow.__struct_fields__}) for c in changes]
    own = {"move_to", "transfer", "settled", "locked"}
    rows = [healthy.vm(**{k: v for k, v in c.items() if k not in own}) for c in changes]
    return healthy.status(groups=tuple(groups), vms=tuple(rows))


def seen(status: ClusterStatus | None = None, **changes: Any) -> Seen:
    return Seen(status or healthy.status(), quorum(), healthy.failover(), **changes)


def drawn(what: Seen, view: View | None = None, width: int = 80, height: int = 24) -> list[str]:
    return [text.plain.rstrip() for text in picture(what, view or View(), width, height, what.at_s + 7).lines]


# --- what is shown ----------------------------------------------------------------------------------------------------


def test_the_reason_of_what_is_not_fine_stands_first() -> None:
    status = vms(
        {"name": "a", "state": "offline", "wanted": "offline"},
        {"name": "b"},
        {"name": "c", "protected": False, "not_protected_because": (LONG,)},
        {"name": "d", "at_risk_because": ("the watchdog fails",)},
        {"name": "e", "state": "online pending"},
        {"name": "f", "state": "failed", "why": "QEMU ended with signal 9"},
        {"name": "g", "state": "offline", "settled": False, "why": "waits for n1's death to be proven"},
    )
    assert [line.name for line in shown(View(), lines(status))] == ["f", "g", "e", "c", "d", "b", "a"]


@pytest.mark.parametrize(("width", "height"), [(80, 24), (60, 12), (132, 50), (40, 6), (20, 3)])
@pytest.mark.parametrize("count", [0, 3, 200])
def test_it_is_as_large_as_the_screen_whatever_there_is(width: int, height: int, count: int) -> None:
    of_nodes = tuple(healthy.node(f"n{number}", state="dead", why=LONG) for number in range(1, 1 + count // 4))
    many = [{"name": f"vm{n}", "state": "failed", "why": LONG} for n in range(count)]
    status = msgspec.structs.replace(vms(*many), nodes=of_nodes, alarms=(LONG, LONG, LONG))
    for view in (View(), View(chosen=count // 2), View(help=True), View(typing=True, filter="vm1")):
        found = drawn(seen(status, lost="it is gone " * 20), view, width, height)
        assert len(found) == height
        assert max(map(len, found)) <= width


def test_a_reason_that_does_not_fit_is_unfolded_where_there_is_room() -> None:
    status = vms({"name": "web", "state": "failed", "why": LONG})
    text = " ".join(" ".join(drawn(seen(status))).split())
    assert LONG in text


def test_the_row_that_is_chosen_tells_its_whole_reason_on_a_crowded_screen() -> None:
    status = vms(*({"name": f"vm{n:02}", "state": "failed", "why": f"{n}: {LONG}"} for n in range(50)))
    text = " ".join(" ".join(drawn(seen(status), View(chosen=30))).split())
    assert f"30: {LONG}" in text
    assert f"31: {LONG}" not in text


def test_what_is_left_out_is_counted() -> None:
    status = vms(*({"name": f"vm{n:02}"} for n in range(50)))
    assert any("of 50" in line for line in drawn(seen(status)))
    filtered = "\n".join(drawn(seen(status), View(filter="vm1")))
    assert "40 left out" in filtered
    assert "vm19" in filtered
    assert "vm20" not in filtered
    assert "none is like that" in "\n".join(drawn(seen(status), View(filter="nothing of that name")))


def test_of_many_nodes_those_that_are_not_well_are_shown() -> None:
    nodes = [healthy.node(f"n{n}") for n in range(1, 33)]
    nodes[30] = healthy.node("n31", state="silent", why="it wrote no session record for 5 s")
    text = "\n".join(drawn(seen(healthy.status(nodes=tuple(nodes)))))
    assert re.search(r"^n31 +silent", text, re.MULTILINE)
    assert re.search(r"and \d+ more, all up", text)


def test_the_margin_of_the_quorum_is_told_and_that_there_is_none() -> None:
    assert "Quorum: can lose one more of n1, n2, n3" in drawn(seen())
    none = Seen(healthy.status(), quorum(-1, "no quorum: 1 of 3 voters answer (n2), 2 are needed"))
    assert "No quorum: 1 of 3 voters answer (n2), 2 are needed" in drawn(none)


def test_a_live_migration_shows_how_far_it_has_come() -> None:
    status = vms({"name": "web", "move_to": "n2", "transfer": Transfer(43, rate_mib_s=112, left_mib=310)})
    [one] = operations(status)
    assert (one.about, one.percent) == ("web", 43)
    assert "web  [####......] moves from n1 to n2, live: 43 %, 112 MiB/s, 310 MiB left" in drawn(seen(status))


def test_what_starts_stops_and_drains_is_under_way() -> None:
    status = vms({"name": "a", "state": "online pending"}, {"name": "b", "state": "offline pending"}, {"name": "c"})
    status = msgspec.structs.replace(status, nodes=(healthy.node("n3", state="draining", groups=2),))
    told = [f"{one.about} {one.words}" for one in operations(status)]
    assert told == [
        "n3 is being drained: 2 groups left",
        "a is being brought online on n1",
        "b is being stopped on n1",
    ]


def test_the_time_since_the_last_sign_of_life_goes_on_while_nobody_answers() -> None:
    text = "\n".join(drawn(seen(lost="it is gone")))
    assert "7.40 s ago" in text  # 0.4 s when it came, 7 s ago
    assert "No contact, this is how it was 7.00 s ago: it is gone" in text


def test_names_of_others_do_not_steer_the_terminal() -> None:
    status = vms({"name": "we\x1b[2Jb", "state": "failed", "why": "a\nb"})
    assert "\x1b" not in "".join(drawn(seen(status)))


# --- keys -------------------------------------------------------------------------------------------------------------


def press(*pressed: str, count: int = 5) -> View:
    view = View()
    for key in pressed:
        view = after(view, key, count)
    return view


def test_every_key_of_the_help_does_something() -> None:
    """And what is typed as a filter is text, also if it is a key."""
    aliases = {"PgUp": "page up", "PgDn": "page down", "Home": "home"}
    for names, _ in HELP:
        for name in names.split(", "):
            before = View(chosen=2)
            assert after(before, aliases.get(name, name), 5) != before, name
    assert press("/", "q", "s", "enter").filter == "qs"
    assert not press("/", "q").ended
    assert press("/", "a", "b", "backspace", "enter") == View(filter="a")
    assert press("/", "a", "escape") == View()


def test_the_choice_stays_among_the_rows() -> None:
    assert press("up").chosen == -1
    assert press(*["down"] * 9).chosen == 4
    assert press("down", "page down", "home").chosen == -1
    assert press("end", count=0).chosen == -1


def test_ctrl_c_ends_it_from_everywhere() -> None:
    assert all(press(*before, "interrupt").ended for before in ((), ("/",), ("?",)))


def test_sorting_goes_round() -> None:
    assert [press(*["s"] * n).sort for n in range(6)] == [*Sort, Sort.TROUBLE]


def test_keys_are_told_apart_however_they_arrive() -> None:
    assert list(keys("\x1b[A\x1b[Bq")) == ["up", "down", "q"]
    assert list(keys("\x1b")) == ["escape"]
    assert list(keys("\x1b[15~s\x1b[1;5Cw")) == ["s", "w"]  # F5, Ctrl-right: nobody's
    assert list(keys("\x03")) == ["interrupt"]


# --- the command ------------------------------------------------------------------------------------------------------


@pytest.fixture
def cluster(fake: FakeService) -> FakeService:
    fake.answers = {
        "status": Result(healthy.status()),
        "events": Result(healthy.failover()),
        "quorum.show": Result(quorum()),
        "follow": Unending([healthy.status()]),
        "events.follow": Unending([]),
    }
    return fake


def test_once_prints_everything_and_ends(cluster: FakeService, outlast: Outlast) -> None:
    ended = outlast("top", "--once")
    assert ended.code == 0
    told = ended.lines()
    assert told[0] == "Cluster outlast: coordinator n2, answered by n1"
    assert [line.split()[0] for line in told[2:8]] == ["node", "n1", "n2", "n3", "name", "web"]
    assert told[8] == "latest"
    assert told[9].endswith("web is online on n2")


def test_scripts_get_all_of_it_as_one_document(cluster: FakeService, outlast: Outlast) -> None:
    document = msgspec.json.decode(outlast("top", "--json").out)
    assert document["status"]["name"] == "outlast"
    assert document["quorum"]["margin"] == 1
    assert document["operations"] == []
    assert len(document["events"]) == 4


def test_without_members_that_vote_there_is_no_margin_and_the_rest(cluster: FakeService, outlast: Outlast) -> None:
    cluster.answers["quorum.show"] = Refusal("impossible", "this cluster's database has no members")
    assert msgspec.json.decode(outlast("top", "--json").out)["quorum"] is None


def test_without_a_terminal_it_says_what_to_do(cluster: FakeService, outlast: Outlast) -> None:
    ended = outlast("top")
    assert ended.code == 2
    assert "--once" in ended.err


def test_nobody_who_answers_is_no_contact(outlast: Outlast, fake: FakeService) -> None:
    fake.answers = {"status": Broken()}
    assert outlast("top", "--once").code == 4


# --- on a terminal ----------------------------------------------------------------------------------------------------

PATIENCE_S = 30.0


class Terminal:
    """A real one, of 80 columns and 24 lines, with the program in it."""

    def __init__(self, path: Path) -> None:
        self.pid, self.file = pty.fork()
        if self.pid == 0:
            os.environ |= {"TERM": "xterm", "OUTLAST_SOCKET": str(path), "COLUMNS": "80", "LINES": "24"}
            os.execv(sys.executable, [sys.executable, "-m", "outlast.cli.main", "top"])
        self.mode = termios.tcgetattr(self.file)
        self.told = ""

    def wait_for(self, words: str) -> None:
        """From where the last wait ended."""
        until = time.monotonic() + PATIENCE_S
        while words not in self.told:
            assert time.monotonic() < until, f"{words!r} never came; last: {self.told[-2000:]}"
            if select.select([self.file], [], [], 0.1)[0]:
                self.told += os.read(self.file, 65536).decode(errors="replace")
        self.told = self.told[self.told.index(words) + len(words) :]

    def type(self, text: str) -> None:
        os.write(self.file, text.encode())

    def exit_code(self) -> int:
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            if select.select([self.file], [], [], 0.05)[0]:
                try:
                    self.told += os.read(self.file, 65536).decode(errors="replace")
                except OSError:  # it has closed the terminal
                    return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
            ended, status = os.waitpid(self.pid, os.WNOHANG)
            if ended:
                return os.waitstatus_to_exitcode(status)
        raise AssertionError("it does not end")


@pytest.fixture
def terminal(cluster: FakeService) -> Iterator[Terminal]:
    found = Terminal(cluster.path)
    yield found
    os.close(found.file)


def test_it_shows_the_cluster_until_q_and_gives_the_terminal_back(terminal: Terminal) -> None:
    terminal.wait_for("\x1b[?1049h")  # the alternate screen
    terminal.wait_for("Cluster outlast")
    assert not termios.tcgetattr(terminal.file)[3] & termios.ECHO
    terminal.type("/we")
    terminal.wait_for("filter: ")
    terminal.type("\rq")
    terminal.wait_for("\x1b[?1049l")
    assert terminal.exit_code() == 0
    assert termios.tcgetattr(terminal.file)[3] == terminal.mode[3]


def test_a_node_that_dies_is_told_and_found_again(cluster: FakeService, terminal: Terminal) -> None:
    terminal.wait_for("Cluster outlast")
    cluster.answers["follow"] = Stream([])
    terminal.wait_for("No contact")  # the status that went on no longer came, or a new one was refused
    cluster.answers["follow"] = Unending([healthy.status(name="back")])
    terminal.wait_for("Cluster back")
    terminal.type("\x03")
    assert terminal.exit_code() == 0


def test_who_may_not_look_any_more_is_told_why(cluster: FakeService, terminal: Terminal) -> None:
    terminal.wait_for("Cluster outlast")
    cluster.answers["follow"] = Refusal("denied", "your role was taken away")
    terminal.wait_for("your role was taken away")
    assert terminal.exit_code() == 3
