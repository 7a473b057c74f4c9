"""Does the client work with certificates, users and roles, and does it say what is wrong when they do not fit?

Users' tokens are short-lived here, and members forget them when they are started again.
"""

import asyncio
import base64
import shutil
import ssl
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from database_steps import SOON_S, after, contents, put

from etcd_members import EtcdCluster, etcd_cluster
from outlast.adapters import pki
from outlast.adapters.etcd import Client, EtcdDatabase, EtcdMembers
from outlast.ports.database import Put, Unavailable

HANG_S = 90.0
TOKEN_S = 2


class Files:
    """An authority, and certificates by it, as the product makes them."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        authority, self._authority_key = pki.create_authority("test", "1", datetime.now(UTC))
        self._authority = authority
        self.ca = self._write("ca.crt", authority)
        self.certificate, self.key = self.make("node", "n1", "127.0.0.1")
        self.password = self._write("password", "secret\n")
        self.wrong_password = self._write("wrong", "guess\n")

    def make(self, stem: str, *names: str) -> tuple[str, str]:
        key = pki.create_key()
        certificate = pki.sign(self._authority, self._authority_key, pki.create_request(key), names, datetime.now(UTC))
        return self._write(f"{stem}.crt", certificate), self._write(f"{stem}.key", key)

    def _write(self, name: str, text: str) -> str:
        (self.directory / name).write_text(text)
        return str(self.directory / name)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return Files(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="module")
def guarded(files: Files) -> Iterator[EtcdCluster]:
    """Certificates on both sides, and a user that may do everything below `mine/` and nothing else."""
    if shutil.which("etcd") is None:
        pytest.skip("there is no etcd on this machine; install the package etcd-server")
    tls = ssl.create_default_context(cafile=files.ca)
    tls.load_cert_chain(files.certificate, files.key)
    extra = (
        f"--cert-file={files.certificate}",
        f"--key-file={files.key}",
        f"--trusted-ca-file={files.ca}",
        "--client-cert-auth",
        f"--auth-token-ttl={TOKEN_S}",
        "--bcrypt-cost=4",
    )
    with etcd_cluster(tls=tls, extra=extra) as cluster:

        def call(path: str, **body: Any) -> None:
            cluster.call(cluster.members[0], f"auth/{path}", **body)

        call("role/add", name="outlast")
        everything_below = {
            "permType": "READWRITE",
            "key": base64.b64encode(b"mine/").decode(),
            "range_end": base64.b64encode(b"mine0").decode(),
        }
        call("role/grant", name="outlast", perm=everything_below)
        call("role/add", name="root")
        for user, role in (("outlast", "outlast"), ("root", "root")):
            call("user/add", name=user, password="secret")
            call("user/grant", user=user, role=role)
        call("enable")
        yield cluster


def play(story: Callable[[EtcdDatabase], Awaitable[None]], cluster: EtcdCluster, files: Files, **changed: str) -> None:
    access = {
        "prefix": "mine/",
        "ca": files.ca,
        "certificate": files.certificate,
        "key": files.key,
        "user": "outlast",
        "password_file": files.password,
    }

    async def main() -> None:
        async with asyncio.timeout(HANG_S):
            database = EtcdDatabase(Client(cluster.urls, **{**access, **changed}))
            try:
                await story(database)
            finally:
                await database.close()

    asyncio.run(main())


async def refused(database: EtcdDatabase) -> str:
    with pytest.raises(Unavailable) as why:
        await database.read("", timeout_s=1.0)
    with pytest.raises(Unavailable):
        await database.transact([], [Put("k", b"")], timeout_s=1.0)
    return str(why.value)


def test_a_user_of_a_role_for_our_prefix_can_do_all_that_is_needed(guarded: EtcdCluster, files: Files) -> None:
    async def story(database: EtcdDatabase) -> None:
        revision = await put(database, k=b"1")
        batches = database.watch("", revision)
        later = await put(database, k=b"2")
        assert (await after(batches)).revision == later
        assert await contents(database) == {"k": b"2"}
        await database.compact(revision, timeout_s=SOON_S)
        members = EtcdMembers(database._client)
        assert {member.name for member in await members.list(timeout_s=SOON_S)} == {"m1", "m2", "m3"}

    play(story, guarded, files)


def test_a_token_that_expired_or_was_forgotten_is_renewed_and_nobody_notices(
    guarded: EtcdCluster, files: Files
) -> None:
    async def story(database: EtcdDatabase) -> None:
        before = database._client.access._token
        revision = await put(database, k=b"1")
        first = database._client.access._token
        batches = database.watch("", revision)
        await asyncio.sleep(2 * TOKEN_S)  # until it has certainly expired
        later = await put(database, k=b"2")
        assert (await after(batches)).revision == later
        for member in guarded.members:
            member.kill()
            member.restart()
        guarded.wait_for_leader()
        assert await contents(database) == {"k": b"2"}
        last = await put(database, k=b"3")
        assert (await after(batches)).revision == last
        assert before == "" != first != database._client.access._token

    play(story, guarded, files)


def test_who_may_not_use_our_prefix_is_told_so(guarded: EtcdCluster, files: Files) -> None:
    async def story(database: EtcdDatabase) -> None:
        assert "whose role may read and write" in await refused(database)

    play(story, guarded, files, prefix="yours/")


def test_a_wrong_password_is_told(guarded: EtcdCluster, files: Files) -> None:
    async def story(database: EtcdDatabase) -> None:
        assert "does not accept the user's password" in await refused(database)

    play(story, guarded, files, password_file=files.wrong_password)


def test_a_missing_user_is_told(guarded: EtcdCluster, files: Files) -> None:
    async def story(database: EtcdDatabase) -> None:
        assert "set `user`" in await refused(database)

    play(story, guarded, files, user="")


def test_a_password_that_cannot_be_read_is_told(guarded: EtcdCluster, files: Files) -> None:
    async def story(database: EtcdDatabase) -> None:
        assert "cannot read the password in /nowhere" in await refused(database)

    play(story, guarded, files, password_file="/nowhere")


def test_an_etcd_that_our_authority_does_not_know_is_not_talked_to(
    guarded: EtcdCluster, files: Files, tmp_path: Path
) -> None:
    async def story(database: EtcdDatabase) -> None:
        assert "CERTIFICATE_VERIFY_FAILED" in await refused(database)

    play(story, guarded, files, ca=Files(tmp_path).ca)


def test_a_client_without_a_certificate_of_the_authority_gets_nothing(
    guarded: EtcdCluster, files: Files, tmp_path: Path
) -> None:
    async def story(database: EtcdDatabase) -> None:
        await refused(database)

    stranger = Files(tmp_path)
    play(story, guarded, files, certificate=stranger.certificate, key=stranger.key)
    play(story, guarded, files, certificate="", key="")


def test_a_certificate_that_was_renewed_on_disk_is_used_for_the_next_connection(
    guarded: EtcdCluster, files: Files, tmp_path: Path
) -> None:
    stranger = Files(tmp_path)

    async def story(database: EtcdDatabase) -> None:
        await refused(database)
        shutil.copy(files.key, stranger.key)
        shutil.copy(files.certificate, stranger.certificate)
        await put(database, k=b"now")

    play(story, guarded, files, certificate=stranger.certificate, key=stranger.key)


def test_a_missing_certificate_is_told_with_its_path(guarded: EtcdCluster, files: Files) -> None:
    async def story(database: EtcdDatabase) -> None:
        assert "/nowhere/ca.crt" in await refused(database)

    play(story, guarded, files, ca="/nowhere/ca.crt")
