"""How many OCF agents of Debian's package resource-agents answer through the adapter, which are left out, and why?

Prints one JSON line. Every agent is asked for its meta-data, and every one that this cluster can use is given what it
says that it needs, each parameter with a value of its kind, to validate. Agents that validate may look at anything, so
all of it happens in namespaces of its own (mounts, network, processes). Root; `python bench/ocf.py`.
"""

import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from outlast.resources.by_programs.driver import Acted, NotUsable
from outlast.resources.ocf import acting
from outlast.resources.ocf.exit_codes import MEANINGS, OK
from outlast.resources.ocf.metadata import Agent
from outlast.resources.ocf.refused import why_not
from outlast.resources.ocf.settings import Settings, problems
from outlast.resources.ocf.type import VALIDATE, validate

INSIDE = "--inside"
AT_ONCE = 4
WITHIN_S = 60.0
"""Some ask a cloud that is not there; their own advice may be less."""
NAMESPACES = ("unshare", "--mount", "--net", "--pid", "--fork", "--kill-child=SIGKILL", "--mount-proc")
VALUES = {"boolean": "true", "integer": "7"}


def main() -> None:
    if os.geteuid() != 0:
        print("bench/ocf.py needs root: agents are tried in namespaces", file=sys.stderr)
        sys.exit(3)
    if INSIDE not in sys.argv:
        os.execvp(NAMESPACES[0], [*NAMESPACES, sys.executable, __file__, INSIDE])
    began_s = time.monotonic()
    names = acting.installed()
    left_out: dict[str, str] = {}
    silent: dict[str, str] = {}
    codes: dict[str, int] = {}
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for name, outcome in zip(names, pool.map(outcome_of, names), strict=True):
            match outcome:
                case Agent() as agent:
                    codes[agent.full_name] = OK  # it has no validation of its own; its meta-data found nothing wrong
                case Acted() as answer if answer.code in MEANINGS and not answer.timed_out:
                    codes[name] = answer.code
                case Acted() as answer:
                    silent[name] = answer.words
                case NotUsable() as error:
                    silent[name] = str(error)
                case str() as why:
                    left_out[name] = why.partition("cannot be used: ")[2]
    counted = {MEANINGS[code].name: list(codes.values()).count(code) for code in sorted(set(codes.values()))}
    print(
        json.dumps(
            {
                "figure": "OCF agents of Debian that answer meta-data and validate",
                "in_package": len(names),
                "usable": len(names) - len(left_out),
                "answered": len(codes),
                "validate": counted,
                "did_not_answer": silent,
                "left_out": left_out,
                "s": round(time.monotonic() - began_s, 1),
            }
        )
    )


def outcome_of(name: str) -> "Agent | Acted | NotUsable | str":
    """Why it is left out; what its validation said; or itself, when it has none."""
    try:
        agent = acting.describe(name)
        why = why_not(agent, acting.ROOT / "resource.d" / agent.provider / agent.name)
        if why:
            return why
        needed = {p.name: VALUES.get(p.type, "x") for p in agent.parameters.values() if p.required and not p.default}
        settings = Settings(name, needed)
        wrong = problems(settings, agent)
        if wrong:
            return NotUsable("; ".join(wrong))
        return validate(settings, WITHIN_S) if VALIDATE in agent.timeouts_s else agent
    except NotUsable as error:
        return error


if __name__ == "__main__":
    main()
