"""The part of the plugin API's contract for types whose resources' state can be put away (`plugin_contract.py`)."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol, cast

from outlast.plugin import CannotStart, Condition, Refusal, Resource, ResourceType, Savable, Spec
from outlast.plugin_contract import PluginContract, RecordingHost


class SavableContract(PluginContract):
    """Besides, for a type whose resources' state can be put away (`Savable`)."""

    def test_what_is_saved_runs_no_more_and_goes_on_from_its_state_once(self) -> None:
        with self._savable() as (plugin, resource, spec):
            resource.online(_ignore)
            state = resource.save("1-0-0", "", _ignore)
            assert not self.runs(spec)
            assert plugin.is_alive([spec.name])[spec.name].condition is Condition.OFFLINE
            resource.restore(state, _ignore)
            assert self.runs(spec)
            resource.terminate()
            try:
                resource.restore(state, _ignore)
            except CannotStart:
                assert not self.runs(spec)
            else:
                raise AssertionError("it went on from one state twice")

    def test_a_new_host_finds_the_state_of_that_stop_and_of_no_other(self) -> None:
        with self._savable() as (_, resource, spec):
            resource.online(_ignore)
            state = resource.save("1-0-0", "", _ignore)
            plugin = self.make_type(RecordingHost())
            again = cast("_SavableResource", plugin.open(spec))
            assert again.save("1-0-0", "", _ignore).path == state.path
            _refused(lambda: again.save("1-1-0", "", _ignore))
            assert not self.runs(spec)
            again.close()
            plugin.close()

    @contextmanager
    def _savable(self) -> Iterator[tuple[ResourceType, "_SavableResource", Spec]]:
        with self._opened() as (plugin, resource, spec):
            assert isinstance(resource, Savable), "its resources lack a method of `Savable`"
            yield plugin, cast("_SavableResource", resource), spec


class _SavableResource(Resource, Savable, Protocol):
    pass


def _ignore(_word: str) -> None:
    pass


def _refused(call: Callable[[], object]) -> None:
    try:
        call()
    except Refusal:
        return
    raise AssertionError("it was carried out, not refused")
