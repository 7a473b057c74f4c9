"""`outlast lab` as people and scripts meet it: words, exit codes, JSON."""

import json
import os
import subprocess
import sys

import pytest

from outlast.lab import requirements
from outlast.lab.errors import NotPossibleNow
from outlast.lab.lab import Lab


def outlast_lab(*arguments: str, stdin: str = "") -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", "from outlast.cli.lab import app; app()", *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_missing_packages_are_refused_with_the_command_that_installs_them() -> None:
    needed = {"sh": "dash", "no-such-program": "nothing", "/no/such/file": "also-nothing"}
    with pytest.raises(NotPossibleNow, match=r"apt install --no-install-recommends also-nothing nothing$"):
        requirements.refuse_missing(needed, "run a lab")


def test_without_root_a_lab_is_refused_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(NotPossibleNow, match=r"takes root; try: sudo outlast lab \.\.\."):
        Lab("never").up()


def test_a_lab_that_is_not_there_is_no_contact_but_a_hint() -> None:
    done = outlast_lab("show", "--name", f"test-{os.getpid()}-none")
    assert done.returncode == 3
    assert f"bring it up with: outlast lab up --name test-{os.getpid()}-none" in done.stderr
    assert outlast_lab("show", "--name", "No Name").returncode == 2


@pytest.mark.lab
def test_the_commands_answer_with_words_json_and_exit_codes(lab: Lab) -> None:
    name = ("--name", lab.paths.name)
    shown = json.loads(outlast_lab("show", "--json", *name).stdout)
    assert [(node["name"], node["power"]) for node in shown["nodes"]] == [("n1", "on"), ("n2", "on"), ("n3", "on")]

    unknown = outlast_lab("power", "off", "n9", *name)
    assert (unknown.returncode, unknown.stdout) == (2, "")
    assert "it has n1, n2, n3" in unknown.stderr

    again = outlast_lab("up", "--no-service", *name)
    assert again.returncode == 3
    assert "is up already" in again.stderr

    inside = outlast_lab("exec", *name, "n1", "sh", "-c", "cat; exit 5", stdin="said")
    assert (inside.returncode, inside.stdout) == (5, "said")

    cut = outlast_lab("cut", "n1", "n2", "--one-way", *name)
    assert cut.returncode == 0
    assert "a file (SQLite), which a network cut does not touch" in cut.stderr
    assert outlast_lab("cut", "n1", "n1", *name).returncode == 2
    assert outlast_lab("heal", *name).returncode == 0

    assert outlast_lab("bmc", "n1", *name).returncode == 2
    assert outlast_lab("bmc", "n1", "--lie", *name).returncode == 0
    assert json.loads(outlast_lab("show", "--json", *name).stdout)["nodes"][0]["bmc"] == "lie"

    assert outlast_lab("kill", "n1", "--process", "qemu:none", *name).returncode == 3
    assert outlast_lab("kill", "n1", "--process", "what", *name).returncode == 2
    assert outlast_lab("check", *name).stdout == "no guest ever ran twice at once\n"
    assert "libvirt version" in outlast_lab("logs", "n1", "libvirtd", *name).stdout
    assert outlast_lab("logs", "n1", "nothing", *name).returncode == 2

    assert outlast_lab("freeze", "n1", *name).returncode == 0
    frozen = outlast_lab("exec", *name, "n1", "true")
    assert frozen.returncode == 3
    assert f"outlast lab thaw n1 --name {lab.paths.name}" in frozen.stderr
