"""How severe is an event? One table, by its kind.

What ends a trouble is as severe as the trouble itself: who was woken by it shall hear that it is over. So a kind is as
severe as the worst that it tells.
"""

from collections.abc import Mapping

from outlast.model.notice import Severity

_CRITICAL = "node-dead failed promise stopped permit"
_WARNING = (
    "node-silent node-left fence armed vote protection unknown guest guest-reset not-moved volume doubted "
    "host-died network slow type outage upkeep backup notice"
)
_INFO = (
    "joining node-joined node-changed coordinator rule access settings decided online-pending online partially-online "
    "restarted offline handed-over saved intent console definition group-changed"
)
SEVERITIES: Mapping[str, Severity] = {
    **dict.fromkeys(_CRITICAL.split(), Severity.CRITICAL),
    **dict.fromkeys(_WARNING.split(), Severity.WARNING),
    **dict.fromkeys(_INFO.split(), Severity.INFO),
}
_RANK = {severity: rank for rank, severity in enumerate(Severity)}


def severity_of(kind: str) -> Severity:
    """What a newer version may have written, and this one does not know, is not kept quiet."""
    return SEVERITIES.get(kind, Severity.WARNING)


def at_least(one: Severity, other: Severity) -> bool:
    return _RANK[one] >= _RANK[other]


def rank(severity: Severity) -> int:
    return _RANK[severity]
