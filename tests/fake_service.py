"""Stands in for the cluster service: a control socket that answers each verb from a table.

It speaks the real protocol (`outlast/service/control.py`), so that the commands are tested with the real client.
"""

import socketserver
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec


@dataclass(frozen=True)
class Result:
    value: Any


@dataclass(frozen=True)
class Record:
    """A result that is a record of this revision."""

    value: Any
    revision: int


@dataclass(frozen=True)
class Stream:
    items: Sequence[Any]


@dataclass(frozen=True)
class Unending:
    """Sends the items, and then says nothing until who asks hangs up."""

    items: Sequence[Any] = ()


@dataclass(frozen=True)
class Refusal:
    kind: str
    message: str
    cause: str = ""


@dataclass(frozen=True)
class Broken:
    """Sends this, and hangs up in the middle."""

    sent: bytes = b""


Answer = Result | Record | Stream | Unending | Refusal | Broken


@dataclass
class FakeService:
    path: Path
    answers: dict[str, Answer] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    requests: list[dict[str, Any]] = field(default_factory=list)
    """As they came, whole."""
    notice: str = ""
    """What everybody must be told."""

    def arguments(self, verb: str) -> dict[str, Any]:
        """Of the last time that this verb was asked for."""
        return next(arguments for asked, arguments in reversed(self.asked) if asked == verb)

    def verbs(self) -> list[str]:
        return [verb for verb, _ in self.asked]

    def __enter__(self) -> "FakeService":
        service = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                request = msgspec.json.decode(self.rfile.readline())
                service.asked.append((request["verb"], request["arguments"]))
                service.requests.append(request)
                self.wfile.write(service.answer(request["verb"]))
                if isinstance(service.answers.get(request["verb"]), Unending):
                    self.wfile.flush()
                    self.rfile.read()

        self._server = socketserver.ThreadingUnixStreamServer(str(self.path), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, verb: str) -> bytes:
        match self.answers.get(verb, Refusal("usage", f'the fake service has no answer to "{verb}"')):
            case Result(value):
                return _lines({"result": value, "notice": self.notice} if self.notice else {"result": value})
            case Record(value, revision):
                return _lines({"revision": revision}, {"result": value})
            case Stream(items):
                return _lines(*({"item": item} for item in items), {"result": None})
            case Unending(items):
                return _lines(*({"item": item} for item in items))
            case Refusal(kind, message, cause):
                return _lines({"error": {"kind": kind, "message": message, "cause": cause}})
            case Broken(sent):
                return sent


def _lines(*messages: Mapping[str, Any]) -> bytes:
    return b"".join(msgspec.json.encode(message) + b"\n" for message in messages)
