"""What do healthy members of the database look like? n1, n2, ... are nodes, w1 is a witness; all have caught up."""

import msgspec

from outlast.core.quorum.voting import VoteView
from outlast.model.member import Member, MemberRecord, MemberStatus, Part
from outlast.model.roll import Roll, Stage

MACHINES = ("n1", "n2", "n3", "n4", "n5", "n6", "n7", "n8", "n9", "w1")
INDEX = 50_000


def url(name: str) -> str:
    return f"https://{name}:2380"


def voters(*names: str) -> tuple[Member, ...]:
    return tuple(Member(f"id-{name}", name, (url(name),), (f"https://{name}:2379",)) for name in names)


def learner(name: str) -> Member:
    return msgspec.structs.replace(voters(name)[0], learner=True)


def unstarted(name: str) -> Member:
    return Member(f"id-{name}", "", (url(name),), learner=True)


def status(name: str, *, leader: str = "n1", index: int = INDEX) -> MemberStatus:
    return MemberStatus(f"id-{name}", f"id-{leader}", 7, index, "3.4.23")


def machines(*names: str) -> dict[str, MemberRecord]:
    return {
        name: MemberRecord(name, Part.WITNESS if name.startswith("w") else Part.NODE, name, "", url(name))
        for name in names
    }


def asks(name: str) -> Roll:
    """It has no data and wants to be added."""
    return Roll(name, Stage.EMPTY, machines(name)[name].part, peer_url=url(name))


def standing(*names: str, dead: str = "", asking: str = "", leader: str = "") -> VoteView:
    """These vote; the `dead` ones have not answered for two minutes, and dead nodes are proven dead."""
    gone = dead.split()
    leads = leader or next(name for name in names if name not in gone)
    return VoteView(
        voters(*names),
        statuses={f"id-{name}": status(name, leader=leads) for name in names if name not in gone},
        present_s={f"id-{name}": 300.0 for name in names},
        unanswered_s={f"id-{name}": 120.0 for name in gone},
        machines=machines(*MACHINES),
        dead_s={name: 120.0 for name in gone if not name.startswith("w")},
        asking={name: asks(name) for name in asking.split()},
    )
