"""How a VM's guest is looked after and how it is, in words."""

from outlast.cli import times
from outlast.cli.output import Cell
from outlast.model.answers import ResourceRow
from outlast.model.guest import GuestCare, GuestStatus, OnHang, OnIoError, OnPanic

Field = tuple[str, Cell | str]
HANGS = "hangs"


def about(row: ResourceRow) -> list[Field]:
    care = row.guest
    if care is None:
        return []
    return [
        ("guest", Cell(state(care, row.guest_status), "red" if _ails(row.guest_status) else "")),
        ("resets used", _resets(care, row.guest_status)),
        ("its agent is asked", _asked(care)),
        ("when it hangs", when_it_hangs(care)),
        ("when it panics", _when_it_panics(care)),
        ("on an I/O error", _on_io_error(care)),
        *_probes(row),
    ]


def state(care: GuestCare, status: GuestStatus | None) -> str:
    if not care.heartbeat:
        return "not watched (heartbeat is off)"
    if status is None or status.heartbeat == "not watched":
        return "not watched: no agent of it has answered since it was started"
    since = f"; its agent answered last at {times.moment(status.last_beat_at_s)}" if status.last_beat_at_s else ""
    return f"{status.heartbeat}{since}"


def _ails(status: GuestStatus | None) -> bool:
    return status is not None and status.heartbeat == HANGS


def _resets(care: GuestCare, status: GuestStatus | None) -> str:
    if care.on_hang is OnHang.REPORT and (status is None or not status.resets):
        return ""
    return f"{status.resets if status is not None else 0} of {care.resets} within {times.setting(care.reset_period_s)}"


def _asked(care: GuestCare) -> str:
    if not care.heartbeat:
        return ""
    return (
        f"every {times.setting(care.heartbeat_interval_s)}; it hangs after {care.heartbeat_threshold} times without an "
        "answer and without work"
    )


def when_it_hangs(care: GuestCare) -> str:
    if care.on_hang is OnHang.REPORT:
        return "that is told, and nothing is done"
    often = "once" if care.resets == 1 else f"up to {care.resets} times"
    reset = f"it is reset, {often} within {times.setting(care.reset_period_s)}; then " if care.resets else ""
    return f"{reset}it has failed"


def _when_it_panics(care: GuestCare) -> str:
    return "it has failed" if care.on_panic is OnPanic.RESTART else "it is kept as it is"


def _on_io_error(care: GuestCare) -> str:
    if care.on_io_error is OnIoError.WAIT:
        return "it waits until its disk answers again"
    limit = times.setting(care.io_error_limit_s)
    return f"it waits {limit} until its disk answers again; then it has failed, when another node sees its disks answer"


def _probes(row: ResourceRow) -> list[Field]:
    known = row.guest_status.probes if row.guest_status is not None else {}
    found: list[Field] = []
    for probe in row.guest.probes if row.guest is not None else ():
        status = known.get(probe.name)
        words = f"{status.state}: {status.why}" if status and status.why else status.state if status else "not asked"
        colour = "red" if status is not None and status.state == "red" else ""
        found.append((f"probe {probe.name}", Cell(words, colour)))
    return found
