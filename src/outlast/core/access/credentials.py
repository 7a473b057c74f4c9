"""What proves who asks: the words of API tokens and sessions, and which passwords and names are taken."""

import hashlib
import re

TOKEN = "outlast-api-"
SESSION = "outlast-session-"
"""What the words begin with: who finds one knows what it opens."""
SECRET_BYTES = 32
SHORTEST, LONGEST = 10, 256
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@-]{0,62}")


def word(kind: str, secret: bytes) -> str:
    """`kind`: TOKEN or SESSION."""
    return kind + secret.hex()


def key_of(word: str) -> str:
    """Under which the cluster knows it. The word is drawn at random and long: a fast hash is enough."""
    return hashlib.sha256(word.encode()).hexdigest()


def csrf_of(session: str) -> str:
    """What a page must send along with each change. It follows from the session, which no other site knows, so that
    every node can check it."""
    return hashlib.sha256(f"csrf {session}".encode()).hexdigest()


def why_no_name(name: str) -> str:
    if _NAME.fullmatch(name):
        return ""
    shape = 'up to 63 letters, digits and "_.@-", with a letter, a digit or "_" first'
    return f'"{name}" cannot be a name here: it takes {shape}'


def why_no_password(password: str, user: str) -> str:
    if not SHORTEST <= len(password) <= LONGEST:
        return f"a password has {SHORTEST} to {LONGEST} characters"
    if password.lower() in (user.lower(), user.lower() * 2):
        return "a password must not be the user's name"
    if len(set(password)) < 4:
        return "a password must have at least four different characters"
    return ""
