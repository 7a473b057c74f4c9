"""What an administrator may ask of fence devices and of a node's death, on a database of records."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from fence_script import Script, ScriptedFence
from last_moment import Scene

from build import group, incarnation, resource, session
from outlast.adapters.secrets import FileSecrets
from outlast.model import keys
from outlast.model.event import Event
from outlast.model.fence import FenceDevice
from outlast.model.node import Node, Proof, ProofKind, Silence
from outlast.ports.database import Put
from outlast.ports.fence import FenceFailed
from outlast.ports.secrets import Secrets
from outlast.service.commands import fence, nodes, validate
from outlast.service.commands.context import CommandError, Nothing
from outlast.service.commands.fence import Add, Change, WantDevice, WantNode
from outlast.service.commands.nodes import FenceNode
from outlast.service.store import put

PASSWORD = "for few only"
WEB = group("web", on="n2")
BARE = put(keys.NODES + "n2", Node("n2", address="192.0.2.1"))
ON, OFF = Script(["on"]), Script(["off"])


def with_key(directory: Path) -> FileSecrets:
    secrets = FileSecrets(directory)
    secrets.create()
    return secrets


def scene(*records: Any, fence: ScriptedFence | None = None, secrets: Secrets | None = None) -> Scene:
    return Scene(
        put(keys.GROUPS + "web", WEB),
        put(keys.RESOURCES + "web", resource("web")),
        *records,
        fence=fence,
        secrets=secrets,
    )


def played(on: Scene, story: Callable[[Scene], Awaitable[Any]]) -> Any:
    found: list[Any] = []

    async def kept(scene: Scene) -> None:
        found.append(await story(scene))

    on.play(kept, key="", happens=lambda: None)
    return found[0]


def node_of(of: Scene, name: str) -> Node:
    entries = {entry.key: entry.value for entry in of.database.entries(keys.NODES)}
    return msgspec.json.decode(entries[keys.NODES + name], type=Node)


def test_a_device_that_is_added_is_checked_kept_and_asked_at_once() -> None:
    fenced = scene(BARE, fence=ScriptedFence(board=ON))
    added = played(
        fenced, lambda s: fence.add(s.context, Add("n2", "fence_lab", {"plug": "2", "ipaddr": "192.0.2.9"}, "board"))
    )
    assert (added.test.power, added.test.problem) == ("on", "")
    (device,) = node_of(fenced, "n2").fence
    assert device.parameters == {"plug": "2", "ip": "192.0.2.9"}
    assert node_of(fenced, "n2").fence_by_command


@pytest.mark.parametrize(
    ("add", "words"),
    [
        (Add("n2", "fence_lab", {"plug": "2", "ipp": "192.0.2.9"}), "no parameter ipp; did you mean ip?"),
        (Add("n2", "fence_lab", {}), "fence_lab needs plug"),
        (Add("n2", "fence_lab", {"plug": "2"}, level=0), "levels are 1 to 9"),
        (Add("n2", "fence_nowhere", {}), "there is no fence agent fence_nowhere"),
        (Add("n7", "fence_lab", {"plug": "2"}), 'there is no node "n7"'),
    ],
)
def test_a_device_that_could_not_work_is_refused_before_anything_changes(add: Add, words: str) -> None:
    fenced = scene(BARE)
    with pytest.raises(CommandError, match=words) as refused:
        played(fenced, lambda s: fence.add(s.context, add))
    assert refused.value.kind == "usage"
    assert node_of(fenced, "n2").fence == ()


def test_a_device_that_does_not_answer_is_not_added_unless_that_was_said() -> None:
    fenced = scene(BARE, fence=ScriptedFence(board=Script([FenceFailed("no contact")])))
    want = Add("n2", "fence_lab", {"plug": "2"}, "board")
    with pytest.raises(CommandError, match=r"nothing was changed: board of n2 would not work: no contact.*--untested"):
        played(fenced, lambda s: fence.add(s.context, want))
    assert node_of(fenced, "n2").fence == ()
    added = played(fenced, lambda s: fence.add(s.context, msgspec.structs.replace(want, untested=True)))
    assert added.test.problem == "no contact"
    assert [device.name for device in node_of(fenced, "n2").fence] == ["board"]


def test_a_device_that_calls_a_living_node_off_is_never_added() -> None:
    fenced = scene(BARE, fence=ScriptedFence(board=OFF))
    with pytest.raises(CommandError, match="n2 is off, but n2 is alive"):
        played(fenced, lambda s: fence.add(s.context, Add("n2", "fence_lab", {"plug": "2"}, "board", untested=True)))
    assert node_of(fenced, "n2").fence == ()


def test_parameters_with_which_a_device_does_not_answer_replace_none_with_which_it_did() -> None:
    answers = ScriptedFence(board=Script(["on", FenceFailed("wrong plug")]))
    fenced = scene(BARE, fence=answers)

    async def story(s: Scene) -> str:
        await fence.add(s.context, Add("n2", "fence_lab", {"plug": "2"}, "board"))
        with pytest.raises(CommandError, match="wrong plug"):
            await fence.change(s.context, Change("n2", "board", {"plug": "9"}))
        slower = await fence.change(s.context, Change("n2", "board", timeout_s=30.0))
        return str(slower.test.problem)

    assert played(fenced, story) == "wrong plug", "how it is used can be changed while it does not answer"
    (device,) = node_of(fenced, "n2").fence
    assert (device.parameters, device.timeout_s) == ({"plug": "2"}, 30.0)


def test_the_same_device_twice_at_one_level_is_refused() -> None:
    fenced = scene(BARE, fence=ScriptedFence(board=ON, again=ON))

    async def story(s: Scene) -> None:
        await fence.add(s.context, Add("n2", "fence_lab", {"plug": "2", "ip": "192.0.2.9"}, "board"))
        with pytest.raises(CommandError, match="the same device as board, which level 1 has already"):
            await fence.add(s.context, Add("n2", "fence_lab", {"plug": "2", "ipaddr": "192.0.2.9"}, "again"))
        await fence.add(s.context, Add("n2", "fence_lab", {"plug": "2", "ip": "192.0.2.9"}, "again", level=2))
        with pytest.raises(CommandError, match="the same device as board"):
            await fence.change(s.context, Change("n2", "again", level=1))

    played(fenced, story)
    assert [device.level for device in node_of(fenced, "n2").fence] == [1, 2]


def test_a_password_goes_to_the_agent_and_stands_nowhere_in_the_clear(tmp_path: Path) -> None:
    agents = ScriptedFence(board=ON)
    fenced = scene(BARE, fence=agents, secrets=with_key(tmp_path))
    given = {"plug": "2", "passwd": PASSWORD}
    added = played(fenced, lambda s: fence.add(s.context, Add("n2", "fence_lab", given, "board")))
    assert agents.given == [{"plug": "2", "password": PASSWORD}]
    assert added.device.parameters == {"plug": "2", "password": "***"}
    everything = fenced.database.entries("")
    assert PASSWORD.encode() not in b"".join(entry.value for entry in everything)
    assert any(entry.key.startswith("secrets/fence/") for entry in everything)
    assert not any(entry.key.startswith("control/") and b"***" in entry.value for entry in everything)


def test_a_changed_or_deleted_device_leaves_no_secret_behind(tmp_path: Path) -> None:
    agents = ScriptedFence(board=ON)
    fenced = scene(BARE, fence=agents, secrets=with_key(tmp_path))

    async def story(s: Scene) -> list[int]:
        sealed = []
        await fence.add(s.context, Add("n2", "fence_lab", {"plug": "2", "password": PASSWORD}, "board"))
        sealed.append(len(s.database.entries(keys.FENCE_SECRETS)))
        await fence.change(s.context, Change("n2", "board", {"password": "another"}, timeout_s=5.0))
        sealed.append(len(s.database.entries(keys.FENCE_SECRETS)))
        await fence.change(s.context, Change("n2", "board", {"plug": "3"}))
        await fence.delete(s.context, WantDevice("n2", "board"))
        sealed.append(len(s.database.entries(keys.FENCE_SECRETS)))
        return sealed

    assert played(fenced, story) == [1, 1, 0]
    assert agents.given[1:] == [{"plug": "2", "password": "another"}, {"plug": "3", "password": "another"}]


def test_without_a_key_a_password_is_refused_with_what_to_do() -> None:
    fenced = scene(BARE, fence=ScriptedFence(fence_lab=ON))
    with pytest.raises(CommandError, match="its password cannot be kept"):
        played(fenced, lambda s: fence.add(s.context, Add("n2", "fence_lab", {"plug": "2", "password": PASSWORD})))


def test_a_node_with_another_key_than_the_clusters_seals_and_opens_nothing(tmp_path: Path) -> None:
    first = scene(BARE, fence=ScriptedFence(board=ON), secrets=with_key(tmp_path / "a"))
    played(first, lambda s: fence.add(s.context, Add("n2", "fence_lab", {"plug": "2", "password": PASSWORD}, "board")))
    records = [
        Put(entry.key, entry.value) for prefix in (keys.NODES, keys.SECRETS) for entry in first.database.entries(prefix)
    ]
    other = scene(*records, fence=ScriptedFence(board=ON), secrets=with_key(tmp_path / "b"))
    (tested,) = [one for one in played(other, lambda s: fence.test(s.context, WantNode("n2")))]
    assert "its secret parameters cannot be had" in tested.problem
    assert PASSWORD not in tested.problem
    with pytest.raises(CommandError, match="has not the key"):
        played(other, lambda s: fence.add(s.context, Add("n3", "fence_lab", {"plug": "3", "password": "x"}, "board")))


def test_a_node_can_be_fenced_while_the_database_is_away_with_the_password_that_was_known_before(
    tmp_path: Path,
) -> None:
    secrets = with_key(tmp_path)
    first = scene(BARE, fence=ScriptedFence(board=ON), secrets=secrets)
    played(first, lambda s: fence.add(s.context, Add("n2", "fence_lab", {"plug": "2", "password": PASSWORD}, "board")))
    records = [
        Put(entry.key, entry.value) for prefix in (keys.NODES, keys.SECRETS) for entry in first.database.entries(prefix)
    ]
    agents = ScriptedFence(board=Script(["n2 is off"]))
    later = scene(*records, fence=agents, secrets=secrets)

    async def story(s: Scene) -> str:
        await asyncio.sleep(1.0)
        s.database.cut("n1")
        assert s.context.fencing is not None
        report = await s.context.fencing.prove_off(s.store.nodes["n2"], incarnation("n2"))
        return report.confirmed

    assert played(later, story) == "board confirmed: n2 is off"
    assert agents.given == [{"plug": "2", "password": PASSWORD}]


def test_devices_that_do_not_answer_or_call_a_living_node_off_are_found_before_they_are_needed() -> None:
    devices = (FenceDevice("fence_lab", {"plug": "2"}, "board"), FenceDevice("fence_lab", {"plug": "9"}, "strip", 2))
    fenced = put(keys.NODES + "n2", Node("n2", fence=devices))
    bare = put(keys.NODES + "n3", Node("n3"))
    answers = ScriptedFence(board=Script([FenceFailed("no contact")]), strip=OFF, fence_lab=ON)
    findings = played(scene(fenced, bare, fence=answers), lambda s: validate.validate(s.context, Nothing()))
    told = {finding.about: finding for finding in findings if finding.grave}
    assert set(told) == {"n2: board", "n2: strip", "n3"}
    assert "no contact" in told["n2: board"].problem
    assert "n2 is off, but n2 is alive" in told["n2: strip"].problem
    assert "start its VMs twice" in told["n2: strip"].means
    assert "confirm-down n3" in told["n3"].means
    others = [finding for finding in findings if not finding.grave and "live migration" not in finding.problem]
    assert [finding.about for finding in others] == ["n1"], "one way only"


def test_an_administrator_may_have_a_node_switched_off_and_its_death_is_written_down() -> None:
    fenced = scene(fence=ScriptedFence(fence_lab=Script(["n2 is off"])))
    done = played(fenced, lambda s: nodes.fence(s.context, FenceNode("n2", alive=True)))
    assert done.at_risk == ("web",)
    proof = fenced.silences()["n2"].proof
    assert proof is not None
    assert (proof.kind, proof.by) == (ProofKind.FENCE, ("fence_lab",))
    assert fenced.silences()["n2"].incarnation == incarnation("n2")
    words = [msgspec.json.decode(entry.value, type=Event).words for entry in fenced.database.entries(keys.EVENTS)]
    assert any("n2 is dead: fence_lab confirmed" in one for one in words)


def test_a_living_node_is_not_switched_off_unless_that_was_said() -> None:
    agents = ScriptedFence(fence_lab=Script(["n2 is off"]))
    with pytest.raises(CommandError, match="n2 is alive, and what runs there would be cut off"):
        played(scene(fence=agents), lambda s: nodes.fence(s.context, FenceNode("n2")))
    assert agents.asked == []


def test_what_the_devices_did_not_confirm_is_not_written_down() -> None:
    fenced = scene()
    with pytest.raises(CommandError, match="nothing is proven: fence_lab: no contact with the BMC"):
        played(fenced, lambda s: nodes.fence(s.context, FenceNode("n2", alive=True)))
    assert fenced.silences() == {}


def test_a_node_that_began_another_life_while_it_was_fenced_is_not_called_dead() -> None:
    fenced = scene(fence=ScriptedFence(fence_lab=Script(["n2 is off"], takes_s=5.0)))

    async def story(s: Scene) -> None:
        asyncio.get_running_loop().call_later(2.0, lambda: s.commit(put(keys.SESSIONS + "n2", session("n2", life=2))))
        answer = await nodes.fence(s.context, FenceNode("n2", alive=True))
        assert "it has begun another life" in answer.words

    played(fenced, story)
    assert fenced.silences() == {}


def test_who_was_quicker_to_prove_it_is_believed_and_a_node_that_has_power_again_is_not_switched_off_twice() -> None:
    """Its device says "on" for ever: the coordinator has had it switched on again meanwhile."""
    agents = ScriptedFence(fence_lab=Script([FenceFailed("it did not confirm")], takes_s=5.0))
    fenced = scene(fence=agents)
    proven = Silence("n2", incarnation("n2"), "silent", proof=Proof(ProofKind.FENCE, "board confirmed: n2 is off"))

    async def story(s: Scene) -> float:
        asyncio.get_running_loop().call_later(2.0, lambda: s.commit(put(keys.SILENCES + "n2", proven)))
        answer = await nodes.fence(s.context, FenceNode("n2", alive=True))
        assert answer.words == "n2 is dead: board confirmed: n2 is off"
        return asyncio.get_running_loop().time()

    assert played(fenced, story) < 4.0
    assert [verb for _, verb, _ in agents.asked] == ["off"]
