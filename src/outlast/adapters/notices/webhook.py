"""A notice as one signed HTTP request. Taken is what is answered with 2xx; redirections are not followed."""

import asyncio
from collections.abc import Mapping
from urllib.parse import urlsplit

import h11

import outlast
from outlast.adapters.notices import tls
from outlast.core.notices.signing import ID_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER, signature
from outlast.core.notices.wording import body
from outlast.model.notice import Notice
from outlast.ports.notices import NotTaken

LONGEST_ANSWER = 2000
CHUNK = 4096


async def send(parameters: Mapping[str, str], notice: Notice, at_s: float, timeout_s: float) -> str:
    parts = urlsplit(parameters["url"])
    host, secure = parts.hostname or "", parts.scheme == "https"
    context = await asyncio.to_thread(tls.context, parameters) if secure else None
    try:
        reader, writer = await asyncio.open_connection(host, parts.port or (443 if secure else 80), ssl=context)
    except OSError as error:
        raise NotTaken(f"{host} cannot be reached: {tls.words(error)}") from None
    try:
        writer.write(_request(parameters, notice, at_s))
        await writer.drain()
        status, reason, retry_after, told = await _answer(reader)
    except (OSError, h11.RemoteProtocolError) as error:
        raise NotTaken(f"{host} hung up, or does not speak HTTP: {tls.words(error)}") from None
    finally:
        writer.close()
    said = f"{status} {reason}".strip() + (f": {told}" if told.strip() else "")
    if not 200 <= status < 300:
        raise NotTaken(f"it answered {said}", retry_after)
    return said


def _request(parameters: Mapping[str, str], notice: Notice, at_s: float) -> bytes:
    content, timestamp = body(notice), int(at_s)
    parts = urlsplit(parameters["url"])
    headers = [
        ("Host", parts.netloc),
        ("User-Agent", f"outlast/{outlast.__version__}"),
        ("Content-Type", "application/json"),
        ("Content-Length", str(len(content))),
        ("Connection", "close"),
        (ID_HEADER, notice.id),
        (TIMESTAMP_HEADER, str(timestamp)),
        (SIGNATURE_HEADER, signature(parameters["secret"], timestamp, content)),
    ]
    if bearer := parameters.get("bearer"):
        headers.append(("Authorization", f"Bearer {bearer}"))
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    http = h11.Connection(h11.CLIENT)
    found = http.send(h11.Request(method="POST", target=target, headers=headers))
    return (found or b"") + (http.send(h11.Data(data=content)) or b"")


async def _answer(reader: asyncio.StreamReader) -> tuple[int, str, float, str]:
    """Status, reason, how long it asks to be left alone, and the beginning of what it says."""
    http = h11.Connection(h11.CLIENT)
    http.send(h11.Request(method="POST", target="/", headers=[("Host", "-"), ("Content-Length", "0")]))
    http.send(h11.EndOfMessage())
    status, reason, asked, told = 0, "", "", b""
    while len(told) < LONGEST_ANSWER:
        event = http.next_event()
        if event is h11.NEED_DATA:
            http.receive_data(await reader.read(CHUNK))
        elif isinstance(event, h11.Response):
            status, reason = event.status_code, event.reason.decode("latin-1")
            asked = next((value.decode() for name, value in event.headers if name == b"retry-after"), "")
        elif isinstance(event, h11.Data):
            told += event.data
        elif not isinstance(event, h11.InformationalResponse):
            break
    return status, reason, float(asked) if asked.isascii() and asked.isdigit() else 0.0, told.decode(errors="replace")
