"""The contract of the links between services, kept over TCP; and what only real connections can show."""

import asyncio
import os
import shutil
import socket
import ssl
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from peers_contract import SOON_S, PeersContract, Story, echo

from outlast.adapters import pki
from outlast.adapters.peers import Certificates, TcpPeers, WrongAuthority, ask_as_stranger
from outlast.adapters.peers.links import MOST_STRANGERS
from outlast.adapters.peers.wire import split_address
from outlast.ports.peers import NotAnswered, PeerUnreachable

HERE = "127.0.0.1"


class Authority:
    """A cluster's own, with its files."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir()
        self.certificate, self._key = pki.create_authority("test", "1", datetime.now(UTC))
        (directory / "ca").write_text(self.certificate)

    @property
    def fingerprint(self) -> bytes:
        return pki.fingerprint(self.certificate)

    def issue(self, node: str, *, days: float = 1.0) -> Certificates:
        """Written over the node's last one, as a renewal is."""
        key = pki.create_key()
        signed = pki.sign(
            self.certificate, self._key, pki.create_request(key), [node, HERE], datetime.now(UTC), days=days
        )
        files = self.directory / f"{node}.crt", self.directory / f"{node}.key"
        for path, text in zip(files, (signed, key), strict=True):
            path.with_suffix(".new").write_text(text)
            os.replace(path.with_suffix(".new"), path)
        return Certificates(str(self.directory / "ca"), str(files[0]), str(files[1]))


class TcpStage:
    """`authority` None: without certificates."""

    def __init__(self, authority: Authority | None) -> None:
        self.authority = authority
        self.a = TcpPeers("a", certificates=self.of("a"))
        self.b = TcpPeers("b", certificates=self.of("b"), host=HERE, port=0)
        self._serving: asyncio.Task[None] | None = None

    def of(self, node: str) -> Certificates | None:
        return self.authority.issue(node) if self.authority is not None else None

    @property
    def address(self) -> str:
        return f"{HERE}:{self.b.port}"

    async def ask(self, topic: str, question: bytes = b"", *, timeout_s: float = SOON_S) -> bytes:
        return await self.a.ask("b", self.address, topic, question, timeout_s=timeout_s)

    async def ask_as_stranger(self, topic: str, question: bytes = b"") -> bytes:
        if self.authority is None:
            return await TcpPeers("").ask("b", self.address, topic, question, timeout_s=SOON_S)
        fingerprint = self.authority.fingerprint
        return await ask_as_stranger(self.address, topic, question, fingerprint=fingerprint, timeout_s=SOON_S)

    async def end_b(self) -> None:
        assert self._serving is not None
        self._serving.cancel()
        with suppress(asyncio.CancelledError):
            await self._serving

    async def begin_b(self) -> None:
        self.b = TcpPeers("b", certificates=self.of("b"), host=HERE, port=self.b.port)
        self._serving = asyncio.ensure_future(self.b.serve())
        await self.b.listening.wait()


def play(stage_of: Callable[[Path], TcpStage], story: Callable[[Any], Awaitable[None]]) -> None:
    async def main(directory: Path) -> None:
        stage = stage_of(directory)
        async with asyncio.timeout(60):
            await stage.begin_b()
            await story(stage)
            await stage.end_b()

    directory = Path(tempfile.mkdtemp(prefix="outlast-peers-"))
    try:
        asyncio.run(main(directory))
    finally:
        shutil.rmtree(directory)


def with_certificates(directory: Path) -> TcpStage:
    return TcpStage(Authority(directory / "pki"))


class TestPlainPeers(PeersContract):
    def play(self, story: Story) -> None:
        play(lambda _: TcpStage(None), story)


class TestPeersWithCertificates(PeersContract):
    def play(self, story: Story) -> None:
        play(with_certificates, story)


def test_who_answers_at_a_nodes_address_must_be_that_node() -> None:
    async def story(stage: TcpStage) -> None:
        stage.b.answer("echo", echo)
        with pytest.raises(PeerUnreachable, match="certificate is not accepted"):
            await stage.a.ask("c", stage.address, "echo", b"", timeout_s=SOON_S)

    play(with_certificates, story)


def test_without_certificates_too_a_question_for_another_node_is_not_answered() -> None:
    async def story(stage: TcpStage) -> None:
        stage.b.answer("echo", echo)
        with pytest.raises(NotAnswered, match="this is b, not c"):
            await stage.a.ask("c", stage.address, "echo", b"", timeout_s=SOON_S)

    play(lambda _: TcpStage(None), story)


def test_a_node_of_another_cluster_gets_no_answer_and_gives_none() -> None:
    async def story(stage: TcpStage) -> None:
        assert stage.authority is not None
        stage.b.answer("echo", echo, strangers=True)
        other = Authority(stage.authority.directory / "other")
        foreigner = TcpPeers("a", certificates=other.issue("a"))
        with pytest.raises(PeerUnreachable):
            await foreigner.ask("b", stage.address, "echo", b"", timeout_s=SOON_S)
        # Nor when it trusts the authority of b, and only its own certificate is another cluster's.
        mixed = Certificates(
            str(stage.authority.directory / "ca"), str(other.directory / "a.crt"), str(other.directory / "a.key")
        )
        with pytest.raises(PeerUnreachable):
            await TcpPeers("a", certificates=mixed).ask("b", stage.address, "echo", b"", timeout_s=SOON_S)

    play(with_certificates, story)


def test_a_certificate_that_has_expired_is_no_certificate() -> None:
    async def story(stage: TcpStage) -> None:
        assert stage.authority is not None
        stage.b.answer("echo", echo)
        late = TcpPeers("a", certificates=stage.authority.issue("a", days=-0.5))
        with pytest.raises(PeerUnreachable):
            await late.ask("b", stage.address, "echo", b"", timeout_s=SOON_S)

    play(with_certificates, story)


def test_a_renewed_certificate_is_used_without_a_restart() -> None:
    async def story(stage: TcpStage) -> None:
        assert stage.authority is not None
        stage.b.answer("echo", echo)
        before = await shown_certificate(stage)
        stage.authority.issue("b")
        assert await stage.ask("echo", b"1") == b"a: 1"
        assert await shown_certificate(stage) != before

    play(with_certificates, story)


def test_certificates_that_were_replaced_by_something_broken_leave_the_old_ones_in_use() -> None:
    async def story(stage: TcpStage) -> None:
        assert stage.authority is not None
        stage.b.answer("echo", echo)
        before = await shown_certificate(stage)
        (stage.authority.directory / "b.crt").write_text("half of a certif")
        assert await shown_certificate(stage) == before
        assert await stage.ask("echo", b"1") == b"a: 1"

    play(with_certificates, story)


async def shown_certificate(stage: TcpStage) -> bytes:
    """What b shows to a new connection."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    _, writer = await asyncio.open_connection(HERE, stage.b.port, ssl=context)
    found: bytes = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.transport.abort()
    return found


def test_older_versions_of_tls_are_not_spoken() -> None:
    async def story(stage: TcpStage) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await asyncio.open_connection(HERE, stage.b.port, ssl=context)

    play(with_certificates, story)


def test_a_token_for_another_cluster_leads_nowhere() -> None:
    async def story(stage: TcpStage) -> None:
        stage.b.answer("enrol", echo, strangers=True)
        with pytest.raises(WrongAuthority, match="not the one that the token is for"):
            await ask_as_stranger(stage.address, "enrol", b"secret", fingerprint=b"\x00" * 32, timeout_s=SOON_S)

    play(with_certificates, story)


def test_who_only_shows_the_authority_of_a_cluster_is_not_of_it_and_never_hears_what_was_asked() -> None:
    """The authority's certificate is no secret: an impostor can show it, but has no key that it signed."""
    heard: list[bytes] = []

    async def listen(asker: str, question: bytes) -> bytes:
        heard.append(question)
        return b""

    async def story(stage: TcpStage) -> None:
        assert stage.authority is not None
        own = Authority(stage.authority.directory / "impostor")
        own.issue("b")
        shown = Certificates(
            str(stage.authority.directory / "ca"), str(own.directory / "b.crt"), str(own.directory / "b.key")
        )
        impostor = TcpPeers("b", certificates=shown, host=HERE, port=0)
        impostor.answer("enrol", listen, strangers=True)
        serving = asyncio.ensure_future(impostor.serve())
        await impostor.listening.wait()
        with pytest.raises(WrongAuthority):
            await ask_as_stranger(
                f"{HERE}:{impostor.port}", "enrol", b"secret", fingerprint=stage.authority.fingerprint, timeout_s=SOON_S
            )
        assert heard == []
        serving.cancel()

    play(with_certificates, story)


def test_many_silent_strangers_keep_no_node_out() -> None:
    async def story(stage: TcpStage) -> None:
        stage.b.answer("echo", echo)
        silent = [await asyncio.open_connection(HERE, stage.b.port) for _ in range(3 * MOST_STRANGERS)]
        assert await stage.ask("echo", b"1", timeout_s=SOON_S) == b"a: 1"
        for reader, _ in silent[:MOST_STRANGERS]:
            with suppress(ConnectionError):
                assert await reader.read() == b"", "the oldest are dropped"
        for _, writer in silent:
            writer.transport.abort()

    play(with_certificates, story)


@pytest.mark.parametrize("nonsense", [b"GET / HTTP/1.0\r\n\r\n", b"\xff" * 4000, b"\x00\x00\x00\x03abc", b"\x00"])
def test_nonsense_ends_its_own_connection_and_nothing_else(nonsense: bytes) -> None:
    async def story(stage: TcpStage) -> None:
        stage.b.answer("echo", echo)
        _, writer = await asyncio.open_connection(HERE, stage.b.port)
        writer.write(nonsense)
        writer.write_eof()
        assert await stage.ask("echo", b"1") == b"a: 1"
        writer.transport.abort()

    play(with_certificates, story)
    play(lambda _: TcpStage(None), story)


def test_a_long_question_of_a_stranger_is_not_even_read() -> None:
    async def story(stage: TcpStage) -> None:
        stage.b.answer("enrol", echo, strangers=True)
        with pytest.raises(PeerUnreachable):
            await stage.ask_as_stranger("enrol", b"x" * 100_000)

    play(with_certificates, story)


def test_a_handler_that_fails_is_a_refusal_and_the_service_goes_on() -> None:
    async def fail(asker: str, question: bytes) -> bytes:
        raise KeyError("what a stranger made up")

    async def story(stage: TcpStage) -> None:
        stage.b.answer("enrol", fail, strangers=True)
        stage.b.answer("echo", echo)
        with pytest.raises(NotAnswered, match="led to an error"):
            await stage.ask_as_stranger("enrol")
        assert await stage.ask("echo", b"1") == b"a: 1"

    play(with_certificates, story)


def test_a_port_that_is_taken_is_tried_again_until_it_is_free() -> None:
    async def story(stage: TcpStage) -> None:
        taken = socket.create_server((HERE, 0))
        late = TcpPeers("c", host=HERE, port=taken.getsockname()[1])
        late.answer("echo", echo)
        serving = asyncio.ensure_future(late.serve())
        await asyncio.sleep(0)
        assert not late.listening.is_set()
        taken.close()
        await late.listening.wait()
        assert await stage.a.ask("c", f"{HERE}:{late.port}", "echo", b"", timeout_s=SOON_S) == b"a: "
        serving.cancel()

    play(lambda _: TcpStage(None), story)


@pytest.mark.parametrize(
    ("address", "parts"),
    [
        ("n2", ("n2", 7405)),
        ("192.0.2.1:99", ("192.0.2.1", 99)),
        ("2001:db8::1", ("2001:db8::1", 7405)),
        ("[2001:db8::1]:99", ("2001:db8::1", 99)),
        ("[2001:db8::1]", ("2001:db8::1", 7405)),
    ],
)
def test_an_address_may_bear_a_port(address: str, parts: tuple[str, int]) -> None:
    assert split_address(address) == parts
