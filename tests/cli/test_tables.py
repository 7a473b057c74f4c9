"""What people see: tables in which no state stands without its reason, in every width."""

from typing import Any

import healthy
import pytest

from command_line import Outlast
from fake_service import FakeService, Result, Stream
from outlast.cli import output
from outlast.model.answers import FailureRow
from outlast.model.type_answers import CallTime, TypeDetail

pytest_plugins = ("cli_fixtures",)

PLUGIN = "n1 cannot watch over it: its plugin for vm: cannot be imported"


def test_the_status_of_a_healthy_cluster_is_short(fake: FakeService, outlast: Outlast) -> None:
    fake.answers["status"] = Result(healthy.status())
    assert outlast("status").lines() == [
        "Cluster outlast: coordinator n2 (term 1), answered by n1, node timeout 5 s",
        "",
        "Nodes",
        "node              state  address     groups  fencing            watchdog",
        "n1                up     10.77.0.11  1       fence_outlast_lab  5 s",
        "n2 (coordinator)  up     10.77.0.12  0       fence_outlast_lab  5 s",
        "n3                up     10.77.0.13  0       fence_outlast_lab  5 s",
        "",
        "VMs (1)",
        "VM   state   owner  protected  memory   vCPUs",
        "web  online  n1     yes        512 MiB  2",
        "",
        "All is well: 3 nodes up, 1 group online.",
    ]


def test_a_vm_that_is_not_protected_says_why_beside_its_row(fake: FakeService, outlast: Outlast) -> None:
    fake.answers["vm.list"] = Result([healthy.vm(protected=False, not_protected_because=(PLUGIN,)), healthy.vm("db")])
    assert outlast("vm", "list", width=140).lines() == [
        "VM   state   owner  protected  memory   vCPUs  why",
        f"web  online  n1     no         512 MiB  2      not protected: {PLUGIN}",
        "db   online  n1     yes        512 MiB  2",
    ]


def test_a_vm_at_risk_says_why_and_is_not_taken_for_well(fake: FakeService, outlast: Outlast) -> None:
    weak: dict[str, Any] = {"protection": "at risk", "at_risk_because": ("in maintenance",)}
    fake.answers["vm.list"] = Result([healthy.vm(**weak), healthy.vm("db")])
    assert outlast("vm", "list", width=140).lines()[1] == (
        "web  online  n1     at risk    512 MiB  2      at risk: in maintenance"
    )
    fake.answers["status"] = Result(healthy.status(groups=(healthy.group("web", **weak), healthy.group("db"))))
    assert outlast("status").lines()[-1] == "Not well: 1 group at risk (web)."


def test_in_the_status_a_long_reason_stands_with_the_first_vm_that_has_it(fake: FakeService, outlast: Outlast) -> None:
    waiting = [healthy.vm(name, state="unknown", why=PLUGIN) for name in ("web", "db", "mail")]
    other = healthy.vm("dns", state="unknown", why="another reason")
    fake.answers["status"] = Result(healthy.status(vms=[*waiting, other]))
    shown = "\n".join(outlast("status", width=160).lines())
    assert shown.count(PLUGIN) == 1
    assert shown.count("as web") == 2
    assert shown.count("another reason") == 1


def test_on_a_narrow_terminal_the_reason_goes_below_its_row(fake: FakeService, outlast: Outlast) -> None:
    fake.answers["vm.list"] = Result([healthy.vm(protected=False, not_protected_because=(PLUGIN,)), healthy.vm("db")])
    assert outlast("vm", "list", width=60).lines() == [
        "VM   state   owner  protected  memory   vCPUs",
        "web  online  n1     no         512 MiB  2",
        "    not protected: n1 cannot watch over it: its plugin for",
        "    vm: cannot be imported",
        "db   online  n1     yes        512 MiB  2",
    ]


def test_in_a_pipe_a_row_is_one_line_and_without_colour(
    fake: FakeService, outlast: Outlast, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    reason = "a reason that goes on and on " * 30
    fake.answers["vm.list"] = Result([healthy.vm(state="failed", why=reason)])
    outlast("vm", "list")
    monkeypatch.delenv("COLUMNS")
    output.table(("VM",), [output.Row(("web",), why=reason)])
    lines = capsys.readouterr().out.splitlines()
    assert [line.rstrip() for line in lines] == ["VM   why", f"web  {reason.strip()}"]


def test_the_last_line_of_status_tells_what_is_not_well(fake: FakeService, outlast: Outlast) -> None:
    fake.answers["status"] = Result(
        healthy.status(
            nodes=(healthy.node("n1"), healthy.node("n2", state="silent", why="no session record for 6.0 s")),
            groups=(
                healthy.group("web", state="unknown", owner="n2", why="waits for the proof of n2's death"),
                healthy.group("db", protected=False, not_protected_because=("there is no other node",)),
                healthy.group("off", state="offline", wanted="offline", protected=False),
            ),
        )
    )
    expected = "Not well: 1 node not up (n2); 1 group not as wanted (web); 1 group not protected (db)."
    assert outlast("status").lines()[-1] == expected


def test_a_node_that_is_on_its_own_says_so(fake: FakeService, outlast: Outlast) -> None:
    alone = healthy.status(session="the database does not answer", coordinator="", age_s=14.2)
    fake.answers["status"] = Result(alone)
    lines = outlast("status").lines()
    assert lines[1] == "n1 has no session, and may run nothing until it has: the database does not answer"
    assert "Nodes, as n1 knew them last, 14.2 s ago" in lines
    assert "VMs (1), as n1 knew them last, 14.2 s ago (those of n1 as they are now)" in lines
    assert lines[-1] == "Not well: n1 has no session, so its answers may be old; nobody coordinates the cluster."


def test_a_node_that_runs_on_without_the_database_says_how_old_its_knowledge_is(
    fake: FakeService, outlast: Outlast
) -> None:
    fake.answers["status"] = Result(healthy.status(age_s=85.0))
    assert "Nodes, as n1 knew them last, 85.0 s ago" in outlast("status").lines()


def test_not_all_is_well_while_the_database_can_lose_no_member(fake: FakeService, outlast: Outlast) -> None:
    fake.answers["status"] = Result(healthy.status(quorum="cannot lose any of n1, n2"))
    lines = outlast("status").lines()
    assert lines[1] == "Cluster database: cannot lose any of n1, n2"
    assert lines[-1] == "Not well: see the cluster database above."


def test_unmanaged_vms_are_told_apart_and_how_to_take_them_in(fake: FakeService, outlast: Outlast) -> None:
    stranger = healthy.vm("old", group="", protected=False, not_protected_because=("the cluster does not manage it",))
    fake.answers["vm.list"] = Result([healthy.vm(), stranger])
    assert outlast("vm", "list", "--all").lines()[2:] == [
        "old  online  n1     not managed  512 MiB  2",
        "not managed: outlast vm protect NAME, on the node that has it, takes it in",
    ]
    assert fake.arguments("vm.list") == {"all": True}


def test_of_many_vms_status_lists_those_that_are_not_well(fake: FakeService, outlast: Outlast) -> None:
    vms = [healthy.vm(f"vm{number}") for number in range(100)]
    vms[7] = healthy.vm("vm7", state="failed", why="QEMU ended with signal 9")
    fake.answers["status"] = Result(healthy.status(vms=tuple(vms)))
    short, whole = outlast("status").out, outlast("status", "--all").out
    assert "vm7 " in short
    assert "vm8 " not in short
    assert "99 more as wanted and protected (outlast status --all lists them)" in short
    assert "vm8 " in whole


def test_groups_without_a_vm_are_listed_too(fake: FakeService, outlast: Outlast) -> None:
    fake.answers["status"] = Result(healthy.status(groups=(healthy.group("web"), healthy.group("share"))))
    lines = outlast("status").lines()
    assert lines[lines.index("Other groups") + 2].startswith("share  online")


def test_a_node_without_its_plugin_says_so_once(fake: FakeService, outlast: Outlast) -> None:
    problem = "cannot be imported"
    fake.answers["node.list"] = Result(
        [healthy.node("n1", why=f"vm: {problem}", types={"vm": problem}), healthy.node("n2", types={"vm": problem})]
    )
    assert [line.count(problem) for line in outlast("node", "list", width=160).lines()] == [0, 1, 1]


def test_names_with_spaces_letters_of_all_kinds_and_control_characters_do_no_harm(
    fake: FakeService, outlast: Outlast
) -> None:
    names = ("my web server", "日本語", "[bold]x[/]", "evil\x1b[31m\x07")
    fake.answers["vm.list"] = Result([healthy.vm(name) for name in names])
    lines = outlast("vm", "list").lines()
    assert lines[1].startswith("my web server  online")
    assert lines[2].startswith("日本語         online")
    assert lines[3].startswith("[bold]x[/]     online")
    assert lines[4].startswith("evil�[31m�     online")


def test_a_group_shows_its_failures_with_time_and_reason(fake: FakeService, outlast: Outlast) -> None:
    failure = FailureRow("n1", "QEMU ended with signal 9", healthy.AT_S + 0.25)
    fake.answers["group.show"] = Result(
        healthy.group(failures=(failure,), state="failed", why="waits for an administrator")
    )
    out = outlast("group", "show", "web").out
    assert "state            failed" in out
    assert "why              waits for an administrator" in out
    assert "may fail over    2 times within 6 h" in out
    assert ".250  n1    QEMU ended with signal 9" in out


def test_a_vm_shows_where_it_could_run_and_why_not_elsewhere(fake: FakeService, outlast: Outlast) -> None:
    fake.answers["vm.show"] = Result(healthy.detail(placement={"n1": "", "n2": "it is paused"}))
    lines = outlast("vm", "show", "web").lines()
    assert lines[-3:] == ["node  could  why", "n1    yes", "n2    no     it is paused"]


def test_a_vm_that_is_online_shows_where_it_could_go_as_it_runs_and_why_not(
    fake: FakeService, outlast: Outlast
) -> None:
    live = {"n2": "it is paused", "n3": "it has the USB device 046d:c52b of n1, and that cannot go along"}
    placement = {"n1": "", "n2": "n2 is paused", "n3": "", "n4": ""}
    fake.answers["vm.show"] = Result(healthy.detail(placement=placement, live={**live, "n4": ""}))
    assert [line.rstrip() for line in outlast("vm", "show", "web").lines()[-5:]] == [
        "node  could  live  why",
        "n1    yes",
        "n2    no           n2 is paused",
        "n3    yes    no    it has the USB device 046d:c52b of n1, and that cannot go along",
        "n4    yes    yes",
    ]


def test_resources_are_listed_and_shown_with_what_is_protected_and_why_not(fake: FakeService, outlast: Outlast) -> None:
    lost = healthy.resource("db", protected=False, not_protected_because=("there is no other node",))
    weak = healthy.resource("mail", at_risk_because=("nobody has asked n2",))
    fake.answers |= {"resource.list": Result([healthy.resource(), lost, weak]), "resource.show": Result(lost)}
    assert outlast("resource", "list").lines() == [
        "resource  type  group  state   owner  protected  is alive every  why",
        "web       vm    web    online  n1     yes        5 s",
        "db        vm    db     online  n1     no         5 s             not protected: there is no other node",
        "mail      vm    mail   online  n1     at risk    5 s             at risk: nobody has asked n2",
    ]
    shown = outlast("resource", "show", "db").out
    assert "protected       no" in shown
    assert "there is no other node" in shown


def test_resource_types_tell_which_node_has_which_plugin(fake: FakeService, outlast: Outlast) -> None:
    broken = healthy.offer("n2", digest="ffff0000ffff00", problem="cannot be imported: no module named libvirt")
    fake.answers["type.list"] = Result([healthy.offer("n1"), broken])
    assert outlast("resource-type", "list").lines() == [
        "type  node  version  digest        state          why",
        "vm    n1    1        a5f525497dcc  can run it",
        "vm    n2    1        ffff0000ffff  cannot run it  cannot be imported: no module named libvirt",
        "vm: the nodes have 2 different plugins (see digest)",
    ]


def test_a_resource_type_is_shown_with_what_it_can_do_and_what_is_of_it(fake: FakeService, outlast: Outlast) -> None:
    fake.answers["type.show"] = Result(TypeDetail("vm", ("check", "migrate"), (healthy.offer("n1"),), ("web", "db")))
    lines = outlast("resource-type", "show", "vm").lines()
    assert lines[:3] == ["type       vm", "functions  check, migrate", "resources  web, db"]
    assert lines[-1].startswith("vm    n1")
    assert fake.arguments("type.show") == {"type": "vm"}


def test_a_resource_type_is_shown_with_how_long_its_calls_take_and_which_are_near_their_deadline(
    fake: FakeService, outlast: Outlast
) -> None:
    calls = (CallTime("n1", "is_alive", 12, 0.0031, 1.8, 3.0, 0), CallTime("n2", "open", 3, 0.01, 15.0, 15.0, 1))
    fake.answers["type.show"] = Result(TypeDetail("vm", (), (healthy.offer("n1"),), (), calls))
    assert outlast("resource-type", "show", "vm").lines()[-3:] == [
        "call      node  calls  median   slowest     deadline  why",
        "is_alive  n1    12     3.1 ms   1800.0 ms   3 s",
        "open      n2    3      10.0 ms  15000.0 ms  15 s      1 missed the deadline: its resource host was replaced",
    ]


def test_a_restart_tells_where_a_plugin_still_cannot_run(fake: FakeService, outlast: Outlast) -> None:
    fake.answers["type.restart"] = Result([healthy.offer("n1"), healthy.offer("n2", problem="it hung")])
    ended = outlast("resource-type", "restart", "vm", "--node", "n1", "--node", "n2")
    assert ended.code == 1
    assert ended.err == "outlast: vm cannot run everywhere: n2: it hung\n"
    assert fake.arguments("type.restart") == {"type": "vm", "nodes": ["n1", "n2"]}


def test_verify_fails_when_a_plugin_cannot_run(fake: FakeService, outlast: Outlast) -> None:
    fake.answers["type.verify"] = Result([healthy.offer("n1"), healthy.offer("n2", problem="its files changed")])
    ended = outlast("resource-type", "verify", "vm")
    assert ended.code == 1
    assert ended.err == "outlast: not every plugin can run: vm on n2\n"
    assert fake.arguments("type.verify") == {"type": "vm"}


def test_a_followed_status_is_shown_again_on_each_change(fake: FakeService, outlast: Outlast) -> None:
    fake.answers["follow"] = Stream([healthy.status(), healthy.status(coordinator="n3", term=2)])
    out = outlast("status", "--follow").out
    assert out.index("coordinator n2 (term 1)") < out.index("coordinator n3 (term 2)")
