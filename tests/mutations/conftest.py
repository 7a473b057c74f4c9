"""The table of mutations at the end of a test run: which rule, what was broken, and who found it."""

from collections.abc import Sequence
from typing import Any

from mutations.mutation import Mutation

TABLE = "mutation"
"""The property of a test's report that holds its row; so it reaches whoever prints, also from another process."""


def row(mutation: Mutation, found_by: Sequence[str]) -> tuple[int, str, str, str]:
    return mutation.rule, mutation.name, mutation.words, found_by[0] if found_by else "NOBODY"


def pytest_terminal_summary(terminalreporter: Any) -> None:
    rows: list[tuple[int, str, str, str]] = []
    for kind in ("passed", "failed"):
        for report in terminalreporter.stats.get(kind, ()):
            rows += [value for name, value in getattr(report, "user_properties", ()) if name == TABLE]
    if rows:
        terminalreporter.section("the rules of safety, each broken on purpose, and who noticed")
    for rule, name, words, found_by in sorted(map(tuple, rows)):
        terminalreporter.write_line(f"{rule:2}  {name}: {words} -> {found_by}")
