"""Does what needs a shared volume leave a node that has lost it? Invariant 22.

While a node says that a volume is lost there, and another node that could take a group with its disks on it has said
all the while that it sees the volume, the group leaves within the volume's limit and what the steps may take: a live
migration that is tried in vain, being turned off, a poll. Judged in times in which nothing else is broken.

Which volumes a group needs is found out here once more, and not with the cluster's own eyes.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import msgspec

from outlast.model.group import Group, Wanted
from outlast.model.volume import VolumeState
from outlast.sim.facts import RECENTLY_S
from outlast.sim.room import Room
from outlast.sim.seen import Seen

_STEPS_S = 150.0
_TYPE = "shared_volume"


class Told(msgspec.Struct, frozen=True):
    """What of a session's record says how the volumes are there."""

    volumes: tuple[VolumeState, ...] = ()


_TOLD = msgspec.json.Decoder(Told)


@dataclass(slots=True)
class Volumes:
    facts: Seen
    room: Room
    since_s: dict[tuple[str, str], float] = field(default_factory=dict)
    """Node and volume that is lost there, and since when it has said so."""
    really: dict[tuple[str, str], float] = field(default_factory=dict)
    """Node and volume that it does not see, or did not lately: until when. By those who make the world."""
    judged: set[tuple[str, str]] = field(default_factory=set)

    def heard(self, node: str, session: bytes | None, whole_since_s: float) -> list[str]:
        """Its record was written, or deleted. Returns which groups should have gone by now, from wherever."""
        self._told(node, session)
        return list(self._late(whole_since_s))

    def _told(self, node: str, session: bytes | None) -> None:
        lost = {one.volume for one in _TOLD.decode(session).volumes if one.lost} if session is not None else set()
        for key in [key for key in self.since_s if key[0] == node and key[1] not in lost]:
            del self.since_s[key]
        for volume in lost:
            self.since_s.setdefault((node, volume), self.facts.now())

    def made(self, node: str, volume: str, *, lost: bool) -> None:
        """Somebody has just made it so."""
        if lost:
            self.really[node, volume] = float("inf")
        elif (node, volume) in self.really:
            self.really[node, volume] = self.facts.now() + RECENTLY_S

    def may_fail(self, node: str, volume: str) -> bool:
        """Who coordinates it there fails: he does not see it."""
        return self.facts.now() <= self.really.get((node, volume), float("-inf"))

    def _late(self, whole_since_s: float) -> Iterator[str]:
        """Groups that should have gone by now."""
        now_s = self.facts.now()
        for (node, volume), at_s in list(self.since_s.items()):
            resource = self.facts.resources.get(volume)
            limit_s = float(resource.properties.get("limit_s", 60.0)) if resource is not None else -1.0
            since_s = max(at_s, whole_since_s, self.facts.unrest_at_s)
            if limit_s < 0 or now_s - since_s < limit_s + _STEPS_S:
                continue
            for name, kept in self.facts.groups.items():
                group = kept.record
                stays = group.owner == node and (name, volume) not in self.judged and self._should_go(group, volume)
                if stays and self.room.fit(group) and now_s - kept.changed_at_s > limit_s + _STEPS_S:
                    self.judged.add((name, volume))
                    yield f"{name} is still on {node}, where the volume {volume} is lost for {now_s - at_s:.0f} s"

    def _should_go(self, group: Group, volume: str) -> bool:
        settings = self.facts.settings
        if group.wanted is Wanted.OFFLINE or group.maintenance or settings.hold or not settings.armed:
            return False
        resources = [self.facts.resources[name] for name in group.resources if name in self.facts.resources]
        if any(one.maintenance for one in resources) or group.failures:
            return False
        return volume in self.room.volumes_of(group)
