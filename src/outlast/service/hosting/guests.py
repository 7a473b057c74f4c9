"""Asks how it is inside what runs here, and does what is set about a guest that hangs or is not well.

Each question is a call of its own into the resource host, which answers it beside everything else: a guest that does
not answer holds up nobody. What is found out goes through `core/owner/heartbeat.py` and `probing.py`, and is told on
change: nothing is written while all is well.
"""

import asyncio
import zlib

import structlog

from outlast.core.owner import heartbeat, probing
from outlast.core.owner.heartbeat import Beats, H, Remedy
from outlast.core.owner.probing import P, Probed
from outlast.core.owner.resource import S
from outlast.model.group import Group
from outlast.model.guest import GuestCare, GuestStatus, OnHang, Probe, ProbeStatus
from outlast.model.health import Halt
from outlast.model.inside import Finding, Inquiry
from outlast.ports.environment import Environment
from outlast.ports.hosts import CallFailed, HostDied
from outlast.service.hosting.halted import Halting
from outlast.service.hosting.hosts import CallTimedOut, HostKeeper, own_host
from outlast.service.hosting.local import Local, Remark
from outlast.service.hosting.resources import Resources
from outlast.service.store import Store

log = structlog.get_logger()

INQUIRE = "inquire"
"""Among the functions of a type: something lives in its resources that can be asked."""
IDLE_S = 1.0
SOONEST_S = 0.05
BEYOND_S = 20.0
"""What an inquiry may take beside twice its own limit: the turn of others, and libvirt, which has limits of its own."""
RESET_S = 5.0
"""Not later: what hung when that was decided may be well by then."""
KNOWN_S = 5.0
"""So long it may take until the database knows of a reset that is about to be."""
HEARTBEAT = ""
"""As the key of a question; a probe's is its name."""
_GOES_ON = (S.DETACHED, S.OPENING, S.UNCERTAIN, S.HANDING_OVER, S.CALLING_BACK)
"""It may be the same guest afterwards."""


class Inside:
    """What is known of one guest, at one epoch of its group."""

    def __init__(self, epoch: int, incidents: int) -> None:
        self.epoch = epoch
        self.incidents = incidents
        self.beats = Beats()
        self.probed: dict[str, Probed] = {}
        self.next_at_s: dict[str, float] = {}
        self.asking: set[str] = set()
        self.resets_s: list[float] = []
        self.resetting = False
        """A reset is about to be, or is under way."""
        self.last_beat_at_s = 0.0
        self.began = 0
        """Up by one with each new start of the guest: an answer to an older question is none."""

    def begin_anew(self) -> None:
        """Another life of the guest; what was tried for it stays counted."""
        self.began += 1
        self.beats = Beats()
        self.probed.clear()

    def pause(self) -> None:
        self.beats = heartbeat.unseen(self.beats)


class Guests:
    def __init__(
        self, store: Store, env: Environment, resources: Resources, hosts: HostKeeper, halting: Halting
    ) -> None:
        self._store = store
        self._env = env
        self._resources = resources
        self._hosts = hosts
        self._halting = halting
        self._insides: dict[str, Inside] = {}

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            while True:
                now = self._env.clock.now()
                inhabited = {name for name, offer in self._hosts.offers().items() if INQUIRE in offer.functions}
                locals_ = self._resources.locals
                for name in [name for name in self._insides if name not in locals_]:
                    del self._insides[name]
                next_s = now + IDLE_S
                for local in list(locals_.values()):
                    if local.resource.type not in inhabited:
                        continue
                    self._halting.look(local, tasks)
                    inside = self._followed(local)
                    if inside is None:
                        continue
                    for key, interval_s in _questions(local.resource.guest, inside):
                        due_s = inside.next_at_s.setdefault(key, _first_s(now, interval_s, local.name + key))
                        if due_s - interval_s > now:
                            due_s = inside.next_at_s[key] = now + interval_s  # it is asked more often from now on
                        if due_s <= now and key not in inside.asking:
                            inside.next_at_s[key] = due_s = now + interval_s
                            inside.asking.add(key)
                            tasks.create_task(self._ask(local, inside, key))
                        next_s = min(next_s, due_s)
                await asyncio.sleep(max(SOONEST_S, next_s - now))

    def _followed(self, local: Local) -> Inside | None:
        """What is known of its guest; None: there is nothing to ask now."""
        group = self._resources.records.group(local)
        if group is None or group.owner != self._store.me:
            self._insides.pop(local.name, None)
            return None
        inside = self._insides.get(local.name)
        if inside is None or inside.epoch != group.epoch:
            inside = self._insides[local.name] = self._begun(local, group)
            local.guest_known = True
        if inside.incidents != local.incidents:
            inside.incidents = local.incidents
            inside.begin_anew()
        if local.state is not S.ONLINE:
            if local.state in _GOES_ON:
                inside.pause()
            else:
                inside.begin_anew()
                local.guest = None
            return None
        care, records = local.resource.guest, self._resources.records
        if not (care.heartbeat or care.probes):
            self._tell(local, inside)
            return None
        if local.halt is not Halt.NOTHING:
            inside.beats = heartbeat.stands(inside.beats)
            self._tell(local, inside)
            return None
        if not local.opened or local.is_stopping or records.maintenance(local):
            inside.pause()
            return None
        return inside if records.permitted(local) else None

    def _begun(self, local: Local, group: Group) -> Inside:
        """A service that was started again goes on where the last one was: it must not reset more often for that."""
        inside = Inside(group.epoch, local.incidents)
        status = self._store.statuses.get(group.name)
        if status is None or (status.epoch, status.node) != (group.epoch, self._store.me):
            return inside
        reported = status.resources.get(local.name)
        if reported is not None and reported.guest is not None and status.incarnation == self._env.incarnations.load():
            known = reported.guest
            inside.beats = Beats(state=H.ANSWERS if known.came else H.AWAITED, came=known.came)
            inside.last_beat_at_s = known.last_beat_at_s
            inside.resets_s = [self._env.clock.now()] * known.resets
        return inside

    async def _ask(self, local: Local, inside: Inside, key: str) -> None:
        care = local.resource.guest
        probe = next((one for one in care.probes if one.name == key), None)
        if key != HEARTBEAT and probe is None:
            inside.asking.discard(key)
            return
        inquiry = _inquiry(care, probe)
        changes, began, incidents = local.changes, inside.began, local.incidents
        try:
            found = await self._hosts.call(
                local.resource.type,
                "inquire",
                2 * inquiry.timeout_s + BEYOND_S,
                lambda host, _: host.inquire(local.name, inquiry),
                blame=False,
                alone=own_host(local.resource),
            )
        except (CallFailed, CallTimedOut, HostDied) as error:
            log.warning("cannot ask how a guest is", resource=local.name, why=str(error))
            return
        finally:
            inside.asking.discard(key)
        same = self._insides.get(local.name) is inside and (changes, began) == (local.changes, inside.began)
        if not same or incidents != local.incidents or local.state is not S.ONLINE or local.halt is not Halt.NOTHING:
            return
        if probe is None:
            await self._heard(local, inside, found)
        else:
            self._probed(local, inside, probe, found)

    # -- the heartbeat -----------------------------------------------------------------------------------------------

    async def _heard(self, local: Local, inside: Inside, found: Finding) -> None:
        now, care = self._env.clock.now(), local.resource.guest
        before = inside.beats
        inside.beats = after = heartbeat.looked(before, found, care, now)
        if after.state is H.ANSWERS:
            inside.last_beat_at_s = self._env.clock.wall()
            if before.state is H.HANGS or (not before.came and inside.resets_s):
                self._remark(local, "guest", "answers again", "")
        if after.state is H.HANGS is not before.state:
            silent_s = now - (after.answered_at_s or now)
            for_s = f" for {silent_s:.0f} s" if after.answered_at_s is not None else ""
            idle = "on_hang is report" if care.on_hang is OnHang.REPORT else self._in_the_way(local)
            more = f"; nothing is done about it: {idle}" if idle else ""
            words = f"no answer{for_s}, and no work for {after.none} looks in a row{more}"
            self._remark(local, "guest", "hangs", words)
        inside.resets_s = heartbeat.within(inside.resets_s, care.reset_period_s, now)
        what = heartbeat.remedy(after, care, len(inside.resets_s), self._in_the_way(local))
        self._tell(local, inside)
        if inside.resetting:
            return
        match what:
            case Remedy.NOTHING:
                pass
            case Remedy.RESET:
                inside.resetting = True
                try:
                    await self._reset(local, inside)
                finally:
                    inside.resetting = False
            case Remedy.FAIL:
                spent = f"{len(inside.resets_s)} resets within {care.reset_period_s:g} s did not help"
                self._fail(
                    local, f"its guest hangs, and {spent if care.resets else 'it is not to be reset'}", here=False
                )

    def _in_the_way(self, local: Local) -> str:
        """Why nothing is done about a guest that hangs."""
        known = [inside.beats for inside in self._insides.values() if inside.beats.came]
        lifeless = sum(beats.none > 0 for beats in known)
        return self._resources.records.left_alone(local) or heartbeat.together(lifeless, len(known))

    async def _reset(self, local: Local, inside: Inside) -> None:
        care = local.resource.guest
        if not local.is_idle:
            return  # it is about to be stopped, or handed over
        inside.resets_s.append(self._env.clock.now())  # also one that fails counts
        changes, incidents = local.changes, local.incidents
        self._tell(local, inside)
        # Before it is done: a service that comes after this one must know how often it was.
        known = await self._is_known(local, inside)
        same = (local.changes, local.incidents) == (changes, incidents) and inside.beats.state is H.HANGS
        if not known or not same or not local.is_idle or self._in_the_way(local):
            inside.resets_s.pop()
            self._tell(local, inside)
            return  # the next look that finds nothing is the next attempt
        how_often = f"{len(inside.resets_s)} of {care.resets} within {care.reset_period_s:g} s"
        self._remark(local, "guest-reset", f"is reset ({how_often})", "its guest hangs")
        inside.begin_anew()
        self._tell(local, inside)
        until_s = self._env.clock.now() + RESET_S
        try:
            await self._hosts.call(
                local.resource.type,
                "reset",
                RESET_S,
                lambda host, _: host.reset(local.name, until_s),
                blame=False,
                alone=own_host(local.resource),
            )
        except (CallFailed, CallTimedOut, HostDied) as error:
            self._remark(local, "guest", "could not be reset", str(error))
            # It has not begun anew; the next look that finds nothing is the next attempt.
            none = max(0, care.heartbeat_threshold - 1)
            inside.beats = Beats(state=H.QUIET, came=True, none=none)

    async def _is_known(self, local: Local, inside: Inside) -> bool:
        """Does the database know of all its resets?"""
        count, group = len(inside.resets_s), local.resource.group
        try:
            async with asyncio.timeout(KNOWN_S):
                while True:
                    status = self._store.statuses.get(group)
                    one = status.resources.get(local.name) if status is not None else None
                    told = one.guest.resets if one is not None and one.guest is not None else 0
                    if status is not None and status.epoch == inside.epoch and told >= count:
                        return True
                    await asyncio.sleep(SOONEST_S)
        except TimeoutError:
            return False

    # -- probes ------------------------------------------------------------------------------------------------------

    def _probed(self, local: Local, inside: Inside, probe: Probe, found: Finding) -> None:
        before = inside.probed.get(probe.name, Probed())
        inside.probed[probe.name] = after = probing.heard(before, found, probe)
        if after.state is P.RED is not before.state:
            self._remark(local, "guest", "is not well", f"the probe {probe.name} is red: {after.why}")
        elif before.state is P.RED and after.state is P.GREEN:
            self._remark(local, "guest", "is well again", f"the probe {probe.name} is green")
        self._tell(local, inside)
        if probing.has_failed(after, probe) and not self._resources.records.left_alone(local):
            inside.begin_anew()
            self._fail(local, f"the probe {probe.name} is red: {after.why}", here=True)

    # -- what comes of it --------------------------------------------------------------------------------------------

    def _fail(self, local: Local, why: str, *, here: bool) -> None:
        """`here`: may it be restarted where it is? Else that was tried already, as far as it goes."""
        group = self._resources.records.group(local)
        if group is None:
            return
        if not here:
            local.spent_epoch = group.epoch
        if not_done := self._resources.fail(local.name, group.epoch, why):
            log.warning("it did not fail for its guest", resource=local.name, why=not_done)

    def _remark(self, local: Local, kind: str, what: str, why: str) -> None:
        words = f"{local.name} {what} on {self._store.me}" + (f": {why}" if why else "")
        self._resources.remarks.append(Remark(kind, words, local.resource.group))
        self._resources.changed.set()

    def _tell(self, local: Local, inside: Inside) -> None:
        care, beats = local.resource.guest, inside.beats
        probed = {probe.name: inside.probed.get(probe.name, Probed()) for probe in care.probes}
        silent = beats.came and beats.state is not H.ANSWERS
        told = GuestStatus(
            heartbeat=(beats.state if care.heartbeat else H.UNWATCHED).value,
            came=beats.came,
            last_beat_at_s=inside.last_beat_at_s if silent or beats.state is H.AWAY else 0.0,
            resets=len(inside.resets_s),
            probes={name: ProbeStatus(one.state.value, one.why) for name, one in probed.items()},
            green=probing.all_green(probed.values()),
        )
        # A VM whose guest has said nothing so far, and need not, is as one without a guest: not worth a word.
        quiet = not (beats.came or probed or inside.resets_s or inside.last_beat_at_s)
        if local.guest != (now := None if quiet else told):
            local.guest = now
            self._resources.changed.set()


def _inquiry(care: GuestCare, probe: Probe | None) -> Inquiry:
    """None: the heartbeat. Nobody may take longer to answer than until he is asked again."""
    if probe is None:
        return Inquiry(timeout_s=min(care.heartbeat_timeout_s, care.heartbeat_interval_s))
    return Inquiry(probe.asks, probe.what, min(probe.timeout_s, probe.interval_s))


def _questions(care: GuestCare, inside: Inside) -> list[tuple[str, float]]:
    """What is asked, and how often. Where there is no agent now, there is none until the next start."""
    asked = care.heartbeat and inside.beats.state is not H.UNWATCHED
    beat = [(HEARTBEAT, care.heartbeat_interval_s)] if asked else []
    return [*beat, *((probe.name, probe.interval_s) for probe in care.probes)]


def _first_s(now_s: float, interval_s: float, key: str) -> float:
    """Spread over the interval: many guests are not asked in the same moment."""
    return now_s + interval_s * (zlib.crc32(key.encode()) % 1000 + 1) / 1000
