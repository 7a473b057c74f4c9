"""Which nodes could run a VM, disks and all? The plugins are played: what each node answers to which verb."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from outlast.model.health import Json
from outlast.model.survey import Answer
from outlast.service.hosting.looking import Sightings, look

NODES = ("n1", "n2", "n3")


def disk(path: str = "/srv/web.img", **more: Any) -> dict[str, Any]:
    return {"source": path, "path": path, **more}


@dataclass
class Plugins:
    """All of them see the same disk in the same directory, unless told otherwise."""

    problems: dict[str, list[str]] = field(default_factory=dict)
    disks: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    apart: set[str] = field(default_factory=set)
    """Nodes that see another directory than the others."""
    silent: dict[str, str] = field(default_factory=dict)
    """Node to a verb that it does not answer."""
    probes: list[tuple[str, str, str]] = field(default_factory=list)
    """Verb, node and path, in the order in which they were asked."""

    async def ask(self, nodes: Sequence[str], verb: str, arguments: Mapping[str, Json]) -> Mapping[str, Answer]:
        return {node: self._answer(node, verb, arguments) for node in nodes}

    def _answer(self, node: str, verb: str, arguments: Mapping[str, Json]) -> Answer:
        if verb.startswith("probe"):
            self.probes.append((verb, node, str(arguments["path"])))
        if self.silent.get(node) == verb:
            return Answer("", node, problem="the storage does not answer")
        answers: dict[str, Json] = {
            "check": self.problems.get(node, []),
            "disks": self.disks.get(node, [disk()]),
            "probe_read": node not in self.apart,
        }
        return Answer("", node, answers.get(verb))


def seen(plugins: Plugins, home: str = "n1") -> Sightings:
    return asyncio.run(look(plugins.ask, "<domain/>", NODES, home, "token"))


def test_all_that_read_what_was_written_beside_the_disk_could_run_it() -> None:
    plugins = Plugins()
    found = seen(plugins)
    assert found.answers == dict.fromkeys(NODES)
    assert [probe[:2] for probe in plugins.probes] == [
        ("probe_write", "n1"),
        ("probe_read", "n2"),
        ("probe_read", "n3"),
        ("probe_clear", "n1"),
    ]


def test_one_that_sees_another_directory_of_the_same_path_does_not_see_the_disk() -> None:
    found = seen(Plugins(apart={"n3"}))
    answer = found.answers["n3"]
    assert answer is not None
    assert (answer.disk, answer.doubt) == ("/srv/web.img", False)
    assert found.problems["n3"] == [answer.why]


def test_disks_in_the_same_directory_are_probed_once() -> None:
    two = [disk("/srv/a.img"), disk("/srv/b.img"), disk("/other/c.img")]
    plugins = Plugins(disks=dict.fromkeys(NODES, two))
    seen(plugins)
    assert [path for verb, _, path in plugins.probes if verb == "probe_write"] == ["/srv/a.img", "/other/c.img"]


def test_a_volume_is_probed_where_each_node_has_it() -> None:
    def volume(path: str) -> list[dict[str, Any]]:
        return [{"source": "pool/web", "path": path}]

    plugins = Plugins(disks={"n1": volume("/a/web"), "n2": volume("/b/web"), "n3": volume("/a/web")})
    assert seen(plugins).answers == dict.fromkeys(NODES)
    assert {node: path for verb, node, path in plugins.probes if verb == "probe_read"} == {
        "n2": "/b/web",
        "n3": "/a/web",
    }


def test_a_disk_that_is_only_read_is_not_probed() -> None:
    plugins = Plugins(disks={node: [disk("/iso/cd.iso", written=False)] for node in NODES})
    assert seen(plugins).answers == dict.fromkeys(NODES)
    assert plugins.probes == []


def test_block_devices_are_compared_and_nothing_is_written_beside_them() -> None:
    def device(**ids: str) -> list[dict[str, Any]]:
        return [disk("/dev/sdb", block=True, ids=ids)]

    plugins = Plugins(disks={"n1": device(wwid="a"), "n2": device(wwid="b"), "n3": device()})
    answers = seen(plugins).answers
    assert answers["n1"] is None
    assert answers["n2"] is not None
    assert answers["n3"] is not None
    assert (answers["n2"].doubt, answers["n3"].doubt) == (False, True)
    assert plugins.probes == []


def test_what_a_node_lacks_beside_disks_is_told_without_a_disk() -> None:
    found = seen(Plugins(problems={"n2": ["no KVM", "no network"]}))
    answer = found.answers["n2"]
    assert answer is not None
    assert (answer.why, answer.disk) == ("no KVM; no network", "")


def test_who_does_not_answer_has_a_problem_and_is_no_answer() -> None:
    for verb in ("check", "disks", "probe_read"):
        found = seen(Plugins(silent={"n2": verb}))
        assert "n2" not in found.answers
        assert found.problems["n2"] == ["the storage does not answer"]
        assert found.answers["n3"] is None


def test_where_nothing_can_be_written_nobody_can_tell_and_the_probe_is_not_cleared() -> None:
    plugins = Plugins(silent={"n1": "probe_write"})
    found = seen(plugins)
    assert "n1 cannot find out who else sees the disk /srv/web.img" in found.cannot_tell
    answer = found.answers["n2"]
    assert answer is not None
    assert answer.doubt
    assert found.answers["n1"] is None
    assert [verb for verb, _, _ in plugins.probes] == ["probe_write"]


def test_when_the_owner_itself_does_not_see_it_what_others_see_there_proves_nothing() -> None:
    gone = [disk(there=False)]
    found = seen(Plugins(problems={"n1": ["it is not there"]}, disks={"n1": gone}))
    assert found.answers.keys() == {"n1"}
    assert found.problems["n2"] == []


def test_where_nobody_has_it_those_of_the_first_that_could_run_it_count() -> None:
    plugins = Plugins(problems={"n1": ["no KVM"]}, apart={"n3"})
    answers = seen(plugins, home="").answers
    assert answers["n2"] is None
    assert answers["n3"] is not None
    assert plugins.probes[0][:2] == ("probe_write", "n2")
