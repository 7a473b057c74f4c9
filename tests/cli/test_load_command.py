"""What the nodes had to do in the last day, in a table with bars, by the hour of one node, and as JSON."""

import json
import time
from typing import Any

import pytest

from command_line import Outlast
from fake_service import FakeService, Result
from outlast.cli.load import bars, gaps
from outlast.model.load import Load, NodeLoad

pytest_plugins = ("cli_fixtures",)

AT_S = 1_789_995_600
"""A whole hour of the clock: 13:00 in UTC."""


def step(at_s: int, cpu: float = 0.1, **more: Any) -> Load:
    return Load(at_s, cpu, **({"cpu_peak": cpu, "memory_mib": 2048, "memory_peak_mib": 3072, "vms": 2} | more))


def node(name: str, *steps: Load, step_min: int = 60, day: Load | None = None) -> NodeLoad:
    until_s = steps[-1].at_s + 90.0 if steps else float(AT_S)
    return NodeLoad(name, "", until_s, step_min, 8, 16384, steps[-1] if steps else None, day, steps)


def test_all_nodes_are_a_table_with_a_bar_for_each_hour(fake: FakeService, outlast: Outlast) -> None:
    steps = tuple(step(AT_S + 3600 * hour, cpu=hour / 24) for hour in range(24) if hour not in (7, 8))
    dead = NodeLoad("n2", why="it is dead: fence_ipmi switched it off")
    fake.answers["node.load"] = Result([node("n1", *steps, day=step(AT_S, 0.48, cpu_peak=0.97)), dead])
    ended = outlast("node", "load")
    title, first, second = ended.out.splitlines()
    assert title.split()[:4] == ["node", "CPU", "mean", "peak"]
    assert first.split()[:11] == ["n1", "96", "%", "48", "%", "97", "%", "2.0", "of", "16.0", "GiB"]
    assert first.split()[-1] == "▁▁▁▂▂▂▃··▄▄▄▅▅▅▆▆▆▇▇▇███"
    assert second.startswith("n2 ")
    assert second.endswith(" it is dead: fence_ipmi switched it off")
    assert fake.arguments("node.load") == {"node": "", "step_min": 60}


def test_one_node_is_told_by_the_hour_with_its_peak_and_what_is_not_known(fake: FakeService, outlast: Outlast) -> None:
    assert time.strftime("%H:%M", time.gmtime(AT_S)) == "13:00"
    steps = [step(AT_S + 300 * number, memory_peak_mib=4096 if number == 3 else 3072) for number in range(18)]
    steps[14] = step(steps[14].at_s, cpu=0.3, cpu_peak=0.9)
    del steps[5:8]
    answer = node("n1", *steps, step_min=5, day=step(AT_S, 0.11, cpu_peak=0.9, memory_peak_mib=4096))
    fake.answers["node.load"] = Result([answer])
    out = outlast("node", "load", "n1").out
    assert "10 % now, 11 % at the mean, 90 % at the peak (14:10), of 8" in out
    assert "2.0 GiB now, 4.0 GiB at the peak (13:15), of 16.0 GiB" in out
    assert "13:25 to 13:40" in out
    hours = [line.split() for line in out.splitlines() if line.startswith(("13:00", "14:00"))]
    assert [hour[-1] for hour in hours] == ["▁▁▁▁▁···▁▁▁▁", "▁▁▃▁▁▁······"]
    assert fake.arguments("node.load") == {"node": "n1", "step_min": 5}


def test_a_node_of_which_nothing_is_known_yet_says_so(fake: FakeService, outlast: Outlast) -> None:
    fake.answers["node.load"] = Result([node("n1")])
    assert outlast("node", "load", "n1").out == "Nothing is known yet of what n1 had to do.\n"


def test_one_node_that_does_not_answer_says_why(fake: FakeService, outlast: Outlast) -> None:
    fake.answers["node.load"] = Result([NodeLoad("n2", why="n2 did not answer within 3.0 s")])
    ended = outlast("node", "load", "n2")
    assert ended.code == 0
    assert "n2 did not answer within 3.0 s" in ended.out


def test_json_is_every_minute(fake: FakeService, outlast: Outlast) -> None:
    answer = node("n1", step(AT_S), step_min=1)
    fake.answers["node.load"] = Result([answer])
    (found,) = json.loads(outlast("node", "load", "--json").out)
    assert found["steps"] == [
        {"at_s": AT_S, "cpu": 0.1, "cpu_peak": 0.1, "memory_mib": 2048, "memory_peak_mib": 3072, "vms": 2}
    ]
    assert fake.arguments("node.load") == {"node": ""}


@pytest.mark.parametrize(("cpu", "bar"), [(0.0, "▁"), (0.124, "▁"), (0.126, "▂"), (0.99, "█"), (1.0, "█")])
def test_a_bar_is_an_eighth_of_all_processors(cpu: float, bar: str) -> None:
    assert bars([step(AT_S, cpu)], 60, AT_S)[-1] == bar


def test_a_table_is_as_wide_as_a_terminal(fake: FakeService, outlast: Outlast) -> None:
    steps = tuple(step(AT_S + 3600 * hour, 1.0) for hour in range(24))
    fake.answers["node.load"] = Result([node("n1", *steps, day=step(AT_S, 1.0))])
    assert [len(line) <= 80 for line in outlast("node", "load", width=80).out.splitlines()] == [True, True]


def test_a_gap_lies_between_two_steps() -> None:
    assert gaps([step(0), step(300), step(1200)], 5) == [(600, 1200)]
    assert gaps([step(0), step(300)], 5) == gaps([], 5) == []
