"""Renews this machine's certificate long before it expires. A node signs its own; a witness asks the nodes.

The file is replaced and nothing is restarted: etcd and the links between the services read it anew.
"""

import asyncio
from collections.abc import Callable, Mapping

import msgspec
import structlog

from outlast.core.joining.joining import due_for_renewal
from outlast.model.enrolment import TOPIC, Renew, Renewed
from outlast.ports.peers import NotAnswered, Peers, PeerUnreachable
from outlast.ports.trust import Trust

log = structlog.get_logger()

LOOK_S = 24 * 3600.0
AGAIN_S = 3600.0
NOBODY_KNOWN_S = 5.0
"""A machine that has just started knows whom to ask a moment later."""
ASK_S = 15.0


async def keep_certificate(
    me: str, trust: Trust, peers: Peers | None, addresses: Callable[[], Mapping[str, str]]
) -> None:
    """For ever: a look each day. `addresses`: whom to ask where this machine cannot sign."""
    while True:
        pause_s = LOOK_S
        try:
            if due_for_renewal(*trust.lifetime_s()):
                known = addresses()
                if not known and not trust.can_sign():
                    pause_s = NOBODY_KNOWN_S
                elif not await _renew(me, trust, peers, known):
                    pause_s = AGAIN_S
        except OSError as error:
            log.warning("the certificate cannot be looked at", why=str(error))
            pause_s = AGAIN_S
        await asyncio.sleep(pause_s)


async def _renew(me: str, trust: Trust, peers: Peers | None, addresses: Mapping[str, str]) -> bool:
    request = trust.request()
    if trust.can_sign():
        trust.install(trust.sign(request, trust.names()))
        log.info("the certificate of this node is renewed")
        return True
    if peers is None:
        return False
    for name, address in addresses.items():
        try:
            question = msgspec.json.encode(Renew(request))
            said = await peers.ask(name, address, TOPIC, question, timeout_s=ASK_S)
            trust.install(msgspec.json.decode(said, type=Renewed).certificate)
        except (PeerUnreachable, NotAnswered, msgspec.DecodeError) as error:
            log.warning("the certificate is not renewed yet", asked=name, why=str(error))
        else:
            log.info("the certificate of this machine is renewed", by=name)
            return True
    return False
