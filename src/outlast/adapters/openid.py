"""Asks an OpenID Connect provider, each time in a process of its own (`openid_process.py`): the cluster service has
back what that takes of memory, and a provider that answers a byte at a time holds nobody up.
"""

import asyncio
import time
from collections.abc import Mapping

import msgspec

from outlast.adapters.openid_process import Answer, Question
from outlast.adapters.own_process import Broke, answer_of, module
from outlast.model.health import Json
from outlast.ports.openid import Client, NoAnswer, NotBelieved

TIMEOUT_S = 20.0
AT_ONCE = 4
KEPT_S = 300.0
"""So long the place where browsers are sent is remembered."""


class HttpOpenId:
    def __init__(
        self, command: tuple[str, ...] = module("outlast.adapters.openid_process"), timeout_s: float = TIMEOUT_S
    ) -> None:
        self._command = command
        self._timeout_s = timeout_s
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._endpoints: dict[tuple[str, str], tuple[float, str]] = {}

    async def endpoint(self, client: Client) -> str:
        key, now = (client.issuer, client.authority), time.monotonic()
        asked_s, known = self._endpoints.get(key, (0.0, ""))
        if known and now - asked_s < KEPT_S:
            return known
        answer = await self._answer(Question(client.issuer, client.client_id, authority=client.authority))
        self._endpoints = {key: (now, answer.endpoint)}
        return answer.endpoint

    async def claims(
        self, client: Client, code: str, *, verifier: str, redirect: str, nonce: str, wanted: tuple[str, ...]
    ) -> Mapping[str, Json]:
        question = Question(*client, code=code, verifier=verifier, redirect=redirect, nonce=nonce, wanted=wanted)
        return (await self._answer(question)).claims

    async def _answer(self, question: Question) -> Answer:
        try:
            async with asyncio.timeout(self._timeout_s), self._turns:
                found = await answer_of(self._command, msgspec.json.encode(question))
                answer = msgspec.json.decode(found, type=Answer)
        except TimeoutError:
            raise NoAnswer(f"{question.issuer} did not answer within {self._timeout_s:g} s") from None
        except (Broke, msgspec.DecodeError) as error:
            raise NoAnswer(f"asking {question.issuer} failed: {error}") from None
        match answer.kind:
            case "done":
                return answer
            case "not-believed":
                raise NotBelieved(answer.words)
        raise NoAnswer(answer.words)
