"""How are many resources asked at once whether they are alive, when each answer takes a program that may hang?

Each is asked in a thread of its own, one question at a time. Whoever asks waits no longer than `ANSWER_WITHIN_S` for
all of them: one that hangs holds up none beside it, and its answer counts when it comes.
"""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from outlast.plugin import Health, ResourceName

ANSWER_WITHIN_S = 2.0
"""The cluster service gives a health call three seconds (`IS_ALIVE_DEADLINE_S`), and replaces the host after that."""


@dataclass(slots=True)
class _Question:
    about: object
    """The resource's object: the answer to a question about a former one is nobody's."""
    asked_s: float
    ended: threading.Event = field(default_factory=threading.Event)
    answer: Health | None = None


class Asking:
    def __init__(self) -> None:
        self._under_way: dict[ResourceName, _Question] = {}
        self._lock = threading.Lock()

    def ask(self, questions: Mapping[ResourceName, tuple[object, Callable[[], Health]]]) -> dict[str, Health | float]:
        """By resource its health, or for how many seconds the question has been under way."""
        ends_s = time.monotonic() + ANSWER_WITHIN_S
        asked = {name: self._begin(name, about, question) for name, (about, question) in questions.items()}
        found: dict[str, Health | float] = {}
        for name, question in asked.items():
            if question.ended.wait(max(0.0, ends_s - time.monotonic())) and question.answer is not None:
                found[name] = question.answer
            else:
                found[name] = time.monotonic() - question.asked_s
        return found

    def _begin(self, name: ResourceName, about: object, ask: Callable[[], Health]) -> _Question:
        with self._lock:
            before = self._under_way.get(name)
            if before is not None and before.about is about and not before.ended.is_set():
                return before
            question = self._under_way[name] = _Question(about, time.monotonic())
        threading.Thread(target=self._answer, args=(question, ask), daemon=True, name=f"asks {name}").start()
        return question

    def _answer(self, question: _Question, ask: Callable[[], Health]) -> None:
        try:
            question.answer = ask()
        finally:
            question.ended.set()
