"""The console's page goes on with another node when the one that served it does not answer. So pages of nodes of the
cluster, and of nobody else, may ask this one: with the word of a session in a header, never with a cookie.

`addresses`: under which the nodes are reached. A browser must trust their certificates already, it asks nobody then.
"""

import time
from collections.abc import Mapping

import msgspec
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from outlast.web.cluster import Cluster, Refused, Who
from outlast.web.config import PORT

KEPT_S = 5.0
NOBODY = Who("", "")
ASK_S = 5.0
METHODS = "GET, POST, PATCH, DELETE"
GIVEN = "authorization, content-type, if-match, last-event-id, prefer"
TOLD = "etag, location, outlast-notice"


class Nodes(msgspec.Struct, frozen=True):
    me: str = ""
    addresses: Mapping[str, str] = msgspec.field(default_factory=dict)
    """Node to its address; without one, it is reached by its name only."""


class Neighbours:
    """Under which addresses do browsers find the nodes? `further`: those that an administrator has set."""

    def __init__(self, cluster: Cluster, port: int = PORT, further: tuple[str, ...] = ()) -> None:
        self._cluster = cluster
        self._port = port
        self._further = further
        self._known, self._asked_s = Nodes(), -KEPT_S

    async def look(self) -> Nodes:
        """As they were a moment ago; while the cluster service does not answer, as they were before."""
        if time.monotonic() - self._asked_s >= KEPT_S:
            try:
                answer = await self._cluster.ask("web.nodes", {}, NOBODY, timeout_s=ASK_S)
                self._known = msgspec.json.decode(answer.result, type=Nodes)
            except Refused:
                pass
            self._asked_s = time.monotonic()
        return self._known

    async def origins(self) -> list[str]:
        """All of them, each node by its name and by its address."""
        nodes = await self.look()
        places = [place for name, address in nodes.addresses.items() for place in (name, address) if place]
        return list(dict.fromkeys([*self._further, *map(self._origin, places)]))

    async def others(self, host: str) -> list[str]:
        """Those of the other nodes, called in the same way as `host`, by which a browser found this one."""
        nodes = await self.look()
        here = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
        if any(here == origin.partition("://")[2].rpartition(":")[0] for origin in self._further):
            return [origin for origin in self._further if origin.partition("://")[2] != host]
        by_name = here in nodes.addresses
        rest = [(name, address) for name, address in nodes.addresses.items() if name != nodes.me]
        return [self._origin(name if by_name or not address else address) for name, address in rest]

    def _origin(self, place: str) -> str:
        bracketed = f"[{place}]" if ":" in place else place
        return f"https://{bracketed}" + (f":{self._port}" if self._port != 443 else "")


class Elsewhere:
    """Tells a browser which pages may read what the API answers."""

    def __init__(self, app: ASGIApp, neighbours: Neighbours) -> None:
        self._app = app
        self._neighbours = neighbours

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        origin = Headers(scope=scope).get("origin", "") if scope["type"] == "http" else ""
        asked = origin and scope["path"].startswith("/api/")
        if not asked or origin not in await self._neighbours.origins():
            await self._app(scope, receive, send)
            return
        allowed = {"Access-Control-Allow-Origin": origin, "Vary": "Origin"}
        if scope["method"] == "OPTIONS":
            what = {"Access-Control-Allow-Methods": METHODS, "Access-Control-Allow-Headers": GIVEN}
            await Response(status_code=204, headers={**allowed, **what, "Access-Control-Max-Age": "600"})(
                scope, receive, send
            )
            return

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update({**allowed, "Access-Control-Expose-Headers": TOLD})
            await send(message)

        await self._app(scope, receive, sending)
