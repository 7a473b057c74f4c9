"""Who has tried to sign in too often? For each name and each address, so many failures within a time; then a wait.

A machine, fed with failures and the time. It forgets what is over, and what it keeps is bounded: who tries with ever
new names is stopped by the address.
"""

import msgspec

WINDOW_S = 300.0
PER_USER = 10
PER_ADDRESS = 20
MOST_KEPT = 10_000


class Failures(msgspec.Struct):
    times: dict[tuple[str, str], list[float]] = msgspec.field(default_factory=dict)


def wait_s(failures: Failures, user: str, address: str, now: float) -> float:
    """For how long neither may try again; 0: it may now."""
    waits = [
        _wait(failures.times.get(("user", user), []), PER_USER, now),
        _wait(failures.times.get(("address", address), []), PER_ADDRESS, now),
    ]
    return max(waits)


def failed(failures: Failures, user: str, address: str, now: float) -> None:
    for key in (("user", user), ("address", address)):
        recent = [at for at in failures.times.pop(key, []) if now - at < WINDOW_S]
        failures.times[key] = [*recent, now][-max(PER_USER, PER_ADDRESS) :]
    while len(failures.times) > MOST_KEPT:
        failures.times.pop(next(iter(failures.times)))


def succeeded(failures: Failures, user: str, address: str) -> None:
    """The last one was none. Of the address no more is forgotten: a right password must not pay for many wrong ones."""
    failures.times.pop(("user", user), None)
    del failures.times.get(("address", address), [])[-1:]


def forgiven(failures: Failures, user: str, address: str) -> None:
    """The last one said nothing of a password."""
    for key in (("user", user), ("address", address)):
        del failures.times.get(key, [])[-1:]


def _wait(times: list[float], most: int, now: float) -> float:
    recent = [at for at in times if now - at < WINDOW_S]
    return recent[-most] + WINDOW_S - now if len(recent) >= most else 0.0
