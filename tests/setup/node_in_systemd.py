"""The units of a node with a real systemd: installed and started as `outlast cluster create` does it.

Run by test_node_under_systemd.py, as a service of that systemd, in a world of its own: what is written to /etc, /run
and /var/lib goes with it.
"""

import asyncio
import base64
import http.client
import json
import os
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from outlast.setup import programs
from outlast.setup.machine import DRAIN, SERVICE, WEB, Machine

HANG_S = 60.0
MACHINE = Machine(Path("/"), "systemd")
SETTINGS = 'node = "n1"\ndatabase = "sqlite:/var/lib/outlast/cluster.db"\naddress = "127.0.0.1"\n'
PASSWORD = "correct-horse"
ALONE = "[Unit]\nDefaultDependencies=no\n"
"""This systemd has no other units: what starts a machine would be started for ours."""


def run(*command: str, given: str = "") -> str:
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=False, timeout=HANG_S)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout.strip()


def wait_until(true: Callable[[], object], what: str) -> None:
    ends_s = time.monotonic() + HANG_S
    while not true():
        assert time.monotonic() < ends_s, f"{what}\n{told()}"
        time.sleep(0.05)


def told() -> str:
    """What the services have said."""
    return "\n".join(Path(f"/run/{name}.log").read_text() for name in (SERVICE, WEB))


def pid(name: str) -> int:
    return int(run("systemctl", "show", "--property=MainPID", "--value", f"{name}.service") or 0)


def ask(method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
    """0 while nobody listens."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    connection = http.client.HTTPSConnection("127.0.0.1", 9443, context=context, timeout=HANG_S)
    try:
        sent = {"Content-Type": "application/json", **headers} if body is not None else headers
        connection.request(method, f"/api/v1{path}", json.dumps(body) if body is not None else None, sent)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    except OSError:
        return 0, None
    finally:
        connection.close()


def drop_in(name: str) -> None:
    directory = MACHINE.units / f"{name}.service.d"
    directory.mkdir(exist_ok=True)
    places = bound(Path(sys.prefix), Path(sys.base_prefix), *map(Path, filter(None, sys.path))) if name == WEB else ""
    (directory / "50-test.conf").write_text(f"{ALONE}[Service]\nStandardError=append:/run/{name}.log\n{places}")


def bound(*places: Path) -> str:
    """An installation that is tried out may lie where a service of a machine must not look: in homes, in /tmp."""
    hidden = {place for place in places if place.parts[1] in ("home", "root", "tmp") and place.is_dir()}
    outermost = sorted(place for place in hidden if not hidden & {*place.parents})
    lines = [f"BindReadOnlyPaths={place}" for place in outermost]
    homes = [] if all(place.parts[1] == "tmp" for place in outermost) else ["ProtectHome=tmpfs"]
    return "\n".join([*homes, *lines, ""])


@pytest.fixture(scope="module", autouse=True)
def _node() -> None:
    programs.install(MACHINE, witness=False)
    for name in (SERVICE, DRAIN, WEB):
        drop_in(name)
    run("systemctl", "daemon-reload")
    MACHINE.etc.mkdir(exist_ok=True)
    (MACHINE.etc / "secrets.key").write_bytes(base64.urlsafe_b64encode(bytes(range(32))))
    (MACHINE.etc / "secrets.key").chmod(0o600)
    MACHINE.config.write_text(SETTINGS)
    asyncio.run(MACHINE.start_service())
    wait_until(lambda: ask("GET", "/session")[0] == 401, "outlast-web answers")
    run(f"{sys.prefix}/bin/outlast", "user", "create", "anna", "--role", "administrator", given=f"{PASSWORD}\n")


def test_who_has_an_account_signs_in() -> None:
    status, session = ask("POST", "/session", {"name": "anna", "password": PASSWORD})
    assert (status, session["role"]) == (201, "administrator")


def test_it_runs_as_a_user_of_its_own_that_may_nothing() -> None:
    facts = dict(line.split(":\t", 1) for line in Path(f"/proc/{pid(WEB)}/status").read_text().splitlines())
    assert facts["Uid"].split() == [run("id", "-u", WEB)] * 4
    assert {facts[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {16 * "0"}
    assert (facts["NoNewPrivs"], facts["Seccomp"]) == ("1", "2")


def test_it_writes_nowhere_and_sees_nobody_else_but_reads_its_own_key() -> None:
    user, group = run("id", "-u", WEB), run("id", "-g", WEB)
    in_its_place = ("nsenter", f"--target={pid(WEB)}", "--mount", f"--setuid={user}", f"--setgid={group}", "sh", "-c")
    refused = [f"touch {place}/x" for place in ("/etc", "/usr", "/run/outlast", "/var/lib")]
    refused += [f"test -d /proc/{pid(SERVICE)}", f"cat {MACHINE.etc}/secrets.key"]
    assert run(*in_its_place, "; ".join(f"{one} 2>/dev/null && echo {one!r}" for one in refused) + "; true") == ""
    run(*in_its_place, f"test -d /proc/{pid(WEB)} && grep -q PRIVATE /run/outlast/web/key.pem")


def test_one_that_is_killed_is_started_again() -> None:
    before = pid(WEB)
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: pid(WEB) not in (0, before) and ask("GET", "/session")[0] == 401, "it is started again")


def test_it_outlives_a_restart_of_the_cluster_service() -> None:
    web, service = pid(WEB), pid(SERVICE)
    run("systemctl", "restart", f"{SERVICE}.service")
    wait_until(
        lambda: ask("POST", "/session", {"name": "anna", "password": PASSWORD})[0] == 201, "it asks the next one"
    )
    assert pid(WEB) == web
    assert pid(SERVICE) != service


def test_it_is_stopped_at_once_and_started_with_the_machine() -> None:
    began = time.monotonic()
    run("systemctl", "stop", f"{WEB}.service")
    assert time.monotonic() - began < 8, "it is not killed after TimeoutStopSec"
    assert run("systemctl", "show", "--property=Result", "--value", f"{WEB}.service") == "success"
    assert run("systemctl", "is-enabled", f"{WEB}.service") == "enabled"
    run("systemctl", "start", f"{WEB}.service")
    wait_until(lambda: ask("GET", "/session")[0] == 401, "it serves again")
