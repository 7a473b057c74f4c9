"""Is the end of a resource this cluster's own doing, whatever became of the service and of the host that began it?

A stop that was begun is carried to its end: nobody can take it back from a guest that was asked to shut down, nor from
the former host, which may still wait for that guest. So who finds it running finishes the stop first, and brings it
online after that if it is wanted so by then. And what the cluster itself stopped nobody has switched off (rule 10),
also when the one who stopped it could not tell.

What is known of it is remembered on the node, until that loses power: the database may be away, and then the last
report there is older than the stop.
"""

import enum

from outlast.core.owner.resource import S, runs_nothing


class OwnStop(enum.Enum):
    NONE = ""
    BEGUN = "begun"
    """In order, and nobody knows yet that it is over."""
    ENDED = "ended"
    """It is over, or was by force; nothing of ours can end it any more."""
    HANDING = "handing over"
    """It is on its way to another node as it runs: its end here is this cluster's doing, and it need not end."""

    SAVING = "saving"
    """Its state is being put away, or was: that may have come to its end with nobody left to tell."""

    GONE = "gone"
    """Its group is another node's, and what is left of it here was to be forgotten, and may not be. Whatever its type
    still says of its end here is of the past, also when the group comes back: that it went away as it ran, say."""


_AT = " at epoch "
_TO = " to "
_OVER_WHEN_ONLINE = (OwnStop.ENDED, OwnStop.HANDING, OwnStop.SAVING, OwnStop.GONE)


def noted(word: str) -> OwnStop:
    """What a service of whichever version has noted."""
    return next((one for one in OwnStop if one.value == word.partition(_TO)[0]), OwnStop.ENDED)


def note(stop: OwnStop, handing: tuple[str, int], saving: str = "") -> str:
    """What a service that comes after this one reads. `handing`: to which node, and at which epoch of its group.
    `saving`: which stop its state is put away for."""
    if stop is OwnStop.SAVING and saving:
        return f"{stop.value}{_TO}{saving}"
    return f"{stop.value}{_TO}{handing[0]}{_AT}{handing[1]}" if stop is OwnStop.HANDING and handing[0] else stop.value


def noted_handing(word: str) -> tuple[str, int]:
    """To which node it was handed over, or is on its way, and at which epoch; ("", 0) when it was not."""
    to, _, epoch = word.partition(_TO)[2].rpartition(_AT)
    return (to, int(epoch)) if noted(word) is OwnStop.HANDING and epoch.isdecimal() else ("", 0)


def noted_saving(word: str) -> str:
    """For which stop its state was being put away; "" when it was not."""
    return word.partition(_TO)[2] if noted(word) is OwnStop.SAVING else ""


def is_of_the_past(stop: OwnStop) -> bool:
    """That it went to another node as it ran is this cluster's own doing, or was told of before."""
    return stop in (OwnStop.HANDING, OwnStop.GONE)


def after(stop: OwnStop, state: S, *, goes_on: bool = False) -> OwnStop:
    """When the resource has come into that state. `goes_on`: what a service before this one had begun is seen to be
    under way still."""
    if stop is OwnStop.SAVING and state is S.ONLINE and goes_on:
        return stop
    if state is S.OFFLINE_PENDING:
        return OwnStop.BEGUN
    if state in (S.HANDING_OVER, S.CALLING_BACK):
        return OwnStop.HANDING
    if state is S.SAVING:
        return OwnStop.SAVING
    if state in (S.TERMINATING, S.FAILING):
        return OwnStop.ENDED
    if state is S.ONLINE_PENDING or (state is S.ONLINE and stop in _OVER_WHEN_ONLINE):
        return OwnStop.NONE  # its next end is another one
    return OwnStop.ENDED if stop is OwnStop.BEGUN and runs_nothing(state) else stop
