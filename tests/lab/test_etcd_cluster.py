"""Machines become a cluster on etcd, cease to be one, and fail half-way: with real members, as on real machines."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from outlast.lab.cluster import LabCluster
from outlast.lab.forming import SETTINGS
from outlast.lab.lab import Lab
from outlast.lab.layout import address_of
from outlast.lab.node import enter_command, enter_environment, processes

pytestmark = pytest.mark.lab
PATIENCE_S = 120.0


class Machines:
    """Machines of a lab that belong to no cluster yet, or to one that these tests make."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.cluster = LabCluster(lab)

    def outlast(self, name: str, *arguments: str, timeout_s: float = PATIENCE_S) -> "subprocess.CompletedProcess[str]":
        return self.lab.run(name, "outlast", "--json", *arguments, timeout_s=timeout_s)

    def done(self, name: str, *arguments: str) -> Any:
        ended = self.outlast(name, *arguments)
        assert ended.returncode == 0, ended.stderr
        return json.loads(ended.stdout)

    def refused(self, name: str, *arguments: str) -> str:
        ended = self.outlast(name, *arguments)
        assert ended.returncode, ended.stdout
        message: str = json.loads(ended.stderr)["error"]["message"]
        return message

    def create(self, name: str, *more: str) -> Any:
        return self.done(name, "cluster", "create", "--name", "demo", "--node-timeout-s", "2", *own(name), *more)

    def token(self, name: str = "n1", *more: str) -> str:
        word: str = self.done(name, "cluster", "token", *more)["token"]
        return word

    def join(self, name: str, token: str) -> Any:
        return self.done(name, *joining(name, token))

    def votes(self, name: str = "n1") -> dict[str, str]:
        return {row["name"]: row["vote"] for row in self.done(name, "cluster", "show")["machines"]}

    def tokens(self) -> list[str]:
        return [row["name"] for row in self.done("n1", "cluster", "show")["tokens"]]

    def clear(self) -> None:
        """No cluster on any machine."""
        nodes = [name for name in self.lab.state().nodes if not self.is_clean(name)]
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda name: self.done(name, "cluster", "leave", "--yes", "--force"), nodes))

    def is_clean(self, name: str) -> bool:
        """Nothing of a cluster is on it, and nothing runs."""
        node = self.lab.node(name)
        left = [
            path
            for path in ("outlast.toml", "pki", "secrets.key", "migration")
            if (node.etc / "outlast" / path).exists()
        ]
        left += [path for path in ("etcd", "etcd.json", "etcd.marks", "setting-up.json") if state(self, name, path)]
        left += ["libvirt's"] if "Outlast" in (node.etc / "libvirt/libvirtd.conf").read_text() else []
        return not left and not self.cluster.pid(name, "outlastd") and not self.cluster.pid(name, "etcd")


def own(name: str) -> list[str]:
    return ["--node", name, "--address", address_of(name), "--settings", SETTINGS]


def joining(name: str, token: str) -> list[str]:
    return ["cluster", "join", address_of("n1"), "--token", token, *own(name)]


def state(machines: Machines, name: str, file: str) -> bool:
    return (machines.lab.node(name).var / "lib/outlast" / file).exists()


@pytest.fixture(scope="module")
def unformed(labs: Callable[..., Lab]) -> Machines:
    return Machines(labs("unformed", nodes=3, database="etcd", service=False))


@pytest.fixture
def machines(unformed: Machines) -> Machines:
    """Three machines; n1 is a cluster, and nobody has joined it."""
    for name in unformed.lab.state().nodes:
        if not unformed.lab.is_on(name):
            unformed.lab.power_on(name)
    unformed.clear()
    unformed.create("n1")
    return unformed


def test_a_machine_that_was_refused_keeps_nothing_and_is_told_why(machines: Machines) -> None:
    word = machines.token("n1", "--lifetime-s", "1")
    time.sleep(1.1)  # the token's own time; nothing is waited for
    assert "expired" in machines.refused("n2", *joining("n2", word))
    assert machines.is_clean("n2")


def test_a_token_is_for_one_machine_and_used_up_when_it_has_joined(machines: Machines) -> None:
    word = machines.token()
    assert machines.join("n2", word)["votes"]
    assert "not known" in machines.refused("n3", *joining("n3", word))
    assert machines.is_clean("n3")
    assert machines.votes() == {"n1": "votes", "n2": "votes"}


def test_a_token_of_another_cluster_of_the_same_name_leads_nowhere(machines: Machines) -> None:
    other = machines.create("n3")["token"]
    assert "not the one that the token is for" in machines.refused("n2", *joining("n2", other))
    assert machines.is_clean("n2")
    assert machines.votes() == {"n1": "votes"}


def test_a_node_is_no_machine_that_could_join_or_be_created_again(machines: Machines) -> None:
    word = machines.token()
    machines.join("n2", word)
    assert "already" in machines.refused("n2", *joining("n2", machines.token()))
    assert "already" in machines.refused("n2", "cluster", "create", "--name", "other", *own("n2"))
    assert machines.votes() == {"n1": "votes", "n2": "votes"}


def test_two_machines_join_at_once(machines: Machines) -> None:
    words = {name: machines.token() for name in ("n2", "n3")}
    running = {name: start(machines, name, word) for name, word in words.items()}
    for name, process in running.items():
        output, errors = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 0, f"{name}: {errors}"
        assert json.loads(output)["votes"]
    assert machines.votes() == {"n1": "votes", "n2": "votes", "n3": "votes"}
    machines.cluster.wait_for_members("n1", "n2", "n3")


def test_a_node_that_left_may_join_again(machines: Machines) -> None:
    machines.join("n2", machines.token())
    assert "terminal" in machines.refused("n2", "cluster", "leave")
    machines.done("n2", "cluster", "leave", "--yes")
    assert machines.is_clean("n2")
    assert machines.votes() == {"n1": "votes"}
    machines.join("n2", machines.token())
    assert machines.votes() == {"n1": "votes", "n2": "votes"}


def test_a_node_is_evicted_only_when_it_is_dead_and_owns_nothing(machines: Machines) -> None:
    for name in ("n2", "n3"):
        machines.join(name, machines.token())
    assert "living" in machines.refused("n1", "node", "evict", "n3")
    machines.cluster.protect("beacon", "web", preferred_owners=["n3"])
    machines.lab.power_off("n3")
    machines.cluster.wait(lambda s: any(row.name == "n3" and row.state == "dead" for row in s.nodes), "n3 is dead")
    machines.cluster.wait_online("web")
    machines.done("n1", "node", "evict", "n3")
    assert machines.votes() == {"n1": "votes", "n2": "votes"}
    machines.lab.power_on("n3")
    assert "node" in machines.refused("n3", *joining("n3", machines.token()))
    machines.done("n3", "cluster", "leave", "--yes", "--force")
    machines.join("n3", machines.token())
    machines.cluster.wait_for_members("n1", "n2", "n3")
    machines.cluster.call("vm.unprotect", name="web")


STAGES: dict[str, Callable[[Machines], object]] = {
    "its mark is set": lambda m: state(m, "n2", "setting-up.json"),
    "its key is written": lambda m: (m.lab.node("n2").etc / "outlast/pki/node.key").exists(),
    "its settings are written": lambda m: (m.lab.node("n2").etc / "outlast/outlast.toml").exists(),
    "it has been given a member": lambda m: state(m, "n2", "etcd.marks"),
    "its service runs": lambda m: m.cluster.pid("n2", "outlastd"),
    "its member runs": lambda m: state(m, "n2", "etcd/member"),
}


@pytest.mark.parametrize(
    ("stage", "cut"),
    [
        *((stage, "the command is killed") for stage in STAGES),
        ("its settings are written", "its power is cut"),
        ("its member runs", "its power is cut"),
    ],
)
def test_a_join_that_is_cut_off_leaves_nothing_that_keeps_it_from_trying_again(
    machines: Machines, stage: str, cut: str
) -> None:
    """Cut off late, it may be a node all the same; then it says so."""
    by_power = cut == "its power is cut"
    word, _ = cut_off(machines, stage, lambda: machines.lab.reset("n2") if by_power else kill(machines, "n2"))
    assert machines.votes()["n1"] == "votes", "the cluster goes on"
    again = machines.outlast("n2", *joining("n2", word))
    assert again.returncode == 0 or "already" in again.stderr, again.stderr
    machines.cluster.wait_for_members("n1", "n2")
    both = {"n1": "votes", "n2": "votes"}
    machines.lab.wait(lambda: machines.votes() == both, PATIENCE_S, "both vote")
    assert not state(machines, "n2", "setting-up.json"), "what it is now is a node"
    # The one that `create` printed is left.
    machines.lab.wait(lambda: machines.tokens() == [""], PATIENCE_S, "the token is used up")


def test_a_join_whose_command_died_late_goes_on_to_its_end_by_itself(machines: Machines) -> None:
    cut_off(machines, "its member runs", lambda: kill(machines, "n2"))
    machines.cluster.wait_for_members("n1", "n2")
    both = {"n1": "votes", "n2": "votes"}
    machines.lab.wait(lambda: machines.votes() == both, PATIENCE_S, "both vote")
    machines.lab.wait(lambda: machines.tokens() == [""], PATIENCE_S, "the token is used up")
    assert not state(machines, "n2", "setting-up.json"), "what it is now is a node"


def test_a_join_that_is_interrupted_takes_everything_back(machines: Machines) -> None:
    _, code = cut_off(machines, "it has been given a member", lambda: kill(machines, "n2", signal.SIGINT))
    assert code == 1
    assert machines.is_clean("n2")
    assert machines.votes() == {"n1": "votes"}
    assert [row.name for row in machines.cluster.status("n1").nodes] == ["n1"]


def test_creating_a_cluster_fails_before_anything_is_changed_when_a_port_is_taken(machines: Machines) -> None:
    taken = "import socket, time; s = socket.create_server(('', 2380)); print('', flush=True); time.sleep(600)"
    holder = subprocess.Popen(
        enter_command(machines.lab.node("n2"), ["python3", "-c", taken]),
        env=enter_environment(), stdout=subprocess.PIPE,
    )  # fmt: skip
    try:
        assert holder.stdout is not None
        holder.stdout.readline()
        words = machines.refused("n2", "cluster", "create", "--name", "other", *own("n2"))
    finally:
        for found in processes(machines.lab.node("n2")):
            if taken in found.arguments:
                os.kill(found.pid, signal.SIGKILL)
        holder.communicate(timeout=PATIENCE_S)
    assert "2380" in words
    assert machines.is_clean("n2")


def test_a_service_whose_database_is_another_clusters_does_not_run(machines: Machines) -> None:
    machines.create("n3")
    config = machines.lab.node("n3").etc / "outlast/outlast.toml"
    mine = config.read_text()
    # As when an address is given to another machine: the name is right, and the cluster is not.
    ours = (machines.lab.node("n1").etc / "outlast/pki").glob("*")
    for file in ours:
        (machines.lab.node("n3").etc / "outlast/pki" / file.name).write_bytes(file.read_bytes())
    config.write_text(mine.replace(f'"https://{address_of("n3")}:2379"', f'"https://{address_of("n1")}:2379"', 1))
    machines.lab.kill("n3", "outlastd")
    machines.lab.wait(lambda: "another cluster" in machines.refused("n3", "status"), PATIENCE_S, "it says why")
    assert [row.name for row in machines.cluster.status("n1").nodes] == ["n1"], "it has written nothing there"


def start(machines: Machines, name: str, token: str) -> "subprocess.Popen[str]":
    # Whoever starts these tests may ignore an interrupt, and so would the command.
    outlast = ["env", "--default-signal=INT", "outlast", "--json", *joining(name, token)]
    command = enter_command(machines.lab.node(name), outlast)
    return subprocess.Popen(command, env=enter_environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def cut_off(machines: Machines, stage: str, cut: Callable[[], None]) -> tuple[str, int]:
    """n2 joins, and is cut off as soon as it has come so far; the token that it used, and how its command ended. A
    machine that is busy may look too late, when the command is done: then n2 leaves, and tries again."""
    for _ in range(5):
        word = machines.token()
        process = start(machines, "n2", word)
        while not STAGES[stage](machines) and process.poll() is None:
            time.sleep(0.005)
        cut()
        process.communicate(timeout=PATIENCE_S)
        if process.returncode:
            return word, process.returncode
        machines.cluster.wait_for_members("n1", "n2")
        machines.done("n2", "cluster", "leave", "--yes")
    raise AssertionError(f"it was always too late to cut it off when {stage}")


def kill(machines: Machines, name: str, how: signal.Signals = signal.SIGKILL) -> None:
    """The command that joins, and nothing that it has started."""
    for found in processes(machines.lab.node(name)):
        if "join" in found.arguments and Path(found.program).name.startswith("python"):
            os.kill(found.pid, how)


def test_a_cluster_may_use_an_etcd_that_is_there_and_leaves_its_members_alone(unformed: Machines) -> None:
    unformed.clear()
    url = f"http://{address_of('n3')}:12379"
    peer = f"http://{address_of('n3')}:12380"
    etcd = ["etcd", "--name", "theirs", "--data-dir", "/run/theirs", "--listen-client-urls", url,
            "--advertise-client-urls", url, "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
            "--initial-cluster", f"theirs={peer}"]  # fmt: skip
    theirs = subprocess.Popen(
        enter_command(unformed.lab.node("n3"), etcd),
        env=enter_environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        created = unformed.create("n1", "--etcd-endpoints", url, "--etcd-prefix", "prod/")
        unformed.join("n2", created["token"])
        unformed.cluster.wait_for_members("n1", "n2")
        assert unformed.cluster.pid("n1", "etcd") == unformed.cluster.pid("n2", "etcd") == 0
        assert unformed.votes() == {"n1": "", "n2": ""}
        keys = unformed.lab.exec(
            "n3", "env", "ETCDCTL_API=3", "etcdctl", "--endpoints", url, "get", "--prefix", "--keys-only", ""
        ).split()
        assert keys
        assert [key for key in keys if not key.startswith("prod/")] == []
        words = unformed.refused(
            "n3", "cluster", "create", "--name", "other", *own("n3"), "--etcd-endpoints", url, "--etcd-prefix", "prod/"
        )
        assert 'a cluster "demo" in this etcd already' in words
    finally:
        for name in ("n1", "n2"):
            unformed.outlast(name, "cluster", "leave", "--yes", "--force")
        unformed.lab.kill("n3", "etcd")
        theirs.wait(PATIENCE_S)
