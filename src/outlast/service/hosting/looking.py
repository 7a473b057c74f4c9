"""Which of these nodes could run a VM, disks and all?

Each is asked whether it could run the definition, and which disks it sees. That the same path is there proves nothing:
what one node writes beside a disk that is a file the others must be able to read, and of block devices each tells what
identifies them (`core/placement/same_disk.py`).
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath

import msgspec

from outlast.core.placement.same_disk import Disk, judge
from outlast.model.group import Blind
from outlast.model.health import Json
from outlast.model.survey import Answer

VM = "vm"
Ask = Callable[[Sequence[str], str, Mapping[str, Json]], Awaitable[Mapping[str, Answer]]]
"""Nodes, verb and arguments: what the VM plugin of each answers; a problem where it does not."""


@dataclass(frozen=True, slots=True)
class Sightings:
    problems: dict[str, list[str]] = field(default_factory=dict)
    """Per node, for people: what keeps it from running it. Also that it does not answer."""
    answers: dict[str, Blind | None] = field(default_factory=dict)
    """Per node that has answered: why it could not; None: it could (`core/placement/sight.py`)."""
    disks: tuple[str, ...] = ()
    """Where they are on the node whose disks count; empty when it has not said."""
    cannot_tell: str = ""
    """Why nobody can tell whether others see the same disks, for people."""


async def look(ask: Ask, definition: str, nodes: Sequence[str], home: str, token: str) -> Sightings:
    """`home`: whose disks count; "": those of the first that could run it. `token`: a word that nobody used before."""
    checks = await ask(nodes, "check", {"definition": definition})
    told = await ask(nodes, "disks", {"definition": definition})
    looking = _Looking(ask, nodes, token)
    for node in nodes:
        looking.answered(node, checks[node], told[node])
    await looking.compare(home)
    return looking.sightings()


class _Looking:
    def __init__(self, ask: Ask, nodes: Sequence[str], token: str) -> None:
        self._ask = ask
        self._nodes = nodes
        self._token = token
        self._problems: dict[str, list[str]] = {node: [] for node in nodes}
        self._disks: dict[str, list[Disk]] = {}
        self._silent: set[str] = set()
        """Nodes that did not answer, or not all: what was known of them stays."""
        self._unseen: dict[str, str] = {}
        """Node to a disk that it does not see."""
        self._doubts: dict[str, Blind] = {}
        self._cannot_tell = ""
        self._home = ""

    def answered(self, node: str, check: Answer, disks: Answer) -> None:
        if check.problem or disks.problem:
            self._silent.add(node)
            self._problems[node].append(check.problem or disks.problem)
            return
        self._problems[node] += [str(problem) for problem in check.result or ()]
        self._disks[node] = msgspec.convert(disks.result, list[Disk])
        for disk in self._disks[node]:
            if not disk.there:
                self._unseen.setdefault(node, disk.source)

    async def compare(self, home: str) -> None:
        able = [node for node in self._nodes if not self._problems[node]]
        home = self._home = home or next(iter(able), "")
        others = [node for node in able if node != home]
        if not others:
            return
        if home not in able:  # nobody to compare with: they see something there, and it may be something else
            if any(disk.written for node in others for disk in self._disks[node]):
                self._silent.update(others)
            return
        for node in others:
            self._compare_devices(home, node)
        places: dict[str, Disk] = {}
        for disk in self._disks[home]:
            if disk.written and disk.there and not disk.block:
                places.setdefault(str(PurePath(disk.path).parent), disk)
        for disk in places.values():
            await self._probe(home, [node for node in others if not self._problems[node]], disk)

    def _compare_devices(self, home: str, node: str) -> None:
        there = {disk.source: disk for disk in self._disks[node]}
        for mine in self._disks[home]:
            other = there.get(mine.source)
            found = judge(mine, other, home) if other is not None else None
            if found is None:
                continue
            if found.doubt:
                self._doubts.setdefault(node, found)
            else:
                self._lacks(node, found.disk, found.why)

    async def _probe(self, home: str, others: Sequence[str], disk: Disk) -> None:
        """Who sees the directory of this disk of `home`?"""
        if not others:
            return
        probe: dict[str, Json] = {"path": disk.path, "token": self._token}
        wrote = (await self._ask([home], "probe_write", probe))[home]
        if wrote.problem:
            self._cannot_tell = f"{home} cannot find out who else sees the disk {disk.source}: {wrote.problem}"
            for node in others:
                self._doubts.setdefault(node, Blind(self._cannot_tell, disk.source, doubt=True))
            return
        try:
            for node, answer in (await self._read(others, disk)).items():
                if answer.problem:
                    self._silent.add(node)
                    self._problems[node].append(answer.problem)
                elif answer.result is not True:
                    words = f"it does not see the disk {disk.source} of {home}; put it on storage that all nodes share"
                    self._lacks(node, disk.source, words)
        finally:
            await self._ask([home], "probe_clear", probe)

    async def _read(self, others: Sequence[str], disk: Disk) -> dict[str, Answer]:
        """Of each where it has that disk: a volume may lie elsewhere there."""
        paths: dict[str, list[str]] = {}
        for node in others:
            path = next((other.path for other in self._disks[node] if other.source == disk.source), disk.path)
            paths.setdefault(path, []).append(node)
        found: dict[str, Answer] = {}
        for path, nodes in paths.items():
            found |= await self._ask(nodes, "probe_read", {"path": path, "token": self._token})
        return found

    def _lacks(self, node: str, disk: str, why: str) -> None:
        self._problems[node].append(why)
        self._unseen.setdefault(node, disk)

    def sightings(self) -> Sightings:
        answers: dict[str, Blind | None] = {}
        for node in self._nodes:
            if node in self._silent:
                continue
            problems = self._problems[node]
            if problems:
                answers[node] = Blind("; ".join(problems), self._unseen.get(node, ""))
            else:
                answers[node] = self._doubts.get(node)
        paths = tuple(sorted({disk.path for disk in self._disks.get(self._home, ()) if disk.path}))
        return Sightings(self._problems, answers, paths, self._cannot_tell)
