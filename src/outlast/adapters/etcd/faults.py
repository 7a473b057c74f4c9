"""Which of etcd's errors leave a write undone for certain, which call for another member, and what they say to people.

An error counts as certain only when it is in etcd's own words (they begin with "etcdserver:") and of a kind that is
given before anything is proposed to the other members, or when the proposal was carried out as "no". All else, most of
all every time-out, leaves it open.
"""

import msgspec

from outlast.adapters.etcd import wire

_UNAUTHENTICATED = 16
_CERTAIN = {3, 5, 6, 7, 8, 9, 11, 12, 15, 16}
"""gRPC's numbers: invalid argument, not found, exists, permission denied, exhausted, precondition, out of range,
unimplemented, data loss, unauthenticated."""

_STALE_TOKEN = ("invalid auth token", "revision of auth store is old", "revision in auth store is old")
_REFUSED = ("unhealthy cluster",)
"""Said before anything is proposed, under a number that can mean anything."""
_ASK_ANOTHER = ("not supported for learner", "too many requests", "not capable")

_WORDS = (
    (
        "database space exceeded",
        "it is full: its quota is reached; forget history and defragment it, or raise the quota",
    ),
    ("alarm:nospace", "its quota is reached: nothing can be written until room is made"),
    (
        "alarm:corrupt",
        "the data of a member differ from the others'; throw that member's data away and let it join anew",
    ),
    ("corrupt cluster", "a member's data differ from the others': etcd refuses everything until that one is replaced"),
    (
        "permission denied",
        "this is not allowed; set `user` under [etcd] to one whose role may read and write the prefix",
    ),
    ("user name is empty", "it wants a user and a password: set `user` and `password_file` under [etcd]"),
    ("authentication failed", "it does not accept the user's password"),
    ("authentication is not enabled", "it has no users; remove `user` under [etcd]"),
    (
        "commonname of client",
        "the client's certificate has a common name, which etcd's gateway refuses; make one without",
    ),
    ("unhealthy cluster", "it changes its members only when all of them have been in contact for five seconds"),
    ("no leader", "it sees no leader: too few members answer"),
    ("leader changed", "its leader has just changed"),
    ("request timed out", "too few members answered it in time"),
)


class Fault(Exception):
    """etcd answered with an error. The text is for people."""

    def __init__(self, words: str, message: str, code: int) -> None:
        super().__init__(words)
        self.message = message
        self.code = code

    @property
    def certain(self) -> bool:
        """What was asked was not done, and will not be."""
        own_words = self.message.startswith(("etcdserver:", "CommonName of client"))
        refused = self.code in _CERTAIN or any(words in self.message for words in _REFUSED)
        return (own_words and refused) or self.ask_another

    @property
    def stale_token(self) -> bool:
        return self.code == _UNAUTHENTICATED or any(words in self.message for words in _STALE_TOKEN)

    @property
    def ask_another(self) -> bool:
        """This member cannot; another one may. Nothing was done."""
        return any(words in self.message for words in _ASK_ANOTHER)


def fault_of(status: int, body: bytes) -> Fault:
    try:
        trouble = wire.decode(body, wire.Trouble)
    except msgspec.DecodeError:
        trouble = wire.Trouble()
    if not trouble.message:
        text = body[:100].decode(errors="replace").strip()
        return Fault(f"it does not answer as etcd's gateway does (HTTP {status}: {text})", text, 0)
    return fault_from(trouble)


def fault_from(trouble: wire.Trouble) -> Fault:
    return Fault(in_words(trouble.message), trouble.message, trouble.code or trouble.grpc_code)


def in_words(message: str) -> str:
    lower = message.lower()
    for part, words in _WORDS:
        if part in lower:
            return words
    return f'it says "{message}"'
