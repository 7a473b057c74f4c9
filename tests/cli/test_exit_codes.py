"""Exit codes are a contract: 0 done, 1 failed, 2 wrong usage or input, 3 not possible now, 4 no contact."""

import json
import os
import subprocess
import sys
from pathlib import Path

import healthy
import pytest

from command_line import Outlast
from fake_service import Broken, FakeService, Refusal, Result
from outlast.client.control import DEFAULT_CONFIG, DEFAULT_SOCKET, EXIT_CODES

pytest_plugins = ("cli_fixtures",)


def test_what_is_done_ends_with_0(fake: FakeService, outlast: Outlast) -> None:
    fake.answers["node.pause"] = Result("n2 is paused")
    ended = outlast("node", "pause", "n2")
    assert (ended.code, ended.out, ended.err) == (0, "n2 is paused\n", "")


@pytest.mark.parametrize("kind", ["failed", "usage", "impossible"])
def test_each_kind_of_refusal_has_its_exit_code_and_keeps_its_words(
    fake: FakeService, outlast: Outlast, kind: str
) -> None:
    fake.answers["node.pause"] = Refusal(kind, "n2 cannot be paused: [so it is]")
    ended = outlast("node", "pause", "n2")
    assert (ended.code, ended.out) == (EXIT_CODES[kind], "")
    assert ended.err == "outlast: n2 cannot be paused: [so it is]\n"


def test_an_error_is_json_on_stderr_when_json_was_asked_for(fake: FakeService, outlast: Outlast) -> None:
    fake.answers["node.pause"] = Refusal("impossible", "not now")
    for arguments in (("--json", "node", "pause", "n2"), ("node", "pause", "n2", "--json")):
        ended = outlast(*arguments)
        assert (ended.code, ended.out) == (3, "")
        assert json.loads(ended.err) == {"error": {"kind": "impossible", "message": "not now"}}


def test_without_a_service_there_is_no_contact(outlast: Outlast, tmp_path: Path) -> None:
    ended = outlast("--socket", str(tmp_path / "none.sock"), "status")
    assert ended.code == 4
    assert "cannot reach the cluster service" in ended.err
    assert "Is outlastd running here?" in ended.err


def test_a_machine_that_is_no_node_is_told_how_it_becomes_one(outlast: Outlast) -> None:
    if Path(DEFAULT_SOCKET).exists() or Path(DEFAULT_CONFIG).exists():
        pytest.skip("this machine is a node")
    ended = outlast("--socket", DEFAULT_SOCKET, "status")
    assert ended.code == 4
    assert "This machine is no node: `outlast cluster create`" in ended.err


def test_a_wrong_address_of_an_etcd_is_wrong_input(outlast: Outlast) -> None:
    ended = outlast("cluster", "create", "--name", "prod", "--etcd-endpoints", "10.0.0.1:2379")
    assert (ended.code, ended.out) == (2, "")
    assert 'outlast: "10.0.0.1:2379" is no address of etcd' in ended.err


def test_the_control_socket_is_named_before_the_noun_in_two_ways(
    fake: FakeService, outlast: Outlast, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.answers["node.pause"] = Result("n2 is paused")
    monkeypatch.setenv("OUTLAST_SOCKET", "/nowhere")
    path = str(fake.path)
    for arguments in (("--socket", path), (f"--socket={path}",), ("--json", "--socket", path)):
        assert outlast(*arguments, "node", "pause", "n2").code == 0
    assert outlast("--socket").code == 2


@pytest.mark.parametrize("sent", [b"", b'{"item": 1}\n'])
def test_a_service_that_hangs_up_is_no_contact(fake: FakeService, outlast: Outlast, sent: bytes) -> None:
    fake.answers["status"] = Broken(sent)
    ended = outlast("status")
    assert ended.code == 4
    assert "closed the connection" in ended.err


def test_a_service_that_ends_while_a_command_waits_has_written_the_wish_down(
    fake: FakeService, outlast: Outlast
) -> None:
    fake.answers |= {"group.offline": Result(healthy.group(settled=False)), "group.wait": Broken()}
    ended = outlast("group", "offline", "web")
    assert ended.code == 4
    assert "What you asked for is written down: the cluster goes on with it" in ended.err


def test_an_answer_of_another_form_is_said_to_be_one_of_another_version(fake: FakeService, outlast: Outlast) -> None:
    for broken in (Result({"nodes": 3}), Broken(b"no json\n"), Broken(b'{"error": "x"}\n')):
        fake.answers["status"] = broken
        ended = outlast("status")
        assert ended.code == 1
        assert "of one version?" in ended.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("statsu",), 'there is no command "statsu"; did you mean status?'),
        (("xyzzy",), 'there is no command "xyzzy"; outlast --help lists them'),
        (("vm", "mov", "web"), "did you mean 'move'"),
        (("vm", "move"), "missing argument 'VM'"),
        (("vm", "move", "web", "--too", "n1"), "--to"),
        (("vm", "start", "web", "--wait", "soon"), "--wait"),
        (("vm", "start", "web", "--wait", "-1"), "--wait"),
        (("vm", "protect"), "say which VM"),
        (("vm", "protect", "web", "--xml", "x.xml"), "say which VM"),
        (("vm", "protect", "--xml", "/nowhere/x.xml"), "cannot read the definition /nowhere/x.xml: No such file"),
        (("group", "set", "web"), "nothing to set for web"),
        (("group", "set", "web", "failover_threshold"), "it takes KEY=VALUE"),
        (("resource", "set", "web"), "nothing to set for web"),
        (("events", "--limit", "0"), "--limit 0 shows nothing"),
    ],
)
def test_wrong_usage_ends_with_2_says_what_is_wrong_and_asks_the_cluster_nothing(
    fake: FakeService, outlast: Outlast, arguments: tuple[str, ...], words: str
) -> None:
    ended = outlast(*arguments)
    assert ended.code == 2
    assert words.lower() in ended.err.lower()
    assert fake.asked == []
    in_json = outlast("--json", *arguments)
    assert in_json.code == 2
    assert json.loads(in_json.err)["error"]["kind"] == "usage"


def test_the_whole_program_ends_with_these_codes_too(fake: FakeService) -> None:
    fake.answers["status"] = Refusal("impossible", "the database does not answer")
    ended = _program(fake, "status")
    assert (ended.returncode, ended.stdout) == (3, "")
    assert ended.stderr == "outlast: the database does not answer\n"


def test_a_reader_that_has_gone_is_no_reason_for_a_traceback(fake: FakeService) -> None:
    fake.answers["group.list"] = Result([healthy.group(f"vm{number}") for number in range(3000)])
    with subprocess.Popen(
        [sys.executable, "-m", "outlast.cli.main", "group", "list"],
        env=_environment(fake),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as program:
        assert program.stdout is not None
        assert program.stderr is not None
        assert program.stdout.readline().startswith(b"group")
        program.stdout.close()
        assert program.stderr.read() == b""
        assert program.wait(timeout=60) == 1


def _program(fake: FakeService, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "outlast.cli.main", *arguments],
        env=_environment(fake),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def _environment(fake: FakeService) -> dict[str, str]:
    # Unbuffered, Python itself loses the end of a write that its reader cuts off, and does not notice.
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    return inherited | {"OUTLAST_SOCKET": str(fake.path)}


def test_a_look_at_the_status_does_not_wait_for_what_it_does_not_need() -> None:
    words = "import sys; from outlast.cli import main; main.run(['--socket=/nowhere', '--json', 'status']); "
    heavy = (
        "print([name for name in ('pydantic', 'rich', 'outlast.sim', 'outlast.lab', 'libvirt') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", words + heavy], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "[]\n"
