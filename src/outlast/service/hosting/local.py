"""One resource as it stands on this node."""

import asyncio

import msgspec

from outlast.core.owner.duty import Here
from outlast.core.owner.own_stop import OwnStop
from outlast.core.owner.resource import S
from outlast.model.group import Came, Group, Resource, Wanted
from outlast.model.guest import GuestStatus
from outlast.model.health import Halt, Health
from outlast.model.saved import SavedState
from outlast.model.status import Handover


class Remark(msgspec.Struct, frozen=True):
    """Something worth an event, to be written when the database can be reached."""

    kind: str
    words: str
    group: str = ""


class Told(msgspec.Struct, frozen=True):
    """What was done with a resource past the cluster is being written down: it may be done, or not."""

    before: int
    """The group's count of intents without it."""
    intents: int
    wanted_by: str
    """As the group's record has it from then on."""
    wanted: Wanted

    def stands(self, group: Group, resource: Resource) -> bool:
        known = (group.intents, group.wanted_by) == (self.intents, self.wanted_by)
        return known and (self.intents != self.before or resource.wanted is self.wanted)


class Kept:
    """What is known here of the state of a resource that is put away, or gone on from."""

    stop = ""
    """The stop that it is being saved for."""
    wish = (0, 0, 0)
    """By which it is being saved: epoch, intents, moves of its group."""
    ran = False
    """It ran when that began: what is saved then is newer than all that it has run otherwise."""
    failed: tuple[int, int, int] | None = None
    """The wish by which it could not be saved."""
    why = ""
    """And why."""
    unfinished = ""
    """For that stop it was being saved, by a service or a host that is gone."""
    saved: SavedState | None = None
    """It was saved here, and the record is to say so."""
    taking: tuple[SavedState, str] | None = None
    """About to be taken out of the record, and as what this will stand there."""
    taken: SavedState | None = None
    """Taken out of the record by this service: it may go on from it, once."""
    token = ""
    """As what that stands in the record: who reads another word there has lost it."""
    put_back: SavedState | None = None
    """Taken, and nothing ran: the record is to have it again."""
    found = ""
    """What somebody has saved past the cluster, and it is known."""
    past = ""
    """The state that is of the past: it has run here since."""


class Local:
    """One resource as it stands on this node."""

    started_at = -1
    """The group's count of intents when somebody started it past the cluster while it was in maintenance: that is no
    intent, and is left alone until the maintenance ends or an administrator speaks."""

    returns_s: tuple[float, ...] = ()
    """When it was brought online again after somebody had stopped it past the cluster."""
    began_s = float("-inf")
    """When it began to run here, or was last asked to, while it was known to be off or stood still."""
    stands: bool = False
    """So its plugin has last said: it does not go on by itself just now, for whatever reason."""
    paused: bool | None = None
    """Somebody at this node's console has it stand still; None: nobody has looked."""
    handover: Handover | None = None
    """What becomes of handing it over to another node, for the latest wish to move it that was tried."""
    handing: tuple[str, int] = ("", 0)
    """To which node it is on its way, or where it stands, and at which epoch that began; also when an earlier service
    had begun it. At another epoch it says nothing."""
    handing_since = 0.0
    """When that began, by this node's clock."""
    handed_how = ""
    """How it went, for people; empty when an earlier service had begun it."""
    receives_epoch = -1
    """The epoch at which it was last to be received here, from an owner that hands it over."""
    left_at = -1
    """The group's count of intents when it was found to have been migrated away past the cluster."""
    left_in = ""
    """In which life of this node that was found."""
    stray_since: float | None = None
    """Since when something is here, and complete, that no record says anything of."""
    stray_epoch = -1
    """The epoch of its group at that time."""
    stray_owner_life = ""
    """In which life its group's owner was at that time."""
    heard_since = 0.0
    """From when on its owner's session tells that he lives, and would have said what runs there."""
    owner_was_dead = False
    """By proof, when it came to be here."""
    came: Came | None = None
    """How it came to run here past the cluster, while it is not this node's."""
    just_started = False
    """It was seen to be started here, past the cluster, when nothing else was known of it."""
    refused = ""
    """Why what came so may not become this node's."""
    arrives = False
    """What stands still here is still coming over from another node."""
    expected = False
    """The records said, since it is here, that the cluster itself hands it over to this node."""
    claim: Health | None = None
    """What its plugin says of it, and the second witness is being asked about."""
    retracted = False
    """Its plugin has said something else since."""
    doubt = ""
    """Why its plugin's word is not believed; empty while it is."""
    missed = 0
    """So often in a row its type did not list it, while it said that it runs."""
    halt = Halt.NOTHING
    """What has stopped it while it is online."""
    incidents = 0
    """Up by one when its guest was started anew past the cluster: rebooted, say."""
    guest: GuestStatus | None = None
    """How it is inside, as it is to be told."""
    guest_known = False
    """Has anybody looked? Until then what an earlier service told of it still stands."""
    redefined = False
    """Its definition in the database is another one than its host was told."""

    def __init__(self, resource: Resource, now: float) -> None:
        self.resource = resource
        self.state = S.DETACHED
        self.why = ""
        self.since = now
        """When it came into its state, as the cluster is told it."""
        self.changes = 0
        """Up by one with each change of state: an answer to an older question is no longer one."""
        self.opened = False
        """Does the present host have it open?"""
        self.opened_as = resource
        """What its host was told when it opened it."""
        self.formerly: Resource | None = None
        """As it is open in the host that it had before, until the present one has it open too."""
        self.answers = False
        """What runs in it said so, when it was last asked."""
        self.must_stop = ""
        """Why it must not run here, whatever the group's record says; empty when the record decides."""
        self.last_known: S | None = None
        """The last state in which it could be told what runs, whatever can be told of it now."""
        self.stop = OwnStop.NONE
        """The cluster's own stop of it, also one that an earlier service had begun."""
        self.failed_epoch = -1
        self.failed_at_s = 0.0
        self.spent_epoch = -1
        """At that epoch it is not restarted here any more: an earlier service of this life had said that it failed."""
        self.restarts_s: list[float] = []
        """When it was restarted here, at the epoch `restarts_epoch`."""
        self.restarts_epoch = -1
        self.switched_off = ""
        """Somebody switched it off on purpose, and the records do not know it yet: how."""
        self.switched_on = ""
        self.switched_at = -1
        """The group's count of intents when that was seen: a later word of an administrator wins."""
        self.told: Told | None = None
        """The report of one of these that is under way: what is done meanwhile comes after it."""
        self.here: Here | None = None
        """As it stood when its duty was last looked at; None: its group is not this node's to look at."""
        self.again = ""
        """How it is about to be tried again here, for people."""
        self.announced = False
        """The reporter is to tell that it is about to be brought online."""
        self.kept = Kept()
        self.hung = False
        """A call of it still hangs in its host."""
        self.task: asyncio.Task[None] | None = None

    @property
    def name(self) -> str:
        return self.resource.name

    @property
    def is_idle(self) -> bool:
        """No call is under way for it."""
        return self.task is None or self.task.done()

    @property
    def is_well(self) -> bool:
        """What runs in it says so: all its probes, where it has some, else it answers."""
        if self.resource.guest.probes:
            return self.guest is not None and self.guest.green
        return self.answers

    @property
    def is_stopping(self) -> bool:
        """Its orderly stop was begun by an earlier service, or through a host that died; and it still runs."""
        return self.state is S.ONLINE and self.stop is OwnStop.BEGUN

    def handing_to(self, group: Group) -> str:
        """ "": it is not handed over at the present epoch."""
        to, epoch = self.handing
        return to if epoch == group.epoch else ""

    def handed_over(self, group: Group) -> Handover | None:
        """What became of that at the present epoch; that it is done only while nothing else has become of it since."""
        said = self.handover
        if said is None or not self.handing_to(group) or (said.done and self.state is not S.HANDED_OVER):
            return None
        return said if said.done or said.move == group.moves else None

    def left_by_hand(self, group: Group) -> bool:
        """Was it migrated away past the cluster, and has no administrator spoken since?"""
        return self.state in (S.HANDED_OVER, S.OFFLINE) and self.left_at == group.intents

    @property
    def is_outdated(self) -> bool:
        """It is another thing than its host was told: that counts from its next start."""
        if self.redefined:
            return True
        was, now = self.opened_as, self.resource
        return _told(was) != _told(now)


def _told(resource: Resource) -> tuple[object, ...]:
    """What a host is told of it."""
    return resource.type, resource.identity, resource.properties, resource.state_dir
