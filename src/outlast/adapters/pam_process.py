"""Asks PAM for one user, and ends: a question comes by standard input, the answer goes out as JSON.

Run as root, as everything is that may ask PAM for others.
"""

import grp
import os
import pwd
import signal
import sys

import msgspec

DISALLOW_NULL_AUTHTOK = 1
OPEN_ERR, SYMBOL_ERR, SERVICE_ERR, SYSTEM_ERR, BUF_ERR = 1, 2, 3, 4, 5
AUTHINFO_UNAVAIL, CRED_UNAVAIL, CONV_ERR, ABORT, MODULE_UNKNOWN, BAD_ITEM = 9, 15, 19, 26, 28, 29
NOBODY_KNOWS = {
    *(OPEN_ERR, SYMBOL_ERR, SERVICE_ERR, SYSTEM_ERR, BUF_ERR),
    *(AUTHINFO_UNAVAIL, CRED_UNAVAIL, CONV_ERR, ABORT, MODULE_UNKNOWN, BAD_ITEM),
}
"""Numbers of Linux-PAM (_pam_types.h) that are no judgement on the password."""
LONGEST_LIFE_S = 60
"""The service that would end it may have been killed meanwhile."""
TIMES_TOLD = 3
"""A module that tries on its own asks once more than the one before it."""


class Question(msgspec.Struct, frozen=True):
    service: str
    name: str = ""
    """Empty: can PAM be asked at all?"""
    password: str = ""
    address: str = ""


class Answer(msgspec.Struct, frozen=True):
    kind: str
    """user | wrong | not-admitted | no-answer."""
    name: str = ""
    groups: tuple[str, ...] = ()
    words: str = ""


def main() -> None:
    signal.alarm(LONGEST_LIFE_S)
    question = msgspec.json.decode(sys.stdin.buffer.read(), type=Question)
    sys.stdout.buffer.write(msgspec.json.encode(answer(question)))


def answer(question: Question) -> Answer:
    try:
        import pamela
    except (AttributeError, OSError):  # as its library has it: without libpam there is nothing to call
        return Answer("no-answer", words="there is no libpam on this node; install the package libpam0g")
    if not question.name:
        return Answer("user")
    tell = pamela.new_simple_password_conv((question.password,) * TIMES_TOLD, "utf-8")
    try:
        handle = pamela.pam_start(question.service, question.name, conv_func=tell)
    except pamela.PAMError as error:
        return Answer("no-answer", words=f"PAM cannot be begun: {error.message}")
    if question.address:
        handle.set_item(pamela.PAM_RHOST, question.address)
    code = pamela.PAM_AUTHENTICATE(handle, DISALLOW_NULL_AUTHTOK)
    if code:
        return (
            Answer("no-answer", words=f"PAM says: {pamela.pam_strerror(handle, code)}")
            if code in NOBODY_KNOWS
            else Answer("wrong")
        )
    code = pamela.PAM_ACCT_MGMT(handle, 0)
    if code:
        return Answer(
            "no-answer" if code in NOBODY_KNOWS else "not-admitted",
            words=f"PAM says: {pamela.pam_strerror(handle, code)}",
        )
    return _user(handle.get_item(pamela.PAM_USER) or question.name)


def _user(name: str) -> Answer:
    try:
        found = pwd.getpwnam(name)
    except KeyError:
        return Answer("user", name)
    return Answer("user", found.pw_name, tuple(filter(None, map(_group, os.getgrouplist(found.pw_name, found.pw_gid)))))


def _group(id: int) -> str:
    try:
        return grp.getgrgid(id).gr_name
    except KeyError:
        return ""


if __name__ == "__main__":
    main()
