"""How is it told that something could not be done? As application/problem+json, in the words of the command line."""

from collections.abc import Mapping

import msgspec
from starlette.responses import Response

from outlast.web.cluster import Refused

MEDIA_TYPE = "application/problem+json"
STATUS: Mapping[str, tuple[int, str]] = {
    "usage": (400, "wrong usage or input"),
    "sign-in": (401, "nobody knows who asks"),
    "denied": (403, "who asks may not"),
    "missing": (404, "there is nothing of that name"),
    "method": (405, "that cannot be done with it"),
    "impossible": (409, "not possible now"),
    "changed": (412, "changed meanwhile"),
    "too-large": (413, "too large"),
    "media-type": (415, "no JSON"),
    "failed": (422, "tried, and failed"),
    "limited": (429, "too many tries"),
    "bug": (500, "a fault of Outlast"),
    "no-contact": (503, "no contact with the cluster service"),
}
"""Kind to HTTP status and title. "failed" is no fault of the server: a device or a VM did not do what it was told."""


class Problem(msgspec.Struct, frozen=True):
    """RFC 9457. `kind` is what the command line's exit code follows from."""

    type: str
    title: str
    status: int
    detail: str
    kind: str


def problem(refused: Refused) -> Response:
    status, title = STATUS.get(refused.cause) or STATUS.get(refused.kind) or STATUS["failed"]
    name = refused.cause or refused.kind
    body = Problem(f"urn:outlast:problem:{name}", title, status, str(refused), refused.kind)
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else {}
    if status == 429:
        headers["Retry-After"] = "60"
    return Response(msgspec.json.encode(body), status, headers, media_type=MEDIA_TYPE)
