"""How many planned moves are under way, and may one more begin?

Each node gives away, and takes in, so many groups at once (`parallel_moves`), and the whole cluster no more than
`parallel_moves_in_all`, whoever wants them moved. What is moved by hand waits for its turn (`Group.queued`) and comes
before what the cluster moves by itself; the most urgent first. What a node is just bringing online counts as well:
whoever starts much already is given no more for now. What is only taken offline burdens nobody else, and is not
limited; and what is off already, and goes to another node to start there, waits for nobody.
"""

from collections import Counter

from outlast.model.group import AWAY, Group, Wanted
from outlast.model.status import State
from outlast.model.view import ClusterView


class Moves:
    """As the view says; and what has been decided since."""

    def __init__(self, view: ClusterView) -> None:
        self._most = max(1, view.settings.parallel_moves)
        self._most_in_all = view.settings.parallel_moves_in_all
        self._in_all = 0
        self._gives: Counter[str] = Counter()
        self._takes: Counter[str] = Counter()
        for group in view.groups.values():
            if group.move_to and group.move_to != group.owner and not group.queued:
                if group.owner in view.sessions:
                    self.begin(group.owner, group.move_to)
            elif group.wanted is Wanted.ONLINE and _is_starting(group, view):
                self._takes[group.owner] += 1

    def begin(self, source: str, target: str) -> None:
        if target != AWAY:
            self._in_all += 1
            self._gives[source] += 1
            self._takes[target] += 1

    def may_begin(self, source: str, target: str) -> bool:
        return not self.full(source, target)

    def full(self, source: str, target: str) -> str:
        """Which of the two moves as much as it may, for people; "" when neither does."""
        if 0 < self._most_in_all <= self._in_all:
            return f"the cluster moves {self._most_in_all} at once"
        if self._gives[source] >= self._most:
            return f"{source} gives away {self._most} at once"
        return self.has_its_hands_full(target)

    def has_its_hands_full(self, target: str) -> str:
        """Whether it takes in as much as it may, for people: of what is on its way already, only its target changes."""
        return f"{target} takes in {self._most} at once" if self._takes[target] >= self._most else ""


def _is_starting(group: Group, view: ClusterView) -> bool:
    """Its living owner is bringing it online, or has not said yet what becomes of it."""
    session = view.sessions.get(group.owner)
    if session is None or group.owner in view.silences:
        return False
    status = view.statuses.get(group.name)
    if status is None or (status.epoch, status.node) != (group.epoch, group.owner):
        return True
    if status.incarnation != session.incarnation:
        return True
    return any(one.state is State.ONLINE_PENDING for one in status.resources.values())
