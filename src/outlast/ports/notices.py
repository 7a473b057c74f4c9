"""What Outlast needs to tell somebody outside of the cluster something."""

from typing import Protocol

from outlast.model.notice import Notice, NoticeRule


class NotTaken(Exception):
    """The receiver has not taken it, or nobody knows whether it has. The text says why, in the receiver's own words
    where it had any, and holds nothing secret. `asked_s`: how long it asks to be left alone."""

    def __init__(self, words: str, asked_s: float = 0.0) -> None:
        super().__init__(words)
        self.asked_s = asked_s


class Receivers(Protocol):
    async def send(self, rule: NoticeRule, notice: Notice, *, at_s: float, timeout_s: float) -> str:
        """Once, to where the rule says; its secret parameters are filled in. `at_s`: now, by the wall clock. Returns
        the receiver's answer, for people. Raises `NotTaken`.

        Cancelled, it may have been taken. A program that was started has ended, or was killed, when this returns."""
        ...
