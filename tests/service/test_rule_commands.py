"""Rules: what may be added, what is refused and why, and what the cluster does about them."""

from typing import Any

import msgspec
import pytest
from played import events, play, played

from outlast.model import keys
from outlast.model.rule import Rule
from outlast.sim.world import World

SETUP = ("world", "vm web1 preferred=n2", "vm web2 preferred=n2", "vm db1 preferred=n3", "start", "run 15")


def rules_of(world: World) -> dict[str, Rule]:
    found = (msgspec.json.decode(entry.value, type=Rule) for entry in world.database.entries(keys.RULES))
    return {rule.name: rule for rule in found}


def ask(world: World, verb: str, **arguments: Any) -> str:
    """What it answered, or why it was refused."""
    world.administer("n1", verb, arguments)
    play(world, "run 40")
    return next(line for line in reversed(world.story.lines) if f"administrator on n1: {verb}" in line)


def answer(world: World, verb: str, **arguments: Any) -> Any:
    service, found = world.services["n1"], []

    async def listen() -> None:
        async for _, value in service.node.command(verb, arguments):
            found.append(value)

    service.process.context.run(world.loop.create_task, listen())
    play(world, "run 5")
    return found[-1]


def test_a_rule_counts_for_all_nodes_and_the_event_log_tells_who_added_it() -> None:
    with played(*SETUP) as world:
        ask(world, "rule.add", name="soft", kind="different", groups=["web1", "db1"])
        assert rules_of(world)["soft"].groups == ("web1", "db1")
        assert {len(service.node.store.rules) for service in world.services.values()} == {1}
        assert events(world, "rule") == [
            "rule soft was added: web1, db1 each on another node, if possible; an administrator on n1"
        ]


def test_what_breaks_a_new_hard_rule_is_moved_one_by_one() -> None:
    with played(*SETUP) as world:
        assert world.where("web1") == world.where("web2") == ["n2"]
        ask(world, "rule.add", name="apart", kind="different", groups=["web1", "web2", "db1"], hard=True)
        assert sorted([*world.where("web1"), *world.where("web2"), *world.where("db1")]) == ["n1", "n2", "n3"]


def test_a_hard_rule_that_could_never_be_kept_is_refused_and_nothing_is_written() -> None:
    with played(*SETUP) as world:
        ask(world, "rule.add", name="same", kind="same", groups=["web1", "web2"], hard=True)
        words = ask(world, "rule.add", name="apart", kind="different", groups=["web1", "web2"], hard=True)
        assert "rule apart could never be kept: rule apart keeps web1 and web2 apart, and rule same keeps them" in words
        assert set(rules_of(world)) == {"same"}


def test_a_disabled_rule_is_checked_when_it_is_enabled() -> None:
    with played(*SETUP) as world:
        ask(world, "rule.add", name="apart", kind="different", groups=["web1", "web2"], hard=True, enabled=False)
        assert world.where("web1") == world.where("web2")
        ask(world, "rule.add", name="same", kind="same", groups=["web1", "web2"], hard=True)
        assert "could never be kept" in ask(world, "rule.enable", name="apart")
        assert not rules_of(world)["apart"].enabled
        ask(world, "rule.delete", name="same")
        ask(world, "rule.enable", name="apart")
        assert world.where("web1") != world.where("web2")
        ask(world, "rule.disable", name="apart")
        assert not rules_of(world)["apart"].enabled


def test_what_if_changes_nothing() -> None:
    with played(*SETUP) as world:
        ask(world, "rule.add", name="apart", kind="different", groups=["web1", "web2"], hard=True, what_if=True)
        assert rules_of(world) == {}
        ask(world, "rule.add", name="apart", kind="different", groups=["web1", "db1"])
        for verb in ("rule.disable", "rule.delete"):
            ask(world, verb, name="apart", what_if=True)
        assert rules_of(world)["apart"].enabled


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"groups": ["web1"]}, 'a rule "different" needs two groups or more'),
        ({"groups": ["web1", "web1"]}, 'a rule "different" needs two groups or more'),
        ({"groups": ["web1", "nobody"]}, 'there is no group "nobody"'),
        ({"nodes": ["n1"]}, 'a rule "different" names no nodes'),
        ({"kind": "on"}, 'a rule "on" needs nodes'),
        ({"kind": "on", "nodes": ["n9"]}, 'there is no node "n9"'),
        ({"kind": "on", "nodes": ["n1"], "domain": "rack"}, 'a rule "on" is about nodes'),
        ({"name": "a/b"}, 'cannot name a rule "a/b"'),
    ],
    ids=str,
)
def test_a_rule_that_makes_no_sense_is_refused(change: dict[str, Any], why: str) -> None:
    with played(*SETUP) as world:
        usual: dict[str, Any] = {"name": "r", "kind": "different", "groups": ["web1", "web2"]}
        assert why in ask(world, "rule.add", **(usual | change))
        assert rules_of(world) == {}


def test_a_rule_about_racks_warns_of_nodes_whose_rack_is_not_known() -> None:
    with played("world", "node n1 rack=r1", "node n2 rack=r1", *SETUP[1:]) as world:
        groups = ["web1", "db1"]
        changed = answer(world, "rule.add", name="r", kind="different", groups=groups, domain="rack")
        assert list(changed["warnings"]) == [
            "n3 has no rack set and counts as one of its own: `outlast node set n3 rack=NAME`"
        ]


def test_a_rule_tells_by_whom_it_is_broken() -> None:
    with played(*SETUP) as world:
        groups = ["web1", "web2"]
        changed = answer(world, "rule.add", name="soft", kind="different", groups=groups)
        assert list(changed["warnings"]) == ["broken now: web1 and web2 are both on n2"]
        (row,) = answer(world, "rule.list")
        assert list(row["broken"]) == ["web1 and web2 are both on n2"]
        assert answer(world, "rule.show", name="soft") == row
