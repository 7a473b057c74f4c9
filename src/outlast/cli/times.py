"""How are times and durations written for people?"""

import time


def clock(at_s: float) -> str:
    """Local time of day with milliseconds."""
    milliseconds = round(at_s * 1000)
    return f"{time.strftime('%H:%M:%S', time.localtime(milliseconds // 1000))}.{milliseconds % 1000:03d}"


def day(at_s: float) -> str:
    return time.strftime("%Y-%m-%d", time.localtime(at_s))


def moment(at_s: float) -> str:
    return f"{day(at_s)} {clock(at_s)}"


def duration(seconds: float) -> str:
    if seconds >= 2 * 3600:
        return f"{seconds / 3600:.3g} h"
    if seconds >= 120:
        return f"{seconds / 60:.3g} min"
    return f"{seconds:.1f} s" if seconds >= 10 else f"{seconds:.2f} s"


def setting(seconds: float) -> str:
    """A time that somebody has set: exactly as it is."""
    if seconds >= 3600 and seconds % 3600 == 0:
        return f"{seconds / 3600:g} h"
    return f"{seconds:g} s"
