"""How do the nodes of a lab become a cluster on etcd? By the commands with which real machines do."""

import json
import subprocess
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from outlast.lab import layout, node
from outlast.lab.errors import LabError
from outlast.lab.layout import LabPaths
from outlast.lab.state import LabState

STEP_S = 180.0
SETTINGS = "/etc/outlast-lab/settings.toml"


def form(
    lab: LabPaths, state: LabState, ready: Mapping[str, Callable[[], object]], tell: Callable[[str], None]
) -> None:
    """`ready`: for each machine, waits until it is up."""
    first, *others = state.nodes
    ready[first]()
    created = outlast(
        lab,
        first,
        "cluster",
        "create",
        "--name",
        state.name,
        "--node-timeout-s",
        str(state.node_timeout_s),
        *_own(first),
    )
    tell(f"{first} is a cluster")
    tokens = [created["token"], *(_token(lab, first) for _ in others[1:])]

    def join(name: str, token: str) -> None:
        ready[name]()
        outlast(lab, name, "cluster", "join", layout.address_of(first), "--token", token, *_own(name))
        tell(f"{name} joined")

    if others:
        with ThreadPoolExecutor(len(others)) as pool:
            list(pool.map(join, others, tokens))
    for name in state.witnesses:  # last: whether it votes depends on how many nodes do
        ready[name]()
        token = _token(lab, first, "--witness")
        outlast(
            lab, name, "cluster", "join", layout.address_of(first), "--token", token, "--witness", "--node", name,
            "--address", layout.address_of(name),
        )  # fmt: skip
        tell(f"{name} joined")


def outlast(lab: LabPaths, name: str, *arguments: str) -> Any:
    """A command of Outlast's in a node; its answer. Raises `LabError` with its words."""
    command = node.enter_command(lab.node(name), ["outlast", "--json", *arguments])
    done = subprocess.run(
        command, env=node.enter_environment(), capture_output=True, text=True, timeout=STEP_S, check=False
    )
    if done.returncode:
        try:
            words = json.loads(done.stderr)["error"]["message"]
        except (ValueError, KeyError):
            words = done.stderr.strip()
        raise LabError(f"outlast {' '.join(arguments[:2])} failed on {name}: {words}")
    return json.loads(done.stdout)


def _own(name: str) -> list[str]:
    return ["--node", name, "--address", layout.address_of(name), "--settings", SETTINGS]


def _token(lab: LabPaths, name: str, *arguments: str) -> str:
    word: str = outlast(lab, name, "cluster", "token", *arguments)["token"]
    return word
