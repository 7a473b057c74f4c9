"""What is sent arrives whole and signed, and what the receiver says comes back in its own words: webhook, mail,
program, and the simulator's receiver alike.
"""

import asyncio
import email
import email.policy
import json
import os
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest
from receivers import SECRET, Hook, Post, Program, Receiver, Simulated

from outlast.adapters.web_certificate import FileWebCertificate
from outlast.core.notices.signing import signature
from outlast.model.event import Event
from outlast.model.notice import Notice, NoticeRule, Severity, Way
from outlast.ports.notices import NotTaken
from outlast.web import tls
from outlast.web.config import WebConfig

AT_S = 1_790_000_000.5
WEB = Event("1790000000000-n1-00001", AT_S, "n1", "failed", "web failed on n1: Schönheit kostet", group="web")
NOTICE = Notice(f"ops/{WEB.id}", "ops", "prod", Severity.CRITICAL, WEB.words, (WEB,))


def send(receiver: Receiver, rule: NoticeRule | None = None, notice: Notice = NOTICE, timeout_s: float = 10.0) -> str:
    return asyncio.run(receiver.receivers.send(rule or receiver.rule, notice, at_s=AT_S, timeout_s=timeout_s))


def refused(receiver: Receiver, rule: NoticeRule | None = None, timeout_s: float = 10.0) -> str:
    with pytest.raises(NotTaken) as error:
        send(receiver, rule, timeout_s=timeout_s)
    return str(error.value)


def changed(rule: NoticeRule, **parameters: str) -> NoticeRule:
    return msgspec.structs.replace(rule, parameters={**rule.parameters, **parameters})


# --- all of them ------------------------------------------------------------------------------------------------------


@pytest.fixture(params=["webhook", "mail", "command", "simulated"])
def receiver(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Receiver]:
    makers: dict[str, Any] = {
        "webhook": Hook, "mail": Post, "command": lambda: Program(tmp_path), "simulated": Simulated
    }  # fmt: skip
    made: Receiver = makers[request.param]()
    yield made
    made.close()


def test_what_is_taken_is_there_once_and_the_answer_comes_back(receiver: Receiver) -> None:
    assert send(receiver)
    assert receiver.taken() == [NOTICE.id]


def test_a_refusal_comes_back_in_the_receivers_own_words(receiver: Receiver) -> None:
    receiver.refuse("the pager is out of paper")
    assert "the pager is out of paper" in refused(receiver)


def test_who_does_not_answer_in_time_is_not_waited_for(receiver: Receiver) -> None:
    if not isinstance(receiver, Simulated):
        receiver.hang()
        began = time.monotonic()
        assert "no answer within 0.5 s" in refused(receiver, timeout_s=0.5)
        assert time.monotonic() - began < 10


# --- a webhook --------------------------------------------------------------------------------------------------------


@pytest.fixture
def hook() -> Iterator[Hook]:
    made = Hook()
    yield made
    made.close()


def test_a_webhook_is_signed_over_the_time_and_the_body_as_sent(hook: Hook) -> None:
    assert send(hook, changed(hook.rule, url=f"http://127.0.0.1:{hook.port}/a/b?c=d")) == "200 OK: noted"
    [(path, headers, body)] = hook.sent
    assert path == "/a/b?c=d"
    assert headers["Outlast-Timestamp"] == "1790000000"
    assert headers["Outlast-Signature"] == signature(SECRET, 1790000000, body)
    assert headers["Outlast-Notice"] == NOTICE.id
    assert headers["Content-Type"] == "application/json"
    assert json.loads(body)["words"] == WEB.words


def test_a_fault_in_sending_ends_nothing_but_that_try(hook: Hook) -> None:
    """What nobody has foreseen: here a rule without what it is signed with."""
    rule = msgspec.structs.replace(hook.rule, parameters={"url": hook.rule.parameters["url"]})
    assert "a fault in sending it" in refused(hook, rule)


def test_what_is_redirected_goes_nowhere_else(hook: Hook) -> None:
    other = Hook()
    hook.status, hook.headers = 307, {"Location": f"http://127.0.0.1:{other.port}/"}
    try:
        assert refused(hook).startswith("it answered 307")
        assert other.sent == []
    finally:
        other.close()


def test_how_long_it_asks_to_be_left_alone_is_heard(hook: Hook) -> None:
    hook.status, hook.headers = 429, {"Retry-After": "120"}
    with pytest.raises(NotTaken) as error:
        send(hook)
    assert error.value.asked_s == 120.0


def test_a_receiver_that_repeats_a_secret_betrays_none(hook: Hook) -> None:
    hook.refuse(f"wrong token very-secret-token for {SECRET}\x1b[2J")
    words = refused(hook, changed(hook.rule, bearer="very-secret-token"))
    assert words == "it answered 500 Internal Server Error: wrong token *** for *** [2J"
    assert hook.sent[0][1]["Authorization"] == "Bearer very-secret-token"


def test_an_endless_answer_is_not_read_to_its_end(hook: Hook) -> None:
    hook.says = "x" * 10_000_000
    assert len(send(hook)) <= 300


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://127.0.0.1:1/", "127.0.0.1 cannot be reached"),
        ("http://there-is-no.invalid/", "cannot be reached"),
        (f"http://{'x' * 70}.example/", "there can be no host of that name"),
    ],
)
def test_who_is_not_there_is_said_not_to_be(hook: Hook, url: str, words: str) -> None:
    assert words in refused(hook, changed(hook.rule, url=url))


def test_what_is_no_http_is_no_answer() -> None:
    async def play() -> str:
        async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"220 mail.example ESMTP\r\n")
            writer.close()

        server = await asyncio.start_server(babble, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        rule = NoticeRule("ops", Way.WEBHOOK, {"url": f"http://127.0.0.1:{port}/", "secret": SECRET})
        async with server:
            with pytest.raises(NotTaken) as error:
                await Hook.receivers.send(rule, NOTICE, at_s=AT_S, timeout_s=10.0)
        return str(error.value)

    assert "does not speak HTTP" in asyncio.run(play())


@dataclass(frozen=True)
class Vouched:
    """A certificate for localhost, and who vouches for it."""

    context: ssl.SSLContext
    authority: str


@pytest.fixture
def vouched(tmp_path: Path) -> Vouched:
    maker = FileWebCertificate(tmp_path)
    certificate, key = maker.create_authority("c", "id")
    maker.renew(certificate, key, ("localhost",))
    (tmp_path / "authority.pem").write_text(certificate)
    return Vouched(tls.context(tls.files(WebConfig(run_dir=str(tmp_path)))), str(tmp_path / "authority.pem"))


def test_only_who_is_vouched_for_gets_anything(vouched: Vouched) -> None:
    hook = Hook(vouched.context)
    try:
        good = changed(hook.rule, url=f"https://localhost:{hook.port}/", ca=vouched.authority)
        assert send(hook, good) == "200 OK: noted"
        assert "its certificate is not believed" in refused(hook, changed(good, ca=""))
        assert "its certificate is not believed" in refused(hook, changed(good, url=f"https://127.0.0.1:{hook.port}/"))
        assert "cannot read the authorities in /nowhere" in refused(hook, changed(good, ca="/nowhere"))
        assert len(hook.sent) == 1
    finally:
        hook.close()


# --- mail -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def post() -> Iterator[Post]:
    made = Post(auth_require_tls=False)
    yield made
    made.close()


def test_a_mail_says_what_happened_in_its_subject_and_is_known_again_by_its_id(post: Post) -> None:
    told = send(post, changed(post.rule, to="ops@example.org, night@example.org"))
    assert told == "127.0.0.1 has accepted it for ops@example.org, night@example.org"
    [envelope] = post.mails
    assert envelope.rcpt_tos == ["ops@example.org", "night@example.org"]
    mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
    assert mail["Subject"] == f"[prod] critical: {WEB.words}"
    assert mail["Message-ID"] == f"<ops.{WEB.id}@example.org>"
    assert mail["Auto-Submitted"] == "auto-generated"
    body = mail.get_body()
    assert body is not None
    assert "outlast explain group web" in body.get_content()


def test_words_of_a_guest_make_no_headers(post: Post) -> None:
    words = "QEMU said:\r\nBcc: everybody@example.org\r\n\r\nhello"
    send(post, notice=msgspec.structs.replace(NOTICE, words=words))
    mail = email.message_from_bytes(post.mails[0].content, policy=email.policy.default)
    assert mail["Bcc"] is None
    assert mail["Subject"].endswith("QEMU said: Bcc: everybody@example.org hello")


def test_a_wrong_password_is_told_without_it(vouched: Vouched) -> None:
    post = Post(tls_context=vouched.context, auth_required=True)
    try:
        starttls = {"server": f"localhost:{post.port}", "security": "starttls", "ca": vouched.authority}
        rule = changed(post.rule, **starttls, user="cluster", password="for nobody")
        words = refused(post, rule)
        assert "535" in words
        assert "for nobody" not in words
        assert "has accepted it" in send(post, changed(rule, password="for few only"))
        assert "its certificate is not believed" in refused(post, changed(rule, ca=""))
        assert {one.password for one in post.signed_in} == {b"for nobody", b"for few only"}
    finally:
        post.close()


def test_no_password_goes_to_a_server_that_does_not_encrypt(post: Post) -> None:
    words = refused(post, changed(post.rule, security="starttls", user="cluster", password="for few only"))
    assert "STARTTLS" in words
    assert post.signed_in == []


# --- a program --------------------------------------------------------------------------------------------------------


@pytest.fixture
def program(tmp_path: Path) -> Program:
    return Program(tmp_path)


def test_a_program_gets_its_arguments_as_they_are_and_an_environment_of_its_own(program: Program) -> None:
    os.environ["A_SECRET_OF_THE_SERVICE"] = "x"
    program.write('print(sys.argv[1:], sorted(name for name in os.environ if "O" in name))')
    told = send(program, changed(program.rule, arguments="--team 'night shift' '$HOME; id' *"))
    del os.environ["A_SECRET_OF_THE_SERVICE"]
    assert "['--team', 'night shift', '$HOME; id', '*']" in told
    assert "OUTLAST_NOTICE" in told
    assert "A_SECRET" not in told


def test_a_program_that_others_could_change_is_not_run(program: Program) -> None:
    program.path.chmod(0o722)
    assert "others than root can change it" in refused(program)
    program.path.chmod(0o600)
    assert "it is no file that can be executed" in refused(program)
    program.path.unlink()
    assert "No such file or directory" in refused(program)
    assert program.taken() == []


def test_a_program_that_hangs_is_killed_with_what_it_has_started(program: Program) -> None:
    program.write('if os.fork() == 0: open("child", "w").write(str(os.getpid()))\ntime.sleep(30)')
    assert "no answer within" in refused(program, timeout_s=3.0)
    child = int((program.directory / "child").read_text())
    until = time.monotonic() + 10
    while time.monotonic() < until and _lives(child):
        time.sleep(0.01)
    assert not _lives(child)


def _lives(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_program_that_does_not_listen_is_told_all_the_same(program: Program) -> None:
    program.write("os.close(0); print('fine')")
    assert (
        send(program, notice=msgspec.structs.replace(NOTICE, words="x" * 1_000_000))
        == "it ended with exit code 0: fine"
    )
