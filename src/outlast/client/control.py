"""Talks to the cluster service of this node over its control socket: one request per connection, JSON lines.

-> {"verb": "vm.list", "arguments": {}}
<- {"item": ...}            any number of times, from verbs that stream
<- {"result": ...}          or  {"error": {"kind": "impossible", "message": "..."}}
"""

import os
import socket
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

import msgspec

DEFAULT_SOCKET = "/run/outlast/control.sock"
DEFAULT_CONFIG = "/etc/outlast/outlast.toml"
T = TypeVar("T")

EXIT_CODES = {
    "failed": 1,
    "usage": 2,
    "impossible": 3,
    "no-contact": 4,
    # Only from elsewhere: who asks is not known, may not, has tried too often, or has seen it before it was changed.
    "sign-in": 3,
    "denied": 3,
    "limited": 3,
    "changed": 3,
}


class ControlError(Exception):
    """The cluster refused or could not do it. `kind` is a key of EXIT_CODES; the text is for people."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class _Refusal(msgspec.Struct):
    kind: str
    message: str


class Client:
    """`path`: the control socket; default: the environment's OUTLAST_SOCKET, else the usual place."""

    def __init__(self, path: str = "", notice: Callable[[str], None] = lambda words: None) -> None:
        """`notice`: is called with what everybody who asks for anything must be told."""
        self.path = path or os.environ.get("OUTLAST_SOCKET", DEFAULT_SOCKET)
        self._notice = notice

    def call(self, verb: str, arguments: Mapping[str, Any] | None = None, *, type: type[T], timeout_s: float = 15) -> T:
        """The verb's result, validated as `type`. Raises `ControlError`."""
        for message in self._exchange(verb, arguments or {}, timeout_s):
            if "result" in message:
                return _converted(message["result"], type)
        raise ControlError("no-contact", self._no_contact("it closed the connection without an answer"))

    def stream(
        self, verb: str, arguments: Mapping[str, Any] | None = None, *, type: type[T], timeout_s: float | None = None
    ) -> Iterator[T]:
        """The items of a verb that streams, until it ends. Raises `ControlError`."""
        for message in self._exchange(verb, arguments or {}, timeout_s):
            if "item" in message:
                yield _converted(message["item"], type)
            elif "result" in message:
                return
        raise ControlError("no-contact", self._no_contact("it closed the connection before it had told everything"))

    def _exchange(self, verb: str, arguments: Mapping[str, Any], timeout_s: float | None) -> Iterator[dict[str, Any]]:
        try:
            for line in self._lines(verb, arguments, timeout_s):
                message = _converted(line, dict[str, Any], decode=msgspec.json.decode)
                if "error" in message:
                    error = _converted(message["error"], _Refusal)
                    raise ControlError(error.kind, error.message)
                if "notice" in message:
                    self._notice(str(message["notice"]))
                yield message
        except TimeoutError:
            raise ControlError("no-contact", self._no_contact(f"no answer within {timeout_s:g} s")) from None
        except OSError as error:
            raise ControlError("no-contact", self._no_contact(error.strerror or str(error))) from None

    def _lines(self, verb: str, arguments: Mapping[str, Any], timeout_s: float | None) -> Iterator[bytes]:
        """What is answered, as it comes. Raises OSError."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(timeout_s)
            connection.connect(self.path)
            connection.sendall(msgspec.json.encode({"verb": verb, "arguments": arguments}) + b"\n")
            with connection.makefile("rb") as lines:
                yield from lines

    def _no_contact(self, why: str) -> str:
        hint = "Is outlastd running here? On a witness it is not: ask a node"
        if self.path == DEFAULT_SOCKET and not os.path.exists(DEFAULT_CONFIG):
            hint = (
                "This machine is no node: `outlast cluster create` or `outlast cluster join` makes it one; "
                "in a lab say `outlast lab exec n1 outlast status`"
            )
        return f"cannot reach the cluster service of this node at {self.path}: {why}. {hint}"


def _converted(value: Any, type: type[T], *, decode: Callable[..., T] = msgspec.convert) -> T:
    try:
        return decode(value, type=type)
    except (msgspec.ValidationError, msgspec.DecodeError) as error:
        raise ControlError(
            "failed",
            f"cannot understand the cluster service's answer: {error}. Are this command and outlastd of one version?",
        ) from None
