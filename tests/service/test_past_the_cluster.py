"""What runs on a node that does not own it, because a person brought or started it there."""

from played import play, played

from build import group
from outlast.model.group import Came
from outlast.model.status import GroupStatus, ResourceStatus, State
from outlast.service.hosting.standing import StandingReports

LEFT = ResourceStatus(State.UNKNOWN, "it was migrated away", moved_away=True)


def report(one: ResourceStatus) -> GroupStatus:
    return GroupStatus("web", "n1", "n1-1", 3, {"web": one})


def test_that_it_went_away_binds_its_owner_as_that_it_is_off_until_that_is_taken_back() -> None:
    reports = StandingReports()
    reports.begin([group("web")], continuing=False)
    reports.sending(report(LEFT))
    assert reports.may_stand("web", 3)
    pending = report(ResourceStatus(State.ONLINE_PENDING))
    assert reports.takes_back(pending)
    reports.written(pending)
    assert not reports.may_stand("web", 3)


def test_a_node_says_of_what_appears_there_how_it_came_and_at_which_epoch_and_that_it_is_over() -> None:
    with played("world nodes=3 live", "vm web1 possible=n1,n3", "start", "run 30", "console migrate web1 n2") as world:
        world.machines["n1"].troubles.reports_lost = True  # it is about to say by its next poll that it went away
        world.run(1.8)
        record = world.checks.groups["web1"].record
        assert record.appeared is not None
        assert (record.appeared.node, record.appeared.epoch, record.appeared.came) == ("n2", 1, Came.BROUGHT)
        world.run(6.0)
        record = world.checks.groups["web1"].record
        assert (record.owner, record.epoch, record.appeared) == ("n2", 2, None)


def test_a_node_withdraws_what_it_has_said_of_what_has_ended_there() -> None:
    with played(
        "world nodes=3", "vm web1 preferred=n2", "start", "run 30", "admin n1 group.offline name=web1", "run 5"
    ) as world:
        world.daemons.freeze("n1", "service")  # who decides
        world.console_start("web1", "n3")
        world.run(1.0)
        assert world.checks.groups["web1"].record.appeared is not None
        world.machines["n3"].drop_standing("web1")
        world.run(0.5)
        assert world.checks.groups["web1"].record.appeared is None
        world.daemons.thaw("n1", "service")
        world.run(5.0)
        assert world.checks.groups["web1"].record.owner == "n2"


def test_a_node_says_nothing_of_what_was_started_there_before_its_owner_was_heard_of() -> None:
    with played("world nodes=3", "vm web1", "start", "run 30", "admin n1 group.offline name=web1", "run 5") as world:
        world.daemons.freeze("n1", "service")  # its owner
        world.console_start("web1", "n3")
        world.run(2.5)
        assert world.machines["n3"].standing.keys() == {"web1"}
        assert world.checks.groups["web1"].record.appeared is None
        world.daemons.thaw("n1", "service")
        world.run(3.0)
        assert world.checks.groups["web1"].record.owner == "n3"


def test_what_was_started_on_another_node_is_found_there_also_when_no_report_of_it_came() -> None:
    """Seed 1: libvirt's events were lost, and nobody who owns nothing there asked."""
    with played(
        "world", "vm web1 preferred=n1", "start", "run 10", "admin n1 group.offline name=web1", "run 20"
    ) as world:
        play(world, "reports lost n2", "console start web1 n2", "run 5")
        assert world.where("web1") == ["n2"]
        play(world, "run 90")
        assert world.where("web1") == []


def test_a_definition_that_only_lies_on_a_node_is_left_alone_there() -> None:
    with played("world", "vm web1 preferred=n1", "start", "run 10") as world:
        world.machines["n2"].defined.add("web1")
        play(world, "run 90")
        assert "web1" in world.machines["n2"].defined
        assert "web1" not in world.services["n2"].node.resources.locals
