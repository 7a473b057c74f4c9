"""Properties are asked about on every node, before anything is written; what no node takes is refused."""

import pytest
from played import Refused, asked, played, resource_of

from outlast.model import keys
from outlast.sim.world import World

THREE = ("world", "group files preferred=n2", "resource disk in=files", "start", "run 15")


def refused(*nodes: str, why: str = "no such path") -> dict[str, str]:
    return {f"refused_on_{node}": why for node in nodes}


def there(world: World, name: str) -> bool:
    return any(entry.key == keys.RESOURCES + name for entry in world.database.entries(keys.RESOURCES + name))


def test_what_no_node_takes_is_refused_and_nothing_is_made() -> None:
    with played(*THREE) as world:
        with pytest.raises(Refused) as found:
            asked(
                world,
                "n1",
                "resource.create",
                name="ip",
                type="sim",
                group="files",
                properties=refused("n1", "n2", "n3"),
            )
        assert (found.value.kind, str(found.value)) == (
            "usage",
            "the type sim does not take these properties for ip: no such path",
        )
        assert not there(world, "ip")


def test_what_some_nodes_take_is_made_and_it_is_told_who_could_run_it() -> None:
    with played(*THREE) as world:
        made = asked(world, "n1", "resource.create", name="ip", type="sim", group="files", properties=refused("n3"))
        assert made["nodes"] == {"n1": "", "n2": "", "n3": "no such path"}
        assert there(world, "ip")


def test_what_the_owner_of_the_group_does_not_take_is_refused() -> None:
    with played(*THREE) as world:
        with pytest.raises(Refused, match="n2, which owns files, could not run it: no such path"):
            asked(world, "n1", "resource.create", name="ip", type="sim", group="files", properties=refused("n2"))
        assert not there(world, "ip")


def test_changed_properties_are_asked_about_with_those_that_stay() -> None:
    with played(*THREE) as world:
        asked(world, "n1", "resource.set", name="disk", properties=refused("n1", "n2"))
        with pytest.raises(Refused, match="does not take these properties for disk"):
            asked(world, "n1", "resource.set", name="disk", properties=refused("n3"))
        assert resource_of(world, "disk").properties == refused("n1", "n2")


def test_a_node_that_does_not_answer_does_not_keep_anybody_from_making_it() -> None:
    with played(*THREE, "plugin hang n3 control") as world:
        made = asked(world, "n1", "resource.create", name="ip", type="sim", group="files", properties={})
        assert made["done"] is True
