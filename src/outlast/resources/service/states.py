"""What does the state of a systemd unit amount to? One table over ActiveState, and words for people."""

import signal
from collections.abc import Mapping
from typing import Any

from outlast.plugin import Condition, Health

ENABLED = ("enabled", "enabled-runtime")
"""UnitFileState of a unit that systemd starts by itself."""
RUNS = ("active", "reloading", "refreshing")
BETWEEN = {"activating": "systemd is starting it", "deactivating": "systemd is stopping it"}
STOPPED = ("inactive", "failed")
_CLD_EXITED = 1


def health(unit: str, found: Mapping[str, Any], *, started: bool, meant: bool, left: int) -> Health:
    """`started`: it was started here. `meant`: since then somebody had systemd stop it. `left`: how many processes are
    in its cgroup."""
    active, sub = str(found.get("ActiveState", "")), str(found.get("SubState", ""))
    if active in RUNS:
        return Health(Condition.ONLINE, running=True)
    if active in BETWEEN:
        restarts = " again: it had ended" if sub == "auto-restart" else ""
        return Health(Condition.UNKNOWN, f"{BETWEEN[active]}{restarts} ({sub})", running=True)
    if active not in STOPPED:
        return Health(Condition.UNKNOWN, f"systemd calls {unit} {active or 'nothing'} ({sub})", running=True)
    if left:
        return Health(Condition.FAILED, f"{why(found)}, and left {left} processes", running=True)
    if not started:
        missing = found.get("LoadState") != "loaded"
        return Health(Condition.OFFLINE, f"systemd has no {unit} here ({found.get('LoadState')})" if missing else "")
    if active == "inactive" and meant:
        return Health(Condition.OFFLINE, "it was stopped past the cluster (systemctl stop)")
    return Health(Condition.FAILED, why(found))


def why(found: Mapping[str, Any]) -> str:
    """How its main process ended, for people."""
    result, code, status = found.get("Result", ""), found.get("ExecMainCode", 0), found.get("ExecMainStatus", 0)
    if not code:
        by = "it has ended"
    elif code == _CLD_EXITED:
        by = f"it ended with exit code {status}"
    else:
        by = f"it was ended by signal {status}{_signal_name(status)}"
    return f"{by} (systemd: {result})" if result not in ("", "success") else by


def _signal_name(number: int) -> str:
    try:
        return f" ({signal.Signals(number).name})"
    except ValueError:
        return ""


def why_not_started_by_us(unit: str, found: Mapping[str, Any]) -> str:
    """What keeps the cluster from starting it, for people; "" when nothing does."""
    if found.get("LoadState") != "loaded":
        return f"systemd has no {unit} on this node ({found.get('LoadState')})"
    if found.get("UnitFileState") in ENABLED:
        return f"{unit} is enabled: systemd starts it at boot, past the cluster; on each node: systemctl disable {unit}"
    return ""
