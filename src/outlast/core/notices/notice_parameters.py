"""Can a notice be sent with these parameters? And which of them are secret?"""

import shlex
from collections.abc import Mapping
from urllib.parse import urlsplit

from outlast.model.notice import Way

PARAMETERS: Mapping[Way, Mapping[str, str]] = {
    Way.WEBHOOK: {
        "url": "where to: https://... (http:// for what is not secret)",
        "secret": "what it is signed with, 16 characters or more",
        "bearer": "a token that the receiver wants in the header Authorization",
        "ca": "a file with the certificates of authorities to be believed, on each node; default: the system's",
    },
    Way.MAIL: {
        "server": "HOST or HOST:PORT (default: 587; 465 with security=tls, 25 with security=none)",
        "from": "the sender's address",
        "to": "addresses, with commas between them",
        "security": "starttls (default), tls or none",
        "user": "who signs in at the server; default: nobody does",
        "password": "of that user",
        "ca": "as for a webhook",
    },
    Way.COMMAND: {
        "program": "an absolute path, on each node",
        "arguments": "as a shell would split them; no shell reads them",
    },
}
NEEDED: Mapping[Way, tuple[str, ...]] = {
    Way.WEBHOOK: ("url", "secret"),
    Way.MAIL: ("server", "from", "to"),
    Way.COMMAND: ("program",),
}
SECRET = ("url", "secret", "bearer", "password")
"""Many receivers tell who may send by the address alone, so it is kept like a password."""
SHORTEST_SECRET = 16
_ASCII = ("url", "bearer", "server", "from", "to", "user", "password")
PORTS = {"starttls": 587, "tls": 465, "none": 25}


def problems(way: Way, parameters: Mapping[str, str]) -> list[str]:
    """Why it could not work; empty when it could. Says nothing secret."""
    known = PARAMETERS[way]
    found = [
        f"a {way.value} has no parameter {name}; it has: {', '.join(known)}" for name in parameters if name not in known
    ]
    found += [f"it needs {name}: {known[name]}" for name in NEEDED[way] if not parameters.get(name)]
    unprintable = [name for name, value in parameters.items() if not value.isprintable()]
    found += [f"{name} has characters that cannot be printed" for name in unprintable]
    foreign = [name for name, value in parameters.items() if name in _ASCII and not value.isascii()]
    found += [f"{name} has letters that cannot be sent; it takes those of ASCII" for name in foreign]
    if found:
        return found
    return {Way.WEBHOOK: _webhook, Way.MAIL: _mail, Way.COMMAND: _command}[way](parameters)


def place(way: Way, parameters: Mapping[str, str]) -> str:
    """Where it goes, for people, without what is secret."""
    match way:
        case Way.WEBHOOK:
            parts = urlsplit(parameters["url"])
            port = f":{parts.port}" if parts.port else ""
            return f"{parts.scheme}://{parts.hostname}{port}/..."
        case Way.MAIL:
            return f"{parameters['to']} by {parameters['server']}"
        case Way.COMMAND:
            return " ".join(filter(None, (parameters["program"], parameters.get("arguments", ""))))


def words_of(parameters: Mapping[str, str]) -> list[str]:
    """A command's program and arguments, one by one."""
    return [parameters["program"], *shlex.split(parameters.get("arguments", ""))]


def server(parameters: Mapping[str, str]) -> tuple[str, int]:
    """Host and port of a mail server. Raises ValueError."""
    parts = urlsplit(f"//{parameters['server']}")
    if not parts.hostname or parts.path or parts.username:
        raise ValueError("no host")
    return parts.hostname, parts.port or PORTS[security(parameters)]


def security(parameters: Mapping[str, str]) -> str:
    return parameters.get("security") or "starttls"


def _webhook(parameters: Mapping[str, str]) -> list[str]:
    found = []
    try:
        parts = urlsplit(parameters["url"])
        good = parts.scheme in ("https", "http") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good or parameters["url"] != "".join(parameters["url"].split()) or not parameters["url"].isascii():
        return ["its url must be as https://receiver.example/path"]
    if parts.username or parts.password:
        found.append("its url must not have a user and a password in it; give bearer=- instead")
    if len(parameters["secret"]) < SHORTEST_SECRET:
        found.append(f"its secret must have {SHORTEST_SECRET} characters or more")
    if parts.scheme == "http" and parameters.get("bearer"):
        found.append("its bearer would be sent for all to read: give an https:// address")
    return found + _ca(parameters)


def _mail(parameters: Mapping[str, str]) -> list[str]:
    found = []
    if security(parameters) not in PORTS:
        return [f"its security must be one of: {', '.join(PORTS)}"]
    try:
        server(parameters)
    except ValueError:
        found.append("its server must be as mail.example or mail.example:587")
    for name in ("from", "to"):
        wrong = [one for one in addresses(parameters[name]) if not _is_address(one)]
        if wrong or not addresses(parameters[name]):
            found.append(f"{name} must be a mail address as ops@example.org: {', '.join(wrong)}")
    if len(addresses(parameters["from"])) > 1:
        found.append("from must be one address")
    if bool(parameters.get("user")) != bool(parameters.get("password")):
        found.append("user and password go together")
    if parameters.get("password") and security(parameters) == "none":
        found.append("its password would be sent for all to read: security must be starttls or tls")
    return found + _ca(parameters)


def addresses(text: str) -> list[str]:
    return [one.strip() for one in text.split(",") if one.strip()]


def _is_address(text: str) -> bool:
    user, at, host = text.rpartition("@")
    return bool(user and at and host) and text.isascii() and not set(text) & set(' <>"(),;:\\') and "@" not in user


def _command(parameters: Mapping[str, str]) -> list[str]:
    if not parameters["program"].startswith("/"):
        return ["its program must be given by its absolute path"]
    try:
        words_of(parameters)
    except ValueError as error:
        return [f"its arguments cannot be split: {error}"]
    return []


def _ca(parameters: Mapping[str, str]) -> list[str]:
    ca = parameters.get("ca", "")
    return ["ca must be the absolute path of a file"] if ca and not ca.startswith("/") else []
