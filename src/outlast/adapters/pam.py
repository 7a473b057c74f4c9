"""Asks the host's PAM, each time in a process of its own (`pam_process.py`), so that a module of PAM that hangs or
crashes takes nothing else along.
"""

import asyncio
from pathlib import Path

import msgspec

from outlast.adapters.own_process import Broke, answer_of, module
from outlast.adapters.pam_process import Answer, Question
from outlast.ports.pam import HostUser, NoAnswer, NotAdmitted, WrongPassword

PLACES = (Path("/etc/pam.d"), Path("/usr/lib/pam.d"), Path("/usr/etc/pam.d"))
"""Where files of services lie; the first one is the administrator's."""
TIMEOUT_S = 20.0
"""A wrong password alone takes PAM two seconds, on purpose; a directory server that is away some more."""
AT_ONCE = 8


class HostPam:
    def __init__(
        self, command: tuple[str, ...] = module("outlast.adapters.pam_process"), timeout_s: float = TIMEOUT_S
    ) -> None:
        self._command = command
        self._timeout_s = timeout_s
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def ask(self, service: str, name: str, password: str, address: str) -> HostUser:
        if not password or "\0" in password:  # what a C library would read as another one
            raise WrongPassword
        answer = await self._answer(Question(service, name, password, address))
        match answer.kind:
            case "user":
                return HostUser(answer.name, answer.groups)
            case "wrong":
                raise WrongPassword
            case "not-admitted":
                raise NotAdmitted(answer.words)
        raise NoAnswer(answer.words)

    async def why_not(self, service: str) -> str:
        if not any((place / service).exists() for place in PLACES):
            return f"there is no {PLACES[0] / service}; docs/web.md has one to begin with"
        try:
            answer = await self._answer(Question(service))
        except NoAnswer as error:
            return str(error)
        return answer.words

    async def _answer(self, question: Question) -> Answer:
        try:
            async with asyncio.timeout(self._timeout_s), self._turns:
                found = await answer_of(self._command, msgspec.json.encode(question))
                return msgspec.json.decode(found, type=Answer)
        except TimeoutError:
            raise NoAnswer(f"PAM did not answer within {self._timeout_s:g} s; try again") from None
        except (Broke, msgspec.DecodeError) as error:
            raise NoAnswer(f"asking PAM failed: {error}") from None
