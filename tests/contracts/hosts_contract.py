"""What every implementation of the Hosts port promises. Subclassed by the real processes and by the simulated ones.

A story gets a `Stage`: a service with its hosts, and a way to look at what runs without asking a host.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, Protocol

import pytest

from outlast.model.health import Condition, Health, Spec
from outlast.model.transfer import Destination, Transfer
from outlast.ports.hosts import CallFailed, HealthReport, Host, HostDied, Hosts, Report

PERMIT_S = 3600.0
SOON_S = 60.0


class Stage(Protocol):
    hosts: Hosts
    type: str
    """A resource type whose resources can misbehave as `spec` says."""

    def spec(
        self,
        name: str,
        *,
        start_fails: str = "",
        start_takes_s: float = 0.0,
        hang_in: Sequence[str] = (),
        fail_in: Sequence[str] = (),
        crash_in: Sequence[str] = (),
        transfer_takes_s: float = 0.0,
    ) -> Spec: ...

    def runs(self, name: str) -> bool:
        """Whether it runs, found out without a host; what stands still does not."""
        ...

    def other(self) -> "Stage":
        """Another node, to which resources can be handed over."""
        ...

    def destination(self) -> Destination:
        """How this node is named to one that hands something over to it."""
        ...

    def now_s(self) -> float:
        """The clock of the run permit."""
        ...

    async def freeze(self, host: Host) -> None:
        """Stop the host as SIGSTOP does."""
        ...


Story = Callable[[Stage], Awaitable[None]]


class HostsContract:
    def play(self, story: Story) -> None:
        """Run the story in a world of its own, with a bound that catches a hang; then clear everything away."""
        raise NotImplementedError

    def test_a_host_offers_what_it_was_asked_to_load(self) -> None:
        async def story(stage: Stage) -> None:
            host = await _start(stage)
            (offer,) = host.offers
            assert (offer.type, offer.problem) == (stage.type, "")
            assert offer.version
            assert offer.digest
            assert host.pid > 0

        self.play(story)

    def test_a_type_that_cannot_be_loaded_is_an_offer_with_a_problem_and_no_error(self) -> None:
        async def story(stage: Stage) -> None:
            host = await stage.hosts.start([stage.type, "nobody-has-this"], timeout_s=SOON_S)
            problems = {offer.type: offer.problem for offer in host.offers}
            assert problems[stage.type] == ""
            assert problems["nobody-has-this"]
            with pytest.raises(CallFailed, match="nobody-has-this"):
                await host.open(Spec("it", "nobody-has-this"))

        self.play(story)

    def test_a_resource_lives_through_open_online_offline_and_forget(self) -> None:
        async def story(stage: Stage) -> None:
            host = await _start(stage)
            assert (await host.open(stage.spec("it"))).condition is Condition.OFFLINE
            assert not stage.runs("it")
            await host.online("it", _ignore)
            assert stage.runs("it")
            assert (await host.is_alive(stage.type, ["it"]))["it"].condition is Condition.ONLINE
            assert (await host.looks_alive(stage.type, ["it"]))["it"].condition is Condition.ONLINE
            await host.offline("it", 1.0, _ignore)
            assert not stage.runs("it")
            await host.forget("it")
            await host.close("it")

        self.play(story)

    def test_what_is_saved_goes_on_from_its_state_and_who_has_none_is_refused(self) -> None:
        async def story(stage: Stage) -> None:
            host = await _start(stage)
            await host.open(stage.spec("it"))
            with pytest.raises(CallFailed) as failed:
                await host.save("it", "1-0-0", "", _ignore)
            assert failed.value.refusal
            await host.online("it", _ignore)
            state = await host.save("it", "1-0-0", "", _ignore)
            assert state.id == "1-0-0"
            assert not stage.runs("it")
            await host.restore("it", state, _ignore)
            assert stage.runs("it")

        self.play(story)

    def test_a_start_that_fails_is_told_as_foreseen_with_its_reason(self) -> None:
        async def story(stage: Stage) -> None:
            host = await _start(stage)
            await host.open(stage.spec("it", start_fails="no such disk"))
            with pytest.raises(CallFailed) as failed:
                await host.online("it", _ignore)
            assert "no such disk" in failed.value.why
            assert failed.value.refusal
            assert not stage.runs("it")

        self.play(story)

    def test_what_a_plugin_raises_unforeseen_is_the_answer_to_that_call_only(self) -> None:
        async def story(stage: Stage) -> None:
            host = await _start(stage)
            await host.open(stage.spec("it", fail_in=["offline"]))
            await host.online("it", _ignore)
            with pytest.raises(CallFailed) as failed:
                await host.offline("it", 1.0, _ignore)
            assert not failed.value.refusal
            await host.terminate("it")
            assert not stage.runs("it")

        self.play(story)

    def test_a_call_about_a_resource_that_is_not_open_fails(self) -> None:
        async def story(stage: Stage) -> None:
            host = await _start(stage)
            with pytest.raises(CallFailed, match="it"):
                await host.online("it", _ignore)

        self.play(story)

    def test_progress_is_told_while_the_call_runs(self) -> None:
        async def story(stage: Stage) -> None:
            host = await _start(stage)
            await host.open(stage.spec("it", start_takes_s=0.2))
            words: list[str] = []
            await host.online("it", words.append)
            assert words

        self.play(story)

    def test_a_resource_that_hangs_holds_up_no_other_resource(self) -> None:
        async def story(stage: Stage) -> None:
            host = await _start(stage)
            await host.open(stage.spec("stuck", hang_in=["online"]))
            await host.open(stage.spec("it"))
            stuck = asyncio.create_task(host.online("stuck", _ignore))
            await host.online("it", _ignore)
            assert (await host.is_alive(stage.type, ["it"]))["it"].condition is Condition.ONLINE
            assert not stuck.done()
            await _abandon(stuck)

        self.play(story)

    def test_terminate_comes_through_while_another_call_on_the_resource_hangs(self) -> None:
        async def story(stage: Stage) -> None:
            host = await _start(stage)
            await host.open(stage.spec("it", hang_in=["offline"]))
            await host.online("it", _ignore)
            stuck = asyncio.create_task(host.offline("it", 1.0, _ignore))
            await host.terminate("it")
            assert not stage.runs("it")
            await _abandon(stuck)

        self.play(story)

    def test_while_a_start_is_under_way_no_word_means_that_nothing_runs(self) -> None:
        async def story(stage: Stage) -> None:
            host = await _start(stage)
            await host.open(stage.spec("it", hang_in=["online"]))
            stuck = asyncio.create_task(host.online("it", _ignore))
            async with asyncio.timeout(SOON_S):
                while (told := (await host.is_alive(stage.type, ["it"]))["it"]).condition is not Condition.UNKNOWN:
                    pass  # the start has not begun yet
            assert told.running
            await _abandon(stuck)

        self.play(story)

    def test_a_health_call_that_hangs_holds_up_no_start_and_no_stop(self) -> None:
        async def story(stage: Stage) -> None:
            host = await _start(stage)
            await host.open(stage.spec("it", hang_in=["is_alive"]))
            stuck = asyncio.create_task(host.is_alive(stage.type, ["it"]))
            await host.online("it", _ignore)
            await host.terminate("it")
            await _abandon(stuck)

        self.play(story)

    def test_an_abandoned_call_disturbs_no_later_one(self) -> None:
        async def story(stage: Stage) -> None:
            host = await _start(stage)
            await host.open(stage.spec("it", start_takes_s=0.2))
            abandoned = asyncio.create_task(host.online("it", _ignore))
            await asyncio.sleep(0)
            await _abandon(abandoned)
            await host.online("it", _ignore)
            assert stage.runs("it")

        self.play(story)

    def test_a_killed_host_answers_with_its_death_and_leaves_what_runs_alone(self) -> None:
        async def story(stage: Stage) -> None:
            host = await _start(stage)
            await host.open(stage.spec("it", hang_in=["offline"]))
            await host.online("it", _ignore)
            stuck = asyncio.create_task(host.offline("it", 1.0, _ignore))
            await asyncio.sleep(0)
            await host.kill()
            with pytest.raises(HostDied):
                await stuck
            with pytest.raises(HostDied):
                await host.is_alive(stage.type, ["it"])
            await host.kill()
            assert stage.runs("it")

        self.play(story)

    def test_a_frozen_host_can_be_killed(self) -> None:
        async def story(stage: Stage) -> None:
            host = await _start(stage)
            await stage.freeze(host)
            await host.kill()
            with pytest.raises(HostDied):
                await host.discover(stage.type)

        self.play(story)

    def test_the_next_host_finds_what_the_killed_one_had_started(self) -> None:
        async def story(stage: Stage) -> None:
            first = await _start(stage)
            await first.open(stage.spec("it"))
            await first.online("it", _ignore)
            await first.kill()
            second = await _start(stage)
            assert await second.open(stage.spec("it")) == Health(Condition.ONLINE, running=True)
            await second.terminate("it")
            assert not stage.runs("it")

        self.play(story)

    def test_a_plugin_that_crashes_takes_its_host_along_and_nothing_else(self) -> None:
        async def story(stage: Stage) -> None:
            host, other = await _start(stage), await _start(stage)
            await host.open(stage.spec("it", crash_in=["is_alive"]))
            await host.online("it", _ignore)
            with pytest.raises(HostDied):
                await host.is_alive(stage.type, ["it"])
            assert stage.runs("it")
            await other.discover(stage.type)

        self.play(story)

    def test_the_reports_of_a_dead_host_end(self) -> None:
        async def story(stage: Stage) -> None:
            host = await _start(stage)
            reading = asyncio.create_task(_all_reports(host))
            await host.kill()
            assert await reading == []

        self.play(story)

    # -- from one node to another as it runs -------------------------------------------------------------------

    def test_what_is_handed_over_stands_still_there_and_nothing_of_it_runs_anywhere_until_it_is_taken_up(self) -> None:
        async def story(stage: Stage) -> None:
            other = stage.other()
            host, there = await _start(stage), await _start(other)
            await there.open(other.spec("it"))
            await host.open(stage.spec("it", transfer_takes_s=0.5))
            await host.online("it", _ignore)
            told: list[Transfer] = []
            await host.hand_over("it", other.destination(), told.append)
            assert told
            assert not stage.runs("it")
            assert not other.runs("it")
            here = (await host.is_alive(stage.type, ["it"]))["it"]
            assert (here.condition, here.moved_away) == (Condition.OFFLINE, True)
            health = (await there.is_alive(other.type, ["it"]))["it"]
            assert (health.condition, health.stands) == (Condition.ONLINE, True)
            assert [found.stands for found in await there.discover(other.type) if found.running] == [True]
            await there.take_up("it", _ignore)
            assert other.runs("it")
            assert not (await there.is_alive(other.type, ["it"]))["it"].stands
            await there.terminate("it")

        self.play(story)

    def test_what_is_called_back_in_time_runs_on_and_nothing_of_it_stands_elsewhere(self) -> None:
        async def story(stage: Stage) -> None:
            other = stage.other()
            host, there = await _start(stage), await _start(other)
            await there.open(other.spec("it"))
            await host.open(stage.spec("it", transfer_takes_s=3600.0))
            await host.online("it", _ignore)
            told = asyncio.Event()
            going = asyncio.create_task(host.hand_over("it", other.destination(), lambda _: told.set()))
            await told.wait()
            await host.call_back("it")
            with pytest.raises(CallFailed) as failed:
                await going
            assert failed.value.refusal
            assert stage.runs("it")
            assert (await host.is_alive(stage.type, ["it"]))["it"].condition is Condition.ONLINE
            assert (await there.is_alive(other.type, ["it"]))["it"].condition is Condition.OFFLINE

        self.play(story)

    def test_terminate_comes_through_while_it_is_handed_over_and_then_it_went_nowhere(self) -> None:
        async def story(stage: Stage) -> None:
            other = stage.other()
            host, there = await _start(stage), await _start(other)
            await there.open(other.spec("it"))
            await host.open(stage.spec("it", transfer_takes_s=2.0))
            await host.online("it", _ignore)
            told = asyncio.Event()
            going = asyncio.create_task(host.hand_over("it", other.destination(), lambda _: told.set()))
            await told.wait()
            await host.terminate("it")
            assert not stage.runs("it")
            with pytest.raises(CallFailed):
                await going
            assert not (await there.is_alive(other.type, ["it"]))["it"].running

        self.play(story)

    def test_what_stands_still_is_taken_up_only_with_a_permit(self) -> None:
        async def story(stage: Stage) -> None:
            other = await _handed_over(stage)
            there = await other.hosts.start([other.type], timeout_s=SOON_S)
            assert (await there.open(other.spec("it"))).stands
            with pytest.raises(CallFailed, match="permit") as failed:
                await there.take_up("it", _ignore)
            assert failed.value.refusal
            assert not other.runs("it")
            other.hosts.permit.extend(other.now_s() + PERMIT_S)
            await there.take_up("it", _ignore)
            assert other.runs("it")

        self.play(story)

    def test_nothing_is_taken_up_where_nothing_stands(self) -> None:
        async def story(stage: Stage) -> None:
            host = await _start(stage)
            await host.open(stage.spec("it"))
            with pytest.raises(CallFailed) as failed:
                await host.take_up("it", _ignore)
            assert failed.value.refusal
            assert not stage.runs("it")

        self.play(story)

    def test_an_old_copy_can_be_terminated_and_a_start_throws_it_away(self) -> None:
        async def story(stage: Stage) -> None:
            other = await _handed_over(stage)
            there = await _start(other)
            assert (await there.open(other.spec("it"))).stands
            await there.online("it", _ignore)
            assert other.runs("it")
            assert not (await there.is_alive(other.type, ["it"]))["it"].stands
            await there.terminate("it")
            assert not (await there.is_alive(other.type, ["it"]))["it"].running

        self.play(story)

    # -- the run permit ----------------------------------------------------------------------------------------

    def test_nothing_starts_without_a_permit(self) -> None:
        async def story(stage: Stage) -> None:
            host = await stage.hosts.start([stage.type], timeout_s=SOON_S)
            await host.open(stage.spec("it"))
            with pytest.raises(CallFailed, match="permit") as failed:
                await host.online("it", _ignore)
            assert failed.value.refusal
            stage.hosts.permit.extend(stage.now_s() - 1.0)
            with pytest.raises(CallFailed, match="permit"):
                await host.online("it", _ignore)
            assert not stage.runs("it")

        self.play(story)

    def test_when_the_permit_passes_the_host_stops_everything_and_says_so(self) -> None:
        async def story(stage: Stage) -> None:
            host = await _start(stage)
            for name in ("one", "two"):
                await host.open(stage.spec(name))
                await host.online(name, _ignore)
            reports = reports_of(host)
            stage.hosts.permit.extend(stage.now_s() + 0.2)
            await host.discover(stage.type)  # A host learns of a shorter permit when it next looks around.
            stopped = set()
            async for report in reports:
                assert isinstance(report, HealthReport)
                assert report.health.condition is Condition.FAILED
                assert not report.health.running
                assert "permit" in report.health.why
                stopped.add(report.resource)
                if len(stopped) == 2:
                    break
            assert not stage.runs("one")
            assert not stage.runs("two")

        self.play(story)

    def test_a_new_permit_after_the_stop_lets_resources_start_again(self) -> None:
        async def story(stage: Stage) -> None:
            host = await _start(stage)
            await host.open(stage.spec("it"))
            await host.online("it", _ignore)
            reports = reports_of(host)
            stage.hosts.permit.extend(stage.now_s())
            await host.discover(stage.type)
            await anext(reports)
            stage.hosts.permit.extend(stage.now_s() + PERMIT_S)
            await host.online("it", _ignore)
            assert stage.runs("it")

        self.play(story)


async def _start(stage: Stage) -> Host:
    host = await stage.hosts.start([stage.type], timeout_s=SOON_S)
    stage.hosts.permit.extend(stage.now_s() + PERMIT_S)
    return host


async def _handed_over(stage: Stage) -> Stage:
    """The other node, on which it stands; nobody there has it open."""
    other = stage.other()
    host = await _start(stage)
    other.spec("it")
    await host.open(stage.spec("it"))
    await host.online("it", _ignore)
    await host.hand_over("it", other.destination(), lambda _: None)
    return other


async def _abandon(call: asyncio.Task[Any]) -> None:
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call


async def reports_of(host: Host) -> AsyncIterator[Report]:
    """What it tells, until it has died."""
    heard: asyncio.Queue[Report | None] = asyncio.Queue()
    listening = asyncio.create_task(host.listen(heard.put_nowait))
    listening.add_done_callback(lambda _: heard.put_nowait(None))
    try:
        while (report := await heard.get()) is not None:
            yield report
    finally:
        listening.cancel()


async def _all_reports(host: Host) -> list[object]:
    return [report async for report in reports_of(host)]


def _ignore(_word: str) -> None:
    pass
