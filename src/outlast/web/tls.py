"""With which certificate is served? With the administrator's own, or with the one that the cluster service made for
this node. It is read again when its file has changed, so that a renewed one counts without a restart.
"""

import asyncio
import ssl
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import structlog

from outlast.web.cluster import Cluster, Refused, Who
from outlast.web.config import WebConfig

log = structlog.get_logger()

LOOK_S = 600.0
WAIT_S = 1.0
BEGIN = "-----BEGIN CERTIFICATE-----"
NOBODY = Who("", "")


class Files(NamedTuple):
    certificate: Path
    key: Path


def files(config: WebConfig) -> Files:
    if config.certificate:
        return Files(Path(config.certificate), Path(config.key))
    made = Path(config.run_dir) / "web"
    return Files(made / "certificate.pem", made / "key.pem")


async def arrived(config: WebConfig, cluster: Cluster) -> None:
    """The certificate is there. The cluster service makes it as soon as it knows the cluster."""
    told = ""
    while not config.certificate:
        try:
            await cluster.ask("web.certificate", {}, NOBODY)
            return
        except Refused as refused:
            if str(refused) != told:
                told = str(refused)
                log.warning("waiting for a certificate", why=told)
        await asyncio.sleep(WAIT_S)


def authority(found: Files) -> str:
    """The last certificate of the file."""
    return BEGIN + found.certificate.read_text().rpartition(BEGIN)[2]


def context(found: Files) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.load_cert_chain(found.certificate, found.key)
    return made


async def keep_current(served: ssl.SSLContext, config: WebConfig, cluster: Cluster) -> None:
    """For ever."""
    found = files(config)
    before = _stamp(found)
    while True:
        await asyncio.sleep(LOOK_S)
        if not config.certificate:
            with suppress(Refused):  # it is good for weeks yet
                await cluster.ask("web.certificate", {}, NOBODY)
        now = _stamp(found)
        if now == before:
            continue
        try:
            served.load_cert_chain(found.certificate, found.key)
            before = now
            log.info("another certificate is served", file=str(found.certificate))
        except (OSError, ssl.SSLError) as error:
            log.warning("the new certificate cannot be used; the old one is served", why=str(error))


def _stamp(found: Files) -> tuple[int, ...]:
    try:
        return (found.certificate.stat().st_mtime_ns, found.key.stat().st_mtime_ns)
    except OSError:
        return ()
