"""The screen of a VM over a web socket: who gets it, from where, and until when."""

import asyncio
import threading
import time
from collections.abc import Iterator

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from fake_service import FakeService, Refusal, Result
from outlast.model.access_answers import SessionRow
from outlast.web import identity, screens
from outlast.web.cluster import Cluster
from outlast.web.elsewhere import Neighbours

pytest_plugins = ("web_fixtures",)
GREETING = b"RFB 003.008\n"
OURS = {"Origin": "https://testserver", "Sec-WebSocket-Protocol": "binary"}
PATH = "wss://testserver/api/v1/vms/web1/screen"


class Vnc:
    """Greets as a VNC server does, and says again whatever it hears."""

    def __enter__(self) -> "Vnc":
        self._loop = asyncio.new_event_loop()
        started = threading.Event()
        self.port = 0

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(GREETING)
            while part := await reader.read(100):
                writer.write(part)
            writer.close()

        async def serve() -> None:
            self._server = await asyncio.start_server(answer, "127.0.0.1", 0)
            self.port = self._server.sockets[0].getsockname()[1]
            started.set()

        def run() -> None:
            self._loop.run_until_complete(serve())
            self._loop.run_forever()

        self._thread = threading.Thread(target=run)
        self._thread.start()
        started.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()


@pytest.fixture
def vnc(fake: FakeService) -> Iterator[Vnc]:
    fake.answers["web.nodes"] = Result({"me": "n1", "addresses": {"n1": "192.0.2.1", "n2": "192.0.2.2"}})
    with Vnc() as running:
        fake.answers["vm.screen"] = Result({"vm": "web1", "node": "n1", "host": "127.0.0.1", "port": running.port})
        yield running


@pytest.fixture
def signed_in(api: TestClient) -> TestClient:
    api.post("/api/v1/session", json={"name": "anna", "password": "x"})
    return api


def closed(api: TestClient, headers: dict[str, str]) -> tuple[int, str]:
    with pytest.raises(WebSocketDisconnect) as refused, api.websocket_connect(PATH, headers=headers) as socket:
        socket.receive_bytes()
    return refused.value.code, refused.value.reason or ""


def test_what_the_screen_says_comes_to_the_browser_and_what_is_typed_goes_there(
    signed_in: TestClient, fake: FakeService, vnc: Vnc
) -> None:
    with signed_in.websocket_connect(PATH, headers=OURS) as socket:
        assert socket.accepted_subprotocol == "binary"
        assert socket.receive_bytes() == GREETING
        socket.send_bytes(b"typed")
        assert socket.receive_bytes() == b"typed"
    asked = next(one for one in fake.requests if one["verb"] == "vm.screen")
    assert (asked["arguments"], asked["credential"]) == ({"name": "web1"}, "outlast-session-11")


def test_a_page_of_another_node_shows_its_word(api: TestClient, fake: FakeService, vnc: Vnc) -> None:
    headers = {"Origin": "https://n2:9443", "Sec-WebSocket-Protocol": "binary, outlast.word.outlast-session-22"}
    with api.websocket_connect(PATH, headers=headers) as socket:
        assert socket.receive_bytes() == GREETING
    assert next(one for one in fake.requests if one["verb"] == "vm.screen")["credential"] == "outlast-session-22"


@pytest.mark.parametrize(
    "headers",
    [
        {**OURS, "Origin": "https://evil.example"},
        {"Sec-WebSocket-Protocol": "binary"},
        {"Origin": "https://testserver"},
    ],
)
def test_a_page_of_somebody_else_gets_nothing_whatever_cookie_comes_along(
    signed_in: TestClient, fake: FakeService, vnc: Vnc, headers: dict[str, str]
) -> None:
    assert closed(signed_in, headers)[1] == ""
    assert "vm.screen" not in fake.verbs()


def test_who_may_not_operate_the_vm_is_told_so(signed_in: TestClient, fake: FakeService, vnc: Vnc) -> None:
    fake.answers["vm.screen"] = Refusal("denied", "vm.screen takes the role operator; vera is a viewer")
    assert closed(signed_in, OURS) == (screens.REFUSED, "vm.screen takes the role operator; vera is a viewer")


def test_a_screen_of_another_node_is_shown_by_that_node(signed_in: TestClient, fake: FakeService, vnc: Vnc) -> None:
    fake.answers["vm.screen"] = Result({"vm": "web1", "node": "n2"})
    assert closed(signed_in, OURS) == (screens.ELSEWHERE, "n2")


def test_a_screen_that_does_not_answer_is_told_in_words(signed_in: TestClient, fake: FakeService) -> None:
    fake.answers["vm.screen"] = Result({"vm": "web1", "node": "n1", "host": "127.0.0.1", "port": 1})
    code, words = closed(signed_in, OURS)
    assert (code, words.startswith("the screen of web1 does not answer")) == (screens.REFUSED, True)


@pytest.mark.parametrize(
    "then", [Refusal("sign-in", "you are not signed in any more"), Result(SessionRow("anna", "viewer", (), 0.0))]
)
def test_it_ends_when_who_looks_is_signed_out_or_may_less(fake: FakeService, vnc: Vnc, then: Refusal | Result) -> None:
    cluster = Cluster(fake.path)
    often = Starlette(routes=[screens.Screens(cluster, Neighbours(cluster), again_s=0.05).route()])
    client = TestClient(often, base_url="https://testserver", cookies={identity.COOKIE: "outlast-session-11"})
    with client.websocket_connect(PATH, headers=OURS) as socket:
        assert socket.receive_bytes() == GREETING
        while "session.show" not in fake.verbs():  # as whom it began
            time.sleep(0.01)
        fake.answers["session.show"] = then
        with pytest.raises(WebSocketDisconnect) as ended:
            socket.receive_bytes()
    assert ended.value.code == screens.ENDED
