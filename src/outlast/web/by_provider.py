"""Signing in at an OpenID Connect provider: the browser goes there, and comes back to our page for signing in, which
hands on what it was given (`console/sign-in.js`). What is needed meanwhile is in a cookie that no script can read.

What the provider says is judged by the cluster service; here it is only carried.
"""

from collections.abc import Awaitable, Callable

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from outlast.core.access.openid import FLOW_S
from outlast.model.access_answers import SessionBegun, SignInBegun
from outlast.web import identity
from outlast.web.arguments import body
from outlast.web.cluster import Cluster, Refused, Who
from outlast.web.elsewhere import Neighbours

COOKIE = "__Host-outlast-sign-in"
JSON = "application/json"
Handler = Callable[[Request], Awaitable[Response]]


class ByProvider:
    def __init__(self, cluster: Cluster, neighbours: Neighbours) -> None:
        self._cluster = cluster
        self._neighbours = neighbours

    def routes(self) -> list[tuple[str, str, Handler]]:
        return [
            ("GET", "/session/ways", self._ways),
            ("POST", "/session/to-provider", self._leave),
            ("POST", "/session/from-provider", self._come_back),
        ]

    async def _ways(self, request: Request) -> Response:
        answer = await self._cluster.ask("session.ways", {}, _stranger(request))
        return Response(answer.result, media_type=JSON)

    async def _leave(self, request: Request) -> Response:
        await body(request)  # which no form of another site can send
        origin = f"https://{request.headers.get('host', '')}"
        if origin not in await self._neighbours.origins():
            words = f"{origin} is none of the addresses of the cluster's nodes; add it to `origins` in outlast-web.toml"
            raise Refused("impossible", words)
        answer = await self._cluster.ask("session.to_provider", {"origin": origin}, _stranger(request))
        begun = msgspec.json.decode(answer.result, type=SignInBegun)
        response = Response(msgspec.json.encode({"url": begun.url}), media_type=JSON)
        response.set_cookie(
            COOKIE, begun.flow, max_age=int(FLOW_S), path="/", secure=True, httponly=True, samesite="strict"
        )
        return response

    async def _come_back(self, request: Request) -> Response:
        given = await body(request)
        if "flow" in given:
            raise Refused("usage", "flow comes by the cookie")
        flow = request.cookies.get(COOKIE, "")
        answer = await self._cluster.ask("session.from_provider", {**given, "flow": flow}, _stranger(request))
        begun = msgspec.json.decode(answer.result, type=SessionBegun)
        response = identity.shown(begun.row, begun.session, 201)
        identity.remember(response, begun.session)
        response.delete_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="strict")
        return response


def _stranger(request: Request) -> Who:
    return Who("", identity.address_of(request))
