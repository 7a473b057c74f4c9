"""Draws docs/resource-states.md from the table in core/owner/resource.py; run as a script, it rewrites the page."""

import sys
from pathlib import Path

from outlast.core.owner.resource import PUBLISHED, TRANSITIONS, Call, E, S

PAGE = Path(__file__).parents[2] / "docs" / "resource-states.md"
BEGIN = "<!-- drawn from core/owner/resource.py -->"
END = "<!-- end of what is drawn -->"


def drawn() -> str:
    """A diagram of all transitions, and a table of the states."""
    lines = [BEGIN, "", "```mermaid", "stateDiagram-v2", f"    [*] --> {_id(S.DETACHED)}"]
    lines += [f'    state "{state.value}" as {_id(state)}' for state in S]
    lines += [f"    {_id(old)} --> {_id(new)} : {', '.join(events)}" for (old, new), events in _edges().items()]
    lines += ["```", "", "| state on the node | what the cluster is told | ways out |", "|---|---|---|"]
    for state in S:
        ways = [_way(event, new, call) for (old, event), (new, call) in TRANSITIONS.items() if old is state]
        lines.append(f"| {state.value} | {PUBLISHED[state].value} | {'; '.join(ways)} |")
    return "\n".join([*lines, "", END])


def _edges() -> dict[tuple[S, S], list[str]]:
    """One arrow for all events that lead from one state to another."""
    found: dict[tuple[S, S], list[str]] = {}
    for (old, event), (new, _) in TRANSITIONS.items():
        found.setdefault((old, new), []).append(event.value)
    return found


def _way(event: E, new: S, call: Call) -> str:
    return f"*{event.value}*: {new.value}" + (f", calls `{call.value}`" if call is not Call.NONE else "")


def _id(state: S) -> str:
    return state.name.lower()


def redrawn(page: str) -> str:
    """The page with what is drawn made new."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + drawn() + after


if __name__ == "__main__":
    PAGE.write_text(redrawn(PAGE.read_text()))
    sys.stdout.write(f"{PAGE} is drawn anew\n")
