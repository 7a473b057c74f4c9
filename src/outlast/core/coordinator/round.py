"""One decision in the making: what has been decided so far counts for what follows."""

from outlast.core.coordinator import handing_over
from outlast.core.coordinator.moves import Moves
from outlast.core.placement.placed import Placed
from outlast.model.group import Failure, Group, Stop
from outlast.model.plan import Action, Assign, BeginMove, LeaveOff, Plan, Waiting, WishMove
from outlast.model.view import ClusterView


class Round:
    def __init__(self, view: ClusterView) -> None:
        self.view = view
        self.placed = Placed(view)
        """Who has what: as the view says, and as this very decision has placed it since."""
        self.unproven: dict[str, list[str]] = {}
        """Silent nodes whose death is worth a proof, and the groups that wait for it."""
        self._actions: list[Action] = []
        self._waiting: list[Waiting] = []
        self._wake_in_s: float | None = None
        self._decided: set[str] = set()
        self._moves: Moves | None = None

    @property
    def moves(self) -> Moves:
        """Planned moves that are under way, those of this very decision included."""
        if self._moves is None:  # few decisions are about moves, and finding out costs a look at every group
            self._moves = Moves(self.view)
        return self._moves

    def plan(self) -> Plan:
        return Plan(tuple(self._actions), tuple(self._waiting), self._wake_in_s)

    def act(self, *actions: Action) -> None:
        self._actions.extend(actions)

    def assign(
        self,
        group: Group,
        owner: str,
        why: str,
        reasons: tuple[str, ...] = (),
        failure: Failure | None = None,
        *,
        return_to: str | None = None,
        received_from: str = "",
        wanted_by: str = "",
    ) -> None:
        epoch = group.epoch + 1
        self.act(Assign(group.name, owner, epoch, why, reasons, failure, return_to, received_from, wanted_by))
        self._decided.add(group.name)
        self.placed.put(group, owner)

    def wish_move(
        self,
        group: Group,
        to: str,
        why: str,
        *,
        return_to: str | None = None,
        failure: Failure | None = None,
        stop: Stop | None = None,
    ) -> None:
        """`stop`: how it leaves its node; None: so that nobody notices, if that is possible."""
        self.act(WishMove(group.name, to, why, return_to, failure, stop or handing_over.how(group, to, self.view)))
        self._decided.add(group.name)
        self.placed.put(group, to, coming_from=group.owner)
        self.moves.begin(group.owner, to)

    def begin_move(self, group: Group) -> None:
        """It is the turn of what was asked for by hand."""
        self.act(BeginMove(group.name))
        self._decided.add(group.name)
        self.moves.begin(group.owner, group.move_to)

    def leave_off(self, group: Group, why: str) -> None:
        """Its living owner is to take it offline, and it starts only by an administrator's word."""
        self.act(LeaveOff(group.name, why))
        self._decided.add(group.name)

    def is_decided(self, group: Group) -> bool:
        """Something is done about the group in this decision: all else about it is decided in the next one."""
        return group.name in self._decided

    def acts(self) -> bool:
        """Is anything decided so far?"""
        return bool(self._actions)

    def wait(self, group: Group, why: str) -> None:
        self._waiting.append(Waiting(group.name, why))

    def wake(self, in_s: float | None) -> None:
        if in_s is not None:
            self._wake_in_s = in_s if self._wake_in_s is None else min(self._wake_in_s, in_s)
