"""What guests and disks do in random worlds, drawn from dice of its own, so that the faults of a seed are the same with
and without it.

Where guests hang, beats are quick, so that something comes of it in the time of a seed.
"""

from random import Random

AILING = 0.4
"""So many worlds have guests that hang or ail, and disks that fail."""
_MEAN_PAUSE_S = 12.0
_WORDS = ("", " agent", " agent hang=reset", " agent hang=reset resets=1", " agent hang=reset panic=keep probe=restart")
_MORE = ("", " io=wait", " io=move iolimit=3", " io=move iolimit=3")

_KINDS = ("hang", "hang", "hang", "busy", "leave", "ail", "reboot", "panic", "disk", "disk")

Lines = list[tuple[float, str]]


def of_vm(dice: Random, said: str) -> str:
    """What is set for a VM. `said`: what is set for it already."""
    words = dice.choice(_WORDS)
    words = words.replace(" agent", "") if " agent" in said else words
    return f"{words}{dice.choice(_MORE)} beat={dice.choice((0.5, 1, 2))}"


def deeds(dice: Random, nodes: list[str], vms: list[str], until_s: float) -> Lines:
    """Lines with their times."""
    found: Lines = []
    at_s = dice.uniform(5.0, 20.0)
    while at_s < until_s:
        # Now and then all at once, as when their storage is away.
        hit = vms if dice.random() < 0.1 else [dice.choice(vms)]
        kind = dice.choice(_KINDS)
        found += [(at_s + after_s, line) for vm in hit for after_s, line in _deed(dice, kind, nodes, vm)]
        at_s += dice.expovariate(1 / _MEAN_PAUSE_S)
    return sorted(found)


def _deed(dice: Random, kind: str, nodes: list[str], vm: str) -> Lines:
    for_s = dice.choice((dice.uniform(0.1, 5.0), dice.uniform(5.0, 60.0)))
    match kind:
        case "hang":
            again = f" again={dice.randint(1, 6)}" if dice.random() < 0.6 else ""
            return [(0.0, f"guest hang {vm}{again}"), (for_s, f"guest wake {vm}")]
        case "busy":
            return [(0.0, f"guest hang {vm} busy"), (for_s, f"guest wake {vm}")]
        case "leave":
            return [(0.0, f"guest leave {vm}"), (for_s, f"guest wake {vm}")]
        case "ail":
            return [(0.0, f"guest ail {vm}"), (for_s, f"guest recover {vm}")]
        case "reboot":
            return [(0.0, f"guest reboot {vm}")]
        case "panic":
            return [(0.0, f"guest panic {vm}")]
        case _:
            where = dice.choice((*nodes, "all"))
            full = dice.choice(("", "", " full"))
            return [(0.0, f"storage fails {vm} {where}{full}"), (for_s, f"storage mends {vm} {where}")]
