"""What would the cluster do at once if this were so? In words, for those who are about to change something for all."""

from outlast.core.coordinator.failover import decide
from outlast.model.group import AWAY
from outlast.model.plan import Action, Assign, ChangeNode, DeclareSilent, Fence, LeaveOff, RecordProof, WishMove
from outlast.model.view import ClusterView


def foreseen(now: ClusterView, then: ClusterView) -> tuple[str, ...]:
    """What would be done at once in the second view and is not in the first."""
    known = set(_told(now))
    return tuple(words for words in _told(then) if words not in known)


def _told(view: ClusterView) -> list[str]:
    return [words for action in decide(view).actions if (words := _words(action))]


def _words(action: Action) -> str:
    match action:
        case DeclareSilent():
            return f"{action.node} would be declared silent, and what would prove its death pursued: {action.why}"
        case Fence():
            return f"{action.node} would be fenced"
        case RecordProof():
            return f"{action.node} would be taken for dead: {action.proof.words}"
        case Assign():
            return f"{action.group} would go to {action.owner}: {action.why}"
        case WishMove():
            where = f"move to {action.to}" if action.to != AWAY else "be taken offline"
            return f"{action.group} would {where}: {action.why}"
        case LeaveOff():
            return f"{action.group} would stay offline: {action.why}"
        case ChangeNode(why=why) if why:
            return why
        case _:
            return ""
