"""What every implementation of the Peers port promises. Subclassed by the links over TCP and by the simulated ones.

A story gets a `Stage`: nodes a and b, of which b listens, and a stranger.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

import pytest

from outlast.ports.peers import NotAnswered, Peers, PeerUnreachable

SOON_S = 30.0
SHORTLY_S = 0.3


class Stage(Protocol):
    a: Peers
    b: Peers

    async def ask(self, topic: str, question: bytes = b"", *, timeout_s: float = SOON_S) -> bytes:
        """a asks b."""
        ...

    async def ask_as_stranger(self, topic: str, question: bytes = b"") -> bytes:
        """Somebody without a certificate asks b."""
        ...

    async def end_b(self) -> None:
        """b's service ends."""
        ...

    async def begin_b(self) -> None:
        """b's service is there again, with the same address, and answers to nothing yet."""
        ...


Story = Callable[[Stage], Awaitable[None]]


async def echo(asker: str, question: bytes) -> bytes:
    return asker.encode() + b": " + question


class PeersContract:
    def play(self, story: Story) -> None:
        """Run the story in a world of its own, with a bound that catches a hang; then clear everything away."""
        raise NotImplementedError

    @pytest.mark.parametrize("question", [b"", b"\x00\xff", b"x" * 200_000])
    def test_an_answer_comes_back_and_who_is_asked_knows_who_asks(self, question: bytes) -> None:
        async def story(stage: Stage) -> None:
            stage.b.answer("echo", echo)
            assert await stage.ask("echo", question) == b"a: " + question
            assert await stage.ask("echo", question) == b"a: " + question

        self.play(story)

    def test_a_refusal_is_told_in_its_own_words(self) -> None:
        async def refuse(asker: str, question: bytes) -> bytes:
            raise NotAnswered(f"not to {asker}, not today")

        async def story(stage: Stage) -> None:
            stage.b.answer("promise", refuse)
            with pytest.raises(NotAnswered, match="not to a, not today"):
                await stage.ask("promise")

        self.play(story)

    def test_a_topic_that_nobody_answers_to_is_refused(self) -> None:
        async def story(stage: Stage) -> None:
            with pytest.raises(NotAnswered):
                await stage.ask("weather")

        self.play(story)

    def test_who_takes_too_long_is_not_waited_for_and_holds_up_nobody_else(self) -> None:
        async def never(asker: str, question: bytes) -> bytes:
            await asyncio.Event().wait()
            return b""

        async def story(stage: Stage) -> None:
            stage.b.answer("never", never)
            stage.b.answer("echo", echo)
            hanging = asyncio.ensure_future(stage.ask("never", timeout_s=SHORTLY_S))
            assert await stage.ask("echo", b"1") == b"a: 1"
            with pytest.raises(PeerUnreachable):
                await hanging
            assert await stage.ask("echo", b"2") == b"a: 2"

        self.play(story)

    def test_each_of_many_questions_at_once_gets_its_own_answer(self) -> None:
        async def story(stage: Stage) -> None:
            stage.b.answer("echo", echo)
            answers = await asyncio.gather(*(stage.ask("echo", str(number).encode()) for number in range(50)))
            assert answers == [f"a: {number}".encode() for number in range(50)]

        self.play(story)

    def test_where_no_service_runs_nobody_answers_and_when_it_is_back_it_does(self) -> None:
        async def story(stage: Stage) -> None:
            stage.b.answer("echo", echo)
            await stage.ask("echo")
            await stage.end_b()
            for _ in range(3):
                with pytest.raises(PeerUnreachable):
                    await stage.ask("echo", timeout_s=SHORTLY_S)
            await stage.begin_b()
            stage.b.answer("echo", echo)
            assert await stage.ask("echo", b"again") == b"a: again"

        self.play(story)

    def test_strangers_are_answered_only_what_is_meant_for_strangers(self) -> None:
        async def story(stage: Stage) -> None:
            stage.b.answer("promise", echo)
            stage.b.answer("enrol", echo, strangers=True)
            with pytest.raises(NotAnswered, match="members of the cluster only"):
                await stage.ask_as_stranger("promise")
            assert await stage.ask_as_stranger("enrol", b"let me in") == b": let me in"
            assert await stage.ask("enrol", b"me too") == b"a: me too"

        self.play(story)
