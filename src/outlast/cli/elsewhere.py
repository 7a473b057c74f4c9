"""Which cluster is asked: the one of this machine, or one elsewhere?

`--cluster`, then OUTLAST_CLUSTER, then the context that is in use; a control socket that is named counts before the
last two. Nothing is read where the user has no contexts: a node's own command must not wait for it.
"""

import os

from outlast.client.contexts import Known, place, read
from outlast.client.control import ControlError

VARIABLE, TOKEN_VARIABLE = "OUTLAST_CLUSTER", "OUTLAST_TOKEN"


def may_be() -> bool:
    return "OUTLAST_SOCKET" not in os.environ and (bool(os.environ.get(VARIABLE)) or place().exists())


def chosen(word: str) -> Known | None:
    """`word`: what was said on the command line; empty: nothing. None: the cluster of this machine. Raises
    `ControlError`."""
    contexts = read()
    word = word or os.environ.get(VARIABLE, "") or contexts.current
    if not word:
        return None
    known = contexts.named(word) or next((one for one in contexts.known if word.rstrip("/") in one.urls), None)
    token = os.environ.get(TOKEN_VARIABLE, "")
    if known is None and "://" not in word:
        there = ", ".join(one.name for one in contexts.known) or "none yet; outlast context add makes one"
        raise ControlError("usage", f'there is no context "{word}"; there are: {there}')
    if known is None:
        known = Known(word, (word.rstrip("/"),))
    if token:
        known = Known(known.name, known.urls, token, known.authority)
    if not known.token:
        raise ControlError(
            "usage", f"nothing lets you in to {word}: add a context for it, or set {TOKEN_VARIABLE} to an API token"
        )
    return known
