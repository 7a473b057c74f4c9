"""Which versions of etcd may carry a cluster? All from 3.4 on work; some have faults that one must know of."""

RECOMMENDED = "3.6 or newer"

_LEASES_AND_WATCHES = {(3, 4): 31, (3, 5): 13}
"""From this patch on, live leases are not revoked and watches lose nothing to a compaction."""


def parse(version: str) -> tuple[int, int, int] | None:
    """None for what is no version, like that of a build from a branch."""
    numbers = version.partition("-")[0].split(".")
    if len(numbers) != 3 or not all(number.isdecimal() for number in numbers):
        return None
    major, minor, patch = map(int, numbers)
    return major, minor, patch


def warning(version: str) -> str:
    """What is to be said about it, or ""."""
    parsed = parse(version)
    if parsed is None:
        return f'etcd says that its version is "{version}", which Outlast does not know; use {RECOMMENDED}'
    major, minor, patch = parsed
    if (major, minor) < (3, 4):
        return f"etcd {version} is too old for Outlast; use {RECOMMENDED}"
    if (major, minor) == (3, 5) and patch < 3:
        return f"etcd {version} can lose data when it ends in a crash: never use it in production; use {RECOMMENDED}"
    fixed = _LEASES_AND_WATCHES.get((major, minor))
    if fixed is not None and patch < fixed:
        return (
            f"etcd {version} has faults that are mended in {major}.{minor}.{fixed}; Outlast works around those that it "
            f"knows, but use {RECOMMENDED}"
        )
    return ""
