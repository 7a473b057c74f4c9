"""Who asks? A session in a cookie that no script can read, or an API token in the header `Authorization`.

A browser sends its cookies along whoever made it ask. So whoever changes something by a session also sends what only
pages of ours know (`X-CSRF-Token`); and the cookie is sent from nowhere else (SameSite=Strict).
"""

import hmac

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from outlast.core.access.credentials import csrf_of
from outlast.model.access_answers import SessionRow
from outlast.web.cluster import Refused, Who

COOKIE = "__Host-outlast"
"""With this prefix a browser takes it only over TLS, for this host alone."""
CSRF = "x-csrf-token"
SAFE = ("GET", "HEAD", "OPTIONS")


def who(request: Request) -> Who:
    """Raises `Refused`."""
    address = address_of(request)
    given = request.headers.get("authorization", "")
    if given:
        scheme, _, word = given.partition(" ")
        if scheme.lower() != "bearer" or not word.strip():
            raise Refused("sign-in", 'the header Authorization takes "Bearer" and an API token')
        return Who(word.strip(), address)
    session = request.cookies.get(COOKIE, "")
    if session and request.method not in SAFE:
        sent = request.headers.get(CSRF, "").encode()
        if not hmac.compare_digest(sent, csrf_of(session).encode()):
            raise Refused("denied", "the header X-CSRF-Token is missing or wrong; GET /api/v1/session tells it")
    return Who(session, address)


def address_of(request: Request) -> str:
    return request.client.host if request.client is not None else ""


def shown(row: SessionRow, session: str, status: int = 200) -> Response:
    """Who it is; and by the session that a cookie has, what a page sends along with changes."""
    told = {**msgspec.to_builtins(row), "csrf": csrf_of(session) if session else ""}
    return Response(msgspec.json.encode(told), status, media_type="application/json")


def remember(response: Response, session: str) -> None:
    """Until the browser ends; the session itself may end before."""
    response.set_cookie(COOKIE, session, path="/", secure=True, httponly=True, samesite="strict")


def forget(response: Response) -> None:
    response.delete_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="strict")
