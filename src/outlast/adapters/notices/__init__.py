"""Sends notices: to a webhook, by mail, to a program."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import structlog

from outlast.core.notices.notice_parameters import SECRET
from outlast.model.notice import Notice, NoticeRule, Way
from outlast.ports.notices import NotTaken

log = structlog.get_logger()

WORDS_KEPT = 300


class RealReceivers:
    async def send(self, rule: NoticeRule, notice: Notice, *, at_s: float, timeout_s: float) -> str:
        try:
            async with asyncio.timeout(timeout_s):
                return _without(rule, await _sender(rule.way)(rule.parameters, notice, at_s, timeout_s))
        except TimeoutError:
            raise NotTaken(f"no answer within {timeout_s:g} s") from None
        except UnicodeError as error:
            raise NotTaken(
                f"there can be no host of that name: {error.reason if isinstance(error, UnicodeEncodeError) else error}"
            ) from None
        except NotTaken as error:
            raise NotTaken(_without(rule, str(error)), error.asked_s) from None
        except Exception as error:  # noqa: BLE001 - whatever a receiver does to a library, the cluster service goes on
            words = _without(rule, f"a fault in sending it: {error!r}")
            log.error("a fault in sending a notice", rule=rule.name, why=words)
            raise NotTaken(words) from None


def _sender(way: Way) -> Callable[[Mapping[str, str], Notice, float, float], Awaitable[str]]:
    """Loaded when it is needed: most nodes never send a mail."""
    match way:
        case Way.WEBHOOK:
            from outlast.adapters.notices import webhook

            return webhook.send
        case Way.MAIL:
            from outlast.adapters.notices import mail

            return mail.send
        case Way.COMMAND:
            from outlast.adapters.notices import program

            return program.send


def _without(rule: NoticeRule, words: str) -> str:
    """What a receiver says may repeat what it was told."""
    for name in SECRET:
        if secret := rule.parameters.get(name):
            words = words.replace(secret, "***")
    printable = "".join(letter if letter.isprintable() else " " for letter in words)
    return " ".join(printable.split())[:WORDS_KEPT]
