"""`outlast --cluster`: the same commands on a cluster elsewhere, over TLS, believed by a fingerprint."""

import asyncio
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from command_line import Ended, Outlast
from fake_service import FakeService, Refusal, Result, Stream
from outlast.adapters.web_certificate import FileWebCertificate
from outlast.cli import main
from outlast.client import contexts
from outlast.client.contexts import Known
from outlast.client.control import ControlError
from outlast.client.remote import RemoteClient, authority, fingerprint, place
from outlast.web import tls
from outlast.web.cluster import Cluster
from outlast.web.config import WebConfig
from outlast.web.main import Server

pytest_plugins = ("web_fixtures",)
STARTS_S = 20.0


@dataclass(frozen=True)
class Remote:
    url: str
    fingerprint: str
    authority: str


@pytest.fixture
def remote(fake: FakeService, tmp_path: Path) -> Iterator[Remote]:
    """The program's own server, with a certificate as the cluster service makes it."""
    maker = FileWebCertificate(tmp_path)
    certificate, key = maker.create_authority("c", "id")
    maker.renew(certificate, key, ("localhost", "127.0.0.1"))
    assert maker.good(certificate, ("127.0.0.1", "localhost"))
    files = tls.files(WebConfig(run_dir=str(tmp_path)))
    server = Server(Cluster(fake.path), tls.context(files), partial(tls.authority, files))
    listening = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([listening])))
    thread.start()
    try:
        until = time.monotonic() + STARTS_S
        while not server.started and time.monotonic() < until:
            time.sleep(0.01)
        yield Remote(f"https://localhost:{listening.getsockname()[1]}", fingerprint(certificate), certificate)
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture
def outlast(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Outlast:
    """Runs a command as a user elsewhere does, whose standard input is `given`."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.delenv("OUTLAST_SOCKET", raising=False)

    def run(*arguments: str, given: str = "") -> Ended:
        capsys.readouterr()
        file = tmp_path / "stdin"
        file.write_text(given)
        with file.open() as stdin:
            monkeypatch.setattr("sys.stdin", stdin)
            code = main.run(list(arguments))
        captured = capsys.readouterr()
        return Ended(code, captured.out, captured.err)

    return run


def known(outlast: Outlast, remote: Remote, name: str = "prod") -> None:
    ended = outlast("context", "add", name, remote.url, "--fingerprint", remote.fingerprint, given="outlast-api-00\n")
    assert ended.code == 0, ended.err


def test_a_context_is_added_by_fingerprint_and_the_commands_are_the_same(
    outlast: Outlast, remote: Remote, fake: FakeService
) -> None:
    known(outlast, remote)
    fake.answers["rule.list"] = Result([])
    assert outlast("rule", "list").out == "there is no rule yet\n", "the first one is in use at once"
    assert fake.requests[-1]["credential"] == "outlast-api-00"
    assert outlast("--cluster", "prod", "rule", "list").code == 0
    assert outlast("--cluster", remote.url, "rule", "list").code == 0, "its token is found by its address"


def test_nobody_else_can_read_the_token(outlast: Outlast, remote: Remote) -> None:
    known(outlast, remote)
    file = contexts.place()
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert "outlast-api-00" not in outlast("context", "list", "--json").out


def test_another_fingerprint_is_refused_and_none_is_told(outlast: Outlast, remote: Remote) -> None:
    wrong = outlast("context", "add", "prod", remote.url, "--fingerprint", "00" * 32, given="outlast-api-00\n")
    assert (wrong.code, "somebody may be between" in wrong.err) == (3, True)
    none = outlast("context", "add", "prod", remote.url, given="outlast-api-00\n")
    assert (none.code, f"--fingerprint {remote.fingerprint}" in none.err) == (2, True)
    assert contexts.read().known == ()


def test_who_is_of_another_authority_is_told_no_token(remote: Remote, fake: FakeService, tmp_path: Path) -> None:
    other, _ = FileWebCertificate(tmp_path).create_authority("c", "id")
    asked = len(fake.asked)
    with pytest.raises(ControlError, match="not believed") as refused:
        RemoteClient(Known("prod", (remote.url,), "outlast-api-00", other)).call("status", type=object)
    assert (refused.value.kind, len(fake.asked)) == ("no-contact", asked)


def test_what_was_refused_is_told_in_the_same_words_with_the_same_exit_code(
    outlast: Outlast, remote: Remote, fake: FakeService
) -> None:
    known(outlast, remote)
    for kind, code in (("usage", 2), ("impossible", 3), ("denied", 3), ("failed", 1)):
        fake.answers["rule.list"] = Refusal(kind, "the words")
        ended = outlast("rule", "list")
        assert (ended.code, ended.err) == (code, "outlast: the words\n")


def test_what_streams_streams(remote: Remote, fake: FakeService) -> None:
    client = RemoteClient(Known("prod", (remote.url,), "outlast-api-00", remote.authority))
    fake.answers["events.follow"] = Stream([1, 2])
    assert list(client.stream("events.follow", type=int)) == [1, 2]
    fake.answers["events.follow"] = Refusal("denied", "no")
    with pytest.raises(ControlError, match="no"):
        list(client.stream("events.follow", type=int))


def test_of_several_nodes_the_first_that_answers_is_asked(remote: Remote, fake: FakeService) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        gone = f"https://localhost:{closed.getsockname()[1]}"
    client = RemoteClient(Known("prod", (gone, remote.url), "outlast-api-00", remote.authority))
    fake.answers["status"] = Result({})
    assert client.call("status", type=dict) == {}
    lost = RemoteClient(Known("prod", (gone,), "outlast-api-00", remote.authority))
    with pytest.raises(ControlError, match="cannot reach the cluster prod"):
        lost.call("status", type=dict)


def test_who_did_not_answer_is_asked_last_from_then_on(remote: Remote, fake: FakeService) -> None:
    fake.answers["status"] = Result({})
    with socket.create_server(("127.0.0.1", 0)) as dying:
        met = threading.Semaphore(0)

        def hang_up() -> None:
            with suppress(OSError):
                while True:
                    dying.accept()[0].close()
                    met.release()

        threading.Thread(target=hang_up, daemon=True).start()
        first = f"https://localhost:{dying.getsockname()[1]}"
        client = RemoteClient(Known("prod", (first, remote.url), "outlast-api-00", remote.authority))
        for _ in range(3):
            client.call("status", type=object)
        assert met.acquire(timeout=STARTS_S)
        assert not met.acquire(blocking=False), "it was asked again"
        dying.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize(
    "words", [("lab", "list"), ("cluster", "leave"), ("vm", "create", "x"), ("sim", "seeds"), ("version",)]
)
def test_what_works_on_this_machine_alone_is_refused_for_another(outlast: Outlast, words: tuple[str, ...]) -> None:
    ended = outlast("--cluster", "https://n1:9443", *words)
    assert (ended.code, "on this machine alone" in ended.err) == (2, True)


def test_what_works_on_this_machine_alone_does_so_whichever_context_is_in_use(
    outlast: Outlast, remote: Remote, fake: FakeService
) -> None:
    known(outlast, remote)
    asked = len(fake.asked)
    ended = outlast("node", "before-shutdown")
    assert "control.sock" in ended.err
    assert len(fake.asked) == asked, "the cluster elsewhere was not asked to drain anything"


def test_contexts_are_listed_chosen_and_forgotten(outlast: Outlast, remote: Remote) -> None:
    known(outlast, remote)
    known(outlast, remote, "test")
    assert outlast("context", "use", "test").out == "test is asked from now on\n"
    listed = json.loads(outlast("context", "list", "--json").out)
    assert [(one["name"], one["current"]) for one in listed] == [("prod", False), ("test", True)]
    assert outlast("context", "use", "nowhere").code == 2
    assert outlast("context", "delete", "test").code == 0
    assert outlast("rule", "list").code == 4, "the one of this machine, which is no node"
    assert outlast("--cluster", "test", "rule", "list").code == 2


def test_an_address_needs_something_that_lets_one_in(
    outlast: Outlast, remote: Remote, fake: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "OUTLAST_TOKEN" in outlast("--cluster", remote.url, "rule", "list").err
    known(outlast, remote)
    monkeypatch.setenv("OUTLAST_TOKEN", "outlast-api-11")
    fake.answers["rule.list"] = Result([])
    assert outlast("--cluster", "prod", "rule", "list").code == 0
    assert fake.requests[-1]["credential"] == "outlast-api-11"


@pytest.mark.parametrize("url", ["http://n1:9443", "https://", "https://n1:x", "https://n1/path", "ftp://n1"])
def test_what_is_no_address_of_a_cluster(url: str) -> None:
    with pytest.raises(ControlError) as refused:
        place(url)
    assert refused.value.kind == "usage"


def test_the_authority_is_told_to_who_believes_nobody_yet(remote: Remote) -> None:
    assert authority(remote.url) == remote.authority
    assert place("n1") == ("n1", 9443)


def test_a_certificate_is_made_anew_when_its_names_or_its_authority_are_others(tmp_path: Path) -> None:
    maker = FileWebCertificate(tmp_path)
    certificate, key = maker.create_authority("c", "id")
    assert not maker.good(certificate, ("n1",))
    maker.renew(certificate, key, ("n1", "10.0.0.1"))
    assert maker.good(certificate, ("10.0.0.1", "n1"))
    assert not maker.good(certificate, ("n1", "10.0.0.2"))
    assert not maker.good(maker.create_authority("c", "id")[0], ("n1", "10.0.0.1"))
    assert (tmp_path / "web/key.pem").stat().st_mode & 0o777 == 0o640
    assert tls.context(tls.files(WebConfig(run_dir=str(tmp_path))))
