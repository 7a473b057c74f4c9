"""What every implementation of the ports `Members` and `LocalMember` must keep: the fate of three members that vote.

Nothing here measures time: what must happen is waited for, with a bound that only catches a hang.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, TypeVar

from outlast.ports.members import LocalMember, Member, Members, MemberStatus, NotReady, Start, Unavailable

SOON_S = 5.0
HANG_S = 90.0
POLL_S = 0.05
NAMES = ("a", "b", "c")
Changed = TypeVar("Changed")


class Stage(Protocol):
    """Three members that have founded a cluster and run; `members` asks from beside the first."""

    members: Members
    locals: dict[str, LocalMember]


Story = Callable[[Stage], Awaitable[None]]


class MembersContract:
    def play(self, story: Story) -> None:
        """Run the story on a fresh cluster."""
        raise NotImplementedError

    def test_all_three_vote_and_follow_one_leader(self) -> None:
        async def story(stage: Stage) -> None:
            leader = await led(stage)
            statuses = [await status(stage, name) for name in NAMES]
            assert {one.leader for one in statuses} == {leader}
            listed = await stage.members.list(timeout_s=SOON_S)
            assert sorted((member.name, member.learner) for member in listed) == [(name, False) for name in NAMES]
            assert {member.id for member in listed} == {one.id for one in statuses}
            known = await stage.members.known_to(stage.locals["b"].client_url, timeout_s=SOON_S)
            assert {member.id for member in known} == {member.id for member in listed}

        self.play(story)

    def test_marks_are_replaced_as_a_whole_and_outlive_the_data(self) -> None:
        async def story(stage: Stage) -> None:
            local = stage.locals["c"]
            local.mark({"one": "1", "two": "2"})
            local.mark({"two": "zwei"})
            assert dict(local.marks()) == {"two": "zwei"}
            assert local.has_data()
            await local.wipe()
            assert not local.has_data()
            assert not await local.runs()
            assert dict(local.marks()) == {"two": "zwei"}

        self.play(story)

    def test_a_member_that_was_stopped_goes_on_with_its_data(self) -> None:
        async def story(stage: Stage) -> None:
            before = await status(stage, "c")
            await stage.locals["c"].stop()
            assert not await stage.locals["c"].runs()
            await stage.locals["c"].stop()  # safe to repeat
            await raises_unavailable(lambda: status(stage, "c"))
            await stage.locals["c"].start(Start({}))
            await stage.locals["c"].start(Start({}))  # no error when it runs already
            await until(lambda: follows(stage, "c"), "c follows")
            assert (await status(stage, "c")).id == before.id

        self.play(story)

    def test_without_a_majority_nobody_leads_and_each_member_still_tells_what_it_knows(self) -> None:
        async def story(stage: Stage) -> None:
            await led(stage)
            term = (await status(stage, "a")).term
            await stage.locals["b"].stop()
            await stage.locals["c"].stop()
            await until(lambda: sees_nobody(stage, "a"), "a sees no leader")
            await raises_unavailable(lambda: stage.members.list(timeout_s=1.0))
            known = await stage.members.known_to(stage.locals["a"].client_url, timeout_s=SOON_S)
            assert sorted(member.name for member in known) == list(NAMES)
            assert (await status(stage, "a")).term >= term

        self.play(story)

    def test_a_member_that_was_removed_ends_by_itself_and_joins_again_as_another(self) -> None:
        async def story(stage: Stage) -> None:
            await led(stage)
            old = await status(stage, "c")
            for _ in range(2):  # no error when it is gone already
                await changed(lambda: stage.members.remove(old.id, timeout_s=SOON_S))
            await until(lambda: is_gone(stage, "c"), "c has ended")
            await stage.locals["c"].wipe()
            url = stage.locals["c"].peer_url
            added = await changed(lambda: added_at(stage, url))
            assert (added.name, added.learner, added.peer_urls) == ("", True, (url,))
            initial = {name: stage.locals[name].peer_url for name in NAMES}
            await stage.locals["c"].start(Start(initial, existing=True))
            await changed(lambda: stage.members.promote(added.id, timeout_s=SOON_S))
            await until(lambda: follows(stage, "c"), "c follows")
            assert (await status(stage, "c")).id == added.id != old.id
            listed = await stage.members.list(timeout_s=SOON_S)
            assert sorted((member.name, member.learner) for member in listed) == [(name, False) for name in NAMES]

        self.play(story)

    def test_who_goes_on_alone_leads_alone_from_then_on_and_the_others_are_no_members_any_more(self) -> None:
        async def story(stage: Stage) -> None:
            await led(stage)
            for name in NAMES:
                await stage.locals[name].stop()
            await stage.locals["a"].start(Start({}, alone=True))
            await until(lambda: follows(stage, "a"), "a leads")
            assert await names_known_to(stage, "a") == ["a"]
            await stage.locals["a"].stop()
            await stage.locals["a"].start(Start({}))
            await until(lambda: follows(stage, "a"), "a leads again")
            assert await names_known_to(stage, "a") == ["a"]
            await stage.locals["b"].start(Start({}))
            await until(lambda: is_gone(stage, "b"), "b has ended by itself")

        self.play(story)


async def status(stage: Stage, name: str) -> MemberStatus:
    return await stage.members.status(stage.locals[name].client_url, timeout_s=SOON_S)


async def led(stage: Stage) -> str:
    """The id that all agree on."""

    async def agreed() -> bool:
        found = [await status(stage, name) for name in NAMES]
        return bool(found[0].leader) and len({one.leader for one in found}) == 1

    await until(agreed, "all follow one leader")
    return (await status(stage, "a")).leader


async def follows(stage: Stage, name: str) -> bool:
    return bool((await status(stage, name)).leader)


async def sees_nobody(stage: Stage, name: str) -> bool:
    return not await follows(stage, name)


async def is_gone(stage: Stage, name: str) -> bool:
    return not await stage.locals[name].runs()


async def names_known_to(stage: Stage, name: str) -> list[str]:
    known: Sequence[Member] = await stage.members.known_to(stage.locals[name].client_url, timeout_s=SOON_S)
    return sorted(member.name for member in known)


async def added_at(stage: Stage, url: str) -> Member:
    """Also when an earlier attempt has done it, and its answer was lost."""
    for member in await stage.members.list(timeout_s=SOON_S):
        if url in member.peer_urls:
            return member
    return await stage.members.add_learner([url], timeout_s=SOON_S)


async def until(happened: Callable[[], Awaitable[bool]], what: str) -> None:
    try:
        async with asyncio.timeout(HANG_S):
            while True:
                try:
                    if await happened():
                        return
                except Unavailable:
                    pass
                await asyncio.sleep(POLL_S)
    except TimeoutError:
        raise AssertionError(f"did not happen: {what}") from None


async def changed(change: Callable[[], Awaitable[Changed]]) -> Changed:
    """A change that is refused for the moment (not caught up, a leader just leaving, too soon after the last one) is
    asked for again, as the coordinator does."""
    async with asyncio.timeout(HANG_S):
        while True:
            try:
                return await change()
            except (Unavailable, NotReady, ValueError):
                await asyncio.sleep(POLL_S)


async def raises_unavailable(call: Callable[[], Awaitable[object]]) -> None:
    try:
        await call()
    except Unavailable:
        return
    raise AssertionError("it answered")
