"""What is written on a machine that is set up, and what is refused before anything is."""

import asyncio
import shutil
import socket
import subprocess
import tomllib
from pathlib import Path

import msgspec
import pytest

from outlast.adapters.load import FILE as LOAD
from outlast.core.joining import tokens
from outlast.ports.members import FIRST_START, Start
from outlast.service.config import EtcdConfig, MemberConfig, NodeConfig, PeersConfig
from outlast.setup import checks, programs, writing
from outlast.setup.create import endpoints
from outlast.setup.join import Gate
from outlast.setup.machine import DRAIN, MEMBER, SERVICE, WEB, WITNESS, Machine, Mark, SetupError, one_at_a_time

CLUSTER = writing.Cluster("demo", "4711", 2.0, EtcdConfig(("https://10.0.0.1:2379",), ca="/ca"), True)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path, f"s6:{tmp_path}/no-services")


def test_the_settings_that_are_written_are_those_that_are_read(machine: Machine) -> None:
    more = {"watchdog": "device:/dev/watchdog", "fence": [{"agent": "fence_ipmilan", "parameters": {"ip": "10.1.0.1"}}]}
    config = writing.config(machine, "n1", "10.0.0.1", CLUSTER, more)
    writing.write_config(machine, config, "create")
    assert msgspec.convert(tomllib.loads(machine.config.read_text()), NodeConfig) == config
    assert config.watchdog == "device:/dev/watchdog"


def test_what_is_at_its_default_is_not_written(machine: Machine) -> None:
    writing.write_config(machine, writing.config(machine, "n1", "10.0.0.1", CLUSTER, {}), "create")
    written = tomllib.loads(machine.config.read_text())
    assert "run_dir" not in written
    assert "fence" not in written
    assert "heartbeat_ms" not in written["member"]


def test_a_node_of_an_etcd_that_is_somebody_elses_carries_no_member(machine: Machine) -> None:
    foreign = msgspec.structs.replace(CLUSTER, member=False)
    assert writing.config(machine, "n1", "10.0.0.1", foreign, {}).member is None


def test_an_address_of_ipv6_stands_in_brackets_in_urls(machine: Machine) -> None:
    config = writing.config(machine, "n1", "fd00::1", CLUSTER, {})
    assert config.member is not None
    assert config.member.client_url == "https://[fd00::1]:2379"
    assert config.member.peer_url == "https://[fd00::1]:2380"


@pytest.mark.parametrize("key", ["node", "database", "etcd", "member", "peers", "cluster_id"])
def test_more_settings_must_not_contradict_the_cluster(machine: Machine, key: str) -> None:
    with pytest.raises(SetupError, match=key):
        writing.config(machine, "n1", "10.0.0.1", CLUSTER, {key: "x"})


def test_more_settings_that_nobody_knows_are_refused_with_their_name(machine: Machine) -> None:
    with pytest.raises(SetupError, match="wathcdog"):
        writing.config(machine, "n1", "10.0.0.1", CLUSTER, {"wathcdog": "x"})


def test_the_mark_for_the_first_start_says_how_the_member_starts() -> None:
    mark = writing.first_start({"n1": "https://10.0.0.1:2380"}, existing=False)
    assert msgspec.json.decode(mark[FIRST_START], type=Start) == Start({"n1": "https://10.0.0.1:2380"}, existing=False)


def test_the_mark_of_a_machine_that_is_being_set_up_is_for_root_alone_because_a_token_is_in_it(
    machine: Machine,
) -> None:
    machine.set_mark(Mark("join", "n2", "10.0.0.1", "outlast1secret"))
    assert machine.mark() == Mark("join", "n2", "10.0.0.1", "outlast1secret")
    (file,) = machine.state.glob("setting-up*")
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_sweep_takes_everything_but_who_the_machine_is(machine: Machine, tmp_path: Path) -> None:
    id = machine.id()
    machine.set_mark(Mark("create", "n1"))
    config = writing.config(machine, "n1", "10.0.0.1", CLUSTER, {})
    writing.write_config(machine, config, "create")
    writing.member(machine, config).mark({FIRST_START: "x"})
    for file in (
        machine.authority,
        machine.certificate,
        machine.key,
        machine.etc / "secrets.key",
        machine.state / LOAD,
    ):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("secret")
    (machine.data / "member/wal").mkdir(parents=True)
    asyncio.run(machine.sweep())
    assert machine.id() == id
    assert machine.mark() is None
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["machine"]
    asyncio.run(machine.sweep())


def test_only_one_sets_a_machine_up_at_a_time(machine: Machine) -> None:
    with one_at_a_time(machine), pytest.raises(SetupError, match="somebody else"), one_at_a_time(machine):
        pass
    with one_at_a_time(machine):
        pass


def test_a_machine_that_is_a_node_is_told_of_which_cluster(machine: Machine) -> None:
    checks.require_new(machine)
    writing.write_config(machine, writing.config(machine, "n1", "10.0.0.1", CLUSTER, {}), "create")
    with pytest.raises(SetupError, match='node "n1" of cluster "demo"') as refused:
        checks.require_new(machine)
    assert "outlast cluster leave" in str(refused.value)


def test_a_port_that_somebody_listens_on_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SetupError, match=str(port)):
            checks.ports_are_free("127.0.0.1", port)
    checks.ports_are_free("127.0.0.1", port)


def test_an_address_that_is_not_this_machines_is_refused() -> None:
    assert checks.own_address("127.0.0.1") == "127.0.0.1"
    with pytest.raises(SetupError, match="no address of this machine"):
        checks.own_address("192.0.2.1")


def test_the_address_towards_a_machine_is_the_one_that_reaches_it() -> None:
    assert checks.own_address("", towards="127.0.0.1") == "127.0.0.1"


def test_a_clock_that_is_off_by_more_than_a_minute_is_refused_and_says_by_how_much() -> None:
    checks.clock_difference(1000.0, 1059.0, "n1")
    with pytest.raises(SetupError, match="3600 s behind that of n1"):
        checks.clock_difference(4600.0, 1000.0, "n1")


def test_a_token_that_is_damaged_is_wrong_input() -> None:
    with pytest.raises(SetupError) as refused:
        Gate("10.0.0.1", "outlast1abc")
    assert refused.value.kind == "usage"


def test_without_a_host_the_one_in_the_token_is_asked() -> None:
    word = tokens.encode(tokens.Token("10.0.0.9:7000", b"s" * 16, b"f" * 16))
    assert Gate("", word).host == "10.0.0.9:7000"
    assert Gate("10.0.0.1", word).host == "10.0.0.1"


def test_endpoints_of_etcd_are_urls() -> None:
    assert endpoints("https://a:2379/, http://b:2379") == ("https://a:2379", "http://b:2379")
    with pytest.raises(SetupError, match="a:2379"):
        endpoints("a:2379")


@pytest.mark.parametrize("name", [SERVICE, MEMBER, WITNESS, DRAIN, WEB])
def test_systemd_takes_our_units(name: str, tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd is not installed here")
    file = tmp_path / f"{name}.service"
    # The programs need not be where this test runs: what is looked at is what the unit says.
    text = "\n".join(
        f"{line.partition('=')[0]}=/bin/true" if line.startswith(("ExecStart=", "ExecStop=")) else line
        for line in programs.unit(name).splitlines()
        if not line.startswith("Documentation=")
    )
    file.write_text(text + "\n")
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(file)], capture_output=True, text=True, timeout=60, check=False
    )
    assert [line for line in done.stderr.splitlines() if file.name in line] == []


def test_the_units_start_the_programs_of_this_installation() -> None:
    import sys

    assert f"ExecStart={sys.prefix}/bin/outlastd" in programs.unit(SERVICE)
    assert "@" not in programs.unit(SERVICE) + programs.unit(MEMBER) + programs.unit(WITNESS)


def test_a_machine_that_goes_down_drains_its_node_first_and_a_restarted_service_does_not() -> None:
    drain = programs.unit(DRAIN)
    assert "ExecStop=-" in drain
    assert drain.rstrip().endswith("WantedBy=multi-user.target")
    assert "/bin/outlast node before-shutdown" in drain
    # Ordered after it, so stopped before it; and not bound to it, so a restart of the service drains nothing.
    assert any(line.startswith("After=") and "outlastd.service" in line for line in drain.splitlines())
    assert [line for line in drain.splitlines() if line.startswith(("Requires=", "BindsTo=", "PartOf="))] == []


def test_the_http_api_has_a_user_of_its_own_and_no_privileges() -> None:
    lines = programs.unit(WEB).splitlines()
    assert {"User=outlast-web", "CapabilityBoundingSet=", "NoNewPrivileges=yes", "ProtectSystem=strict"} <= {*lines}
    assert [line for line in lines if line.startswith(("Requires=", "BindsTo=", "PartOf="))] == []


def test_the_database_is_never_started_by_init() -> None:
    assert "[Install]" not in programs.unit(MEMBER)
    assert "Restart=no" in programs.unit(MEMBER)


def test_the_configured_member_is_the_one_that_the_service_keeps(machine: Machine) -> None:
    config = writing.config(machine, "n1", "10.0.0.1", CLUSTER, {})
    assert isinstance(config.member, MemberConfig)
    assert isinstance(config.peers, PeersConfig)
    assert config.member.data_dir == str(machine.data)
    assert config.member.supervisor == machine.supervisor
