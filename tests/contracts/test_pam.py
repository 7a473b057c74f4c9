"""Whom PAM knows is known, in which groups, and whom it does not know is not; and whatever its modules do, there is an
answer in time: the host's real PAM, with services, users and groups of this test alone, and the simulator's.
"""

import asyncio
import itertools
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from outlast.adapters.own_process import module
from outlast.adapters.pam import PLACES, HostPam
from outlast.ports.pam import HostUser, NoAnswer, NotAdmitted, Pam, WrongPassword
from outlast.setup import programs
from outlast.setup.machine import Machine
from outlast.sim.host_users import HostUsers, SimPam
from private_host import PASSWORD, PRIVATE, UNIX, PrivateHost

PROCESS = module("outlast.adapters.pam_process")
ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root sees another /etc/pam.d, and may ask PAM for others")


class Host(PrivateHost):
    """Whose PAM is asked."""

    def pam(self, timeout_s: float = 30.0, before: str = "") -> HostPam:
        inside = ("sh", "-c", before + PRIVATE + 'shift; exec "$@"', "sh", str(self.etc), *PROCESS)
        return HostPam(("unshare", "--mount", "--propagation", "private", *inside), timeout_s)


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def simulated(_: Path) -> Pam:
    users = HostUsers({"anna": PASSWORD, "olaf": PASSWORD})
    users.groups.update(anna=("staff", "admins", "web-team"))
    return SimPam(users)


def real(etc: Path) -> Pam:
    return Host(etc).pam()


BOTH = pytest.mark.parametrize("made", [pytest.param(real, marks=ROOT), simulated])


def ask(pam: Pam, name: str, password: str = PASSWORD, service: str = "outlast", address: str = "10.9.9.9") -> HostUser:
    return asyncio.run(pam.ask(service, name, password, address))


@BOTH
def test_who_is_right_is_known_with_the_groups(made: Callable[[Path], Pam], tmp_path: Path) -> None:
    found = ask(made(tmp_path), "anna")
    assert (found.name, set(found.groups)) == ("anna", {"staff", "admins", "web-team"})


@BOTH
@pytest.mark.parametrize(
    ("name", "password"), [("anna", "wrong"), ("nobody-here", PASSWORD), ("anna", ""), ("anna", "x" * 256)]
)
def test_who_is_not_is_told_nothing(made: Callable[[Path], Pam], tmp_path: Path, name: str, password: str) -> None:
    with pytest.raises(WrongPassword):
        ask(made(tmp_path), name, password)


@ROOT
@pytest.mark.parametrize("name", ["open", "locked", "root"])
def test_nobody_gets_in_without_a_password_or_with_one_that_is_locked(host: Host, name: str) -> None:
    host.serve("outlast", UNIX.replace("auth required pam_unix.so", "auth required pam_unix.so nullok"))
    for password in ("", PASSWORD, PASSWORD + "\0"):
        with pytest.raises(WrongPassword):
            ask(host.pam(), name, password)


@ROOT
def test_a_password_is_compared_to_its_last_letter(host: Host) -> None:
    for wrong in (PASSWORD + "x", PASSWORD[:-1], PASSWORD + "\0"):
        with pytest.raises(WrongPassword):
            ask(host.pam(), "anna", wrong)


@ROOT
def test_an_account_that_has_expired_is_told_so_only_to_who_knows_the_password(host: Host) -> None:
    with pytest.raises(NotAdmitted, match=r"PAM says: .*expired"):
        ask(host.pam(), "gone")
    with pytest.raises(WrongPassword):
        ask(host.pam(), "gone", "wrong")


@ROOT
def test_a_user_of_pam_whom_the_host_does_not_know_is_in_no_group(host: Host) -> None:
    host.serve("outlast", "auth required pam_permit.so\naccount required pam_permit.so\n")
    assert ask(host.pam(), "elsewhere") == HostUser("elsewhere", ())


@ROOT
def test_modules_are_told_from_where_somebody_comes_and_the_password_is_nowhere_else(host: Host) -> None:
    seen = host.etc / "seen"
    script = host.script("look", f'env >{seen}; cat /proc/$PPID/cmdline /proc/$PPID/environ >>{seen}; [ "$(cat)" ]')
    host.serve("outlast", f"auth required pam_exec.so expose_authtok quiet {script}\naccount required pam_permit.so\n")
    ask(host.pam(), "anna", address="2001:db8::9")
    told = seen.read_bytes().decode(errors="replace")
    assert "PAM_RHOST=2001:db8::9" in told
    assert "PAM_USER=anna" in told
    assert "Pferde" not in told


@ROOT
def test_a_module_that_hangs_is_ended_and_others_are_asked_meanwhile(host: Host) -> None:
    pids = host.etc / "pids"
    script = host.script("hang", f"echo $$ $PPID >{pids}; exec sleep 1000")
    host.serve("slow", f"auth required pam_exec.so {script}\n")
    pam, ticks = host.pam(timeout_s=4.0), list[float]()

    async def play() -> None:
        async def tick() -> None:
            while True:
                ticks.append(time.monotonic())
                await asyncio.sleep(0.01)

        ticking = asyncio.create_task(tick())
        hung = asyncio.create_task(pam.ask("slow", "anna", PASSWORD, ""))
        await asyncio.sleep(0.1)
        assert (await pam.ask("outlast", "anna", PASSWORD, "")).name == "anna"
        assert not hung.done()
        with pytest.raises(NoAnswer, match="did not answer within 4 s"):
            await hung
        ticking.cancel()

    began = time.monotonic()
    asyncio.run(play())
    assert time.monotonic() - began < 10
    assert max(after - before for before, after in itertools.pairwise(ticks)) < 1.0
    helper_and_script = pids.read_text().split()
    assert len(helper_and_script) == 2
    until = time.monotonic() + 10
    while any(Path(f"/proc/{pid}").exists() for pid in helper_and_script):  # init has to hear of an orphan's end
        assert time.monotonic() < until, f"of {helper_and_script} something still runs"
        time.sleep(0.05)


@ROOT
def test_a_module_that_crashes_takes_nothing_else_along(host: Host) -> None:
    script = host.script("crash", "kill -SEGV $PPID")
    host.serve("outlast", f"auth required pam_exec.so {script}\n")
    with pytest.raises(NoAnswer, match="asking PAM failed: it ended with signal 11"):
        ask(host.pam(), "anna")


@ROOT
def test_a_server_that_pam_cannot_reach_is_no_wrong_password(host: Host) -> None:
    host.serve("outlast", "auth required pam_debug.so auth=authinfo_unavail\n")
    with pytest.raises(NoAnswer, match="PAM says: Authentication service cannot retrieve"):
        ask(host.pam(), "anna")


@ROOT
def test_without_the_library_it_is_said_what_to_install(host: Host) -> None:
    found = subprocess.run(["ldconfig", "-p"], capture_output=True, text=True, check=True).stdout
    path = next(line.rpartition("=> ")[2] for line in found.splitlines() if line.strip().startswith("libpam.so.0"))
    pam = host.pam(before=f"mount --bind /dev/null {path}\n")
    with pytest.raises(NoAnswer, match="no libpam on this node; install the package libpam0g"):
        ask(pam, "anna")


@ROOT
def test_the_file_that_comes_with_outlast_lets_users_of_a_debian_host_in_and_not_root(host: Host) -> None:
    if not Path("/etc/pam.d/common-auth").exists():
        pytest.skip("this host is not laid out as Debian's are")
    for name in ("common-auth", "common-account"):
        host.serve(name, (Path("/etc/pam.d") / name).read_text())
    machine = Machine(host.etc / "machine", "systemd")
    machine.pam.parent.mkdir(parents=True)
    machine.pam.symlink_to(host.etc / "pam.d")
    (machine.pam / "outlast").unlink()
    programs.let_pam_know(machine)
    assert ask(host.pam(), "anna").name == "anna"
    shadow = (host.etc / "shadow").read_text()
    (host.etc / "shadow").write_text(
        shadow.replace("root:*:", f"root:{shadow.partition('anna:')[2].partition(':')[0]}:")
    )
    with pytest.raises(WrongPassword):
        ask(host.pam(), "root")
    host.serve("outlast", "# the administrator's own\n" + UNIX)
    programs.let_pam_know(machine)
    assert ask(host.pam(), "root").name == "root"


def test_a_service_that_is_not_there_is_told_before_anybody_needs_it() -> None:
    why = asyncio.run(HostPam().why_not("outlast-that-nobody-has"))
    assert why == f"there is no {PLACES[0]}/outlast-that-nobody-has; docs/web.md has one to begin with"


def test_a_program_that_cannot_be_run_is_no_answer() -> None:
    with pytest.raises(NoAnswer, match="/nonexistent cannot be started"):
        ask(HostPam(("/nonexistent",)), "anna")
