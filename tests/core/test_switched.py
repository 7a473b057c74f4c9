"""What is wanted after somebody switched a resource off or on past the cluster, on n1 (rule 10)."""

import pytest

from build import group
from outlast.core.owner.switched import MOST_RETURNS, RETURNS_WITHIN_S, Intent, Return, Switched, intent, returns
from outlast.model.group import Group, Resource, Wanted
from outlast.model.health import EndedBy
from outlast.model.policy import OnStop

ON, OFF = Wanted.ONLINE, Wanted.OFFLINE
VM = group("vm", on="n1")
WEB = group("web", on="n1", resources=("disk", "vm"))


def records(of: Group, **wanted: Wanted) -> dict[str, Resource]:
    return {name: Resource(name, "vm", of.name, wanted=wanted.get(name, ON)) for name in of.resources}


def after(of: Group, *switched: Switched, **wanted: Wanted) -> Intent | None:
    return intent(of, records(of, **wanted), switched, "n1")


def off(name: str) -> Switched:
    return Switched(name, OFF, "shut down inside the guest")


def on(name: str) -> Switched:
    return Switched(name, ON, "started at the console")


def test_a_vm_that_is_alone_in_its_group_takes_the_group_along() -> None:
    found = after(VM, off("vm"))
    assert found is not None
    assert (found.group.wanted, found.group.intents) == (OFF, VM.intents + 1)
    assert found.group.wanted_by == "shut down inside the guest, on n1"
    assert found.resources == ()
    assert found.words == ("vm is wanted offline: shut down inside the guest, on n1",)


def test_of_a_group_of_several_only_what_was_switched_off_is_wanted_off_and_the_rest_runs_on() -> None:
    found = after(WEB, off("vm"))
    assert found is not None
    assert found.group == WEB
    assert [(one.name, one.wanted) for one in found.resources] == [("vm", OFF)]
    assert found.words == ("vm of web is wanted offline: shut down inside the guest, on n1",)


def test_several_that_are_switched_off_at_once_are_all_wanted_off() -> None:
    found = after(WEB, off("vm"), off("disk"))
    assert found is not None
    assert {one.name for one in found.resources} == {"vm", "disk"}


def test_what_was_switched_on_is_wanted_online_with_its_group() -> None:
    wanted_off = group("web", on="n1", resources=("disk", "vm"), wanted=OFF)
    found = after(wanted_off, on("vm"), vm=OFF)
    assert found is not None
    assert found.group.wanted is ON
    assert found.group.intents == wanted_off.intents + 1
    assert [(one.name, one.wanted) for one in found.resources] == [("vm", ON)]


def test_a_resource_that_was_wanted_off_alone_and_is_switched_on_is_wanted_online() -> None:
    found = after(VM, on("vm"), vm=OFF)
    assert found is not None
    assert found.group == VM
    assert [(one.name, one.wanted) for one in found.resources] == [("vm", ON)]


def test_what_is_wanted_so_already_changes_nothing() -> None:
    assert after(VM) is None
    assert after(VM, on("vm")) is None
    assert after(WEB, off("vm"), vm=OFF) is None
    assert after(group("vm", on="n1", wanted=OFF), off("vm")) is None


# -- what comes back -------------------------------------------------------------------------------------------------

BACK = Resource("vm", "vm", "vm", on_console_stop=OnStop.RESTART)
BY_GUEST = Resource("vm", "vm", "vm", on_guest_shutdown=OnStop.RESTART)


@pytest.mark.parametrize(
    ("resource", "ended_by", "setting"),
    [
        (Resource("vm", "vm", "vm"), EndedBy.CONSOLE, ""),
        (Resource("vm", "vm", "vm"), EndedBy.GUEST, ""),
        (BACK, EndedBy.CONSOLE, "on_console_stop=restart"),
        (BACK, EndedBy.GUEST, ""),
        (BY_GUEST, EndedBy.CONSOLE, ""),
        (BY_GUEST, EndedBy.GUEST, "on_guest_shutdown=restart"),
        (BACK, EndedBy.NOBODY, ""),
    ],
)
def test_it_comes_back_only_when_its_setting_for_who_stopped_it_says_so(
    resource: Resource, ended_by: EndedBy, setting: str
) -> None:
    assert returns(resource, ended_by, (), 1000.0) == Return(bool(setting), setting)


def test_after_some_returns_in_a_short_time_it_stays_off_and_says_so() -> None:
    times_s = tuple(1000.0 + number for number in range(MOST_RETURNS))
    last_s = times_s[-1] + 1.0
    assert returns(BACK, EndedBy.CONSOLE, times_s[:-1], last_s).comes_back
    stays = returns(BACK, EndedBy.CONSOLE, times_s, last_s)
    assert not stays.comes_back
    assert stays.words == "3 times brought online again within 10 min, so it stays off"
    assert returns(BACK, EndedBy.CONSOLE, times_s, times_s[0] + RETURNS_WITHIN_S).comes_back
