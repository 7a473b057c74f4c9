"""The HTTP API as one ASGI application: every route of the table, signing in, operations, the stream of changes."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute
from starlette.routing import Route as HttpRoute

from outlast.model.access import Role
from outlast.model.access_answers import SessionBegun, SessionRow
from outlast.service.commands.registry import STREAMS
from outlast.web import identity, openapi
from outlast.web.arguments import arguments, body
from outlast.web.by_provider import ByProvider
from outlast.web.cluster import Answer, Cluster, Refused, Who
from outlast.web.elsewhere import Elsewhere, Neighbours
from outlast.web.headers import Headers
from outlast.web.operations import Operation, Operations
from outlast.web.problems import problem
from outlast.web.routes import PREFIX, ROUTES, Route
from outlast.web.screens import Screens
from outlast.web.stream import ALIVE_S, stream

log = structlog.get_logger()

JSON = "application/json"
EVENTS = "text/event-stream"
LINES = "application/x-ndjson"
LONGEST_WAIT_S = 60.0
LONGEST_ASK_S = 330.0
MOST_STREAMS = 200
Handler = Callable[[Request], Awaitable[Response]]


def application(
    cluster: Cluster,
    more: tuple[BaseRoute, ...] = (),
    authority: Callable[[], str] | None = None,
    neighbours: Neighbours | None = None,
) -> Starlette:
    """`more`: what is served beside the API. `authority`: tells the certificate of the cluster's own authority; None
    when another one is served. `neighbours`: under which addresses browsers find the nodes."""
    neighbours = neighbours or Neighbours(cluster)
    api = Api(cluster, authority, neighbours)
    screens = Screens(cluster, neighbours)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        await api.operations.close()

    return Starlette(
        routes=[*api.routes(), screens.route(), *more],
        middleware=[Middleware(Headers), Middleware(Elsewhere, neighbours)],
        exception_handlers={Refused: _refused, HTTPException: _http, Exception: _bug},
        lifespan=lifespan,
    )


class Api:
    def __init__(self, cluster: Cluster, authority: Callable[[], str] | None, neighbours: Neighbours) -> None:
        self.cluster = cluster
        self._neighbours = neighbours
        self._authority_pem = authority
        self.operations = Operations(cluster)
        self._by_provider = ByProvider(cluster, neighbours)
        self._streams = 0

    def routes(self) -> list[BaseRoute]:
        own: list[tuple[str, str, Handler]] = [
            ("GET", "/openapi.json", self._description),
            ("GET", "/authority", self._authority),
            ("POST", "/session", self._sign_in),
            ("GET", "/session", self._show_session),
            ("DELETE", "/session", self._sign_out),
            ("POST", "/session/elsewhere", self._show_elsewhere),
            ("GET", "/operations", self._list_operations),
            ("GET", "/operations/{id}", self._show_operation),
            ("DELETE", "/operations/{id}", self._cancel),
            ("POST", "/ask/{verb}", self._ask),
            *self._by_provider.routes(),
        ]
        table = [(route.method, route.path, self._handler(route)) for route in ROUTES]
        # Starlette answers 405 by the first path that fits: all methods of a path are one route.
        paths: dict[str, dict[str, Handler]] = {}
        for method, path, handler in (*own, *table):
            paths.setdefault(path, {})[method] = handler
        return [HttpRoute(PREFIX + path, _by_method(methods), methods=list(methods)) for path, methods in paths.items()]

    def _handler(self, route: Route) -> Handler:
        async def handle(request: Request) -> Response:
            if route.verb == "events" and EVENTS in request.headers.get("accept", ""):
                return await self._stream(request)
            who = identity.who(request)
            given = await arguments(request, route)
            if route.verb in STREAMS or (route.then and not given.get("what_if")):
                return await self._begin(request, route, given, who)
            answer = await self.cluster.ask(
                route.verb, given, who, as_seen=_as_seen(request), timeout_s=route.timeout_s
            )
            return _json(answer)

        return handle

    async def _begin(self, request: Request, route: Route, given: dict[str, Any], who: Who) -> Response:
        self.operations.need_room()
        by = await self._account(who)
        result = None
        if route.then:
            answer = await self.cluster.ask(
                route.verb, given, who, as_seen=_as_seen(request), timeout_s=route.timeout_s
            )
            result = answer.result
        operation = self.operations.begin(route, given, who, by.user, result)
        wait_s = _preferred_wait(request)
        return _operation(await self.operations.wait(operation.id, wait_s))

    async def _account(self, who: Who) -> SessionRow:
        """Raises `Refused` for nobody."""
        answer = await self.cluster.ask("session.show", {}, who)
        return msgspec.json.decode(answer.result, type=SessionRow)

    async def _description(self, _: Request) -> Response:
        return Response(openapi.document(), media_type=JSON)

    async def _authority(self, _: Request) -> Response:
        """Whom to believe: told to everybody, for it is believed by its fingerprint only."""
        if not self._authority_pem:
            raise Refused("usage", "this node has a certificate of its administrator's", "missing")
        return Response(self._authority_pem(), media_type="application/x-pem-file")

    async def _sign_in(self, request: Request) -> Response:
        answer = await self.cluster.ask("session.open", await body(request), Who("", identity.address_of(request)))
        begun = msgspec.json.decode(answer.result, type=SessionBegun)
        response = identity.shown(begun.row, begun.session, 201)
        identity.remember(response, begun.session)
        return response

    async def _show_session(self, request: Request) -> Response:
        who = identity.who(request)
        row = await self._account(who)
        by_cookie = "authorization" not in request.headers
        return identity.shown(row, who.credential if by_cookie else "")

    async def _sign_out(self, request: Request) -> Response:
        answer = await self.cluster.ask("session.close", {}, identity.who(request))
        response = _json(answer)
        identity.forget(response)
        return response

    async def _show_elsewhere(self, request: Request) -> Response:
        """For the console, which keeps it while its page is open: with what it can go on at another node."""
        who = identity.who(request)
        await self._account(who)
        if "authorization" in request.headers:
            raise Refused("usage", "who has a token needs no other word: every node takes it")
        others = await self._neighbours.others(request.headers.get("host", ""))
        return Response(msgspec.json.encode(openapi.Elsewhere(who.credential, tuple(others))), media_type=JSON)

    async def _list_operations(self, request: Request) -> Response:
        await self._account(identity.who(request))
        return Response(msgspec.json.encode(self.operations.all()), media_type=JSON)

    async def _show_operation(self, request: Request) -> Response:
        await self._account(identity.who(request))
        wait_s = _seconds(request.query_params.get("wait_s", "0"), "wait_s")
        operation = await self.operations.wait(request.path_params["id"], wait_s)
        return Response(msgspec.json.encode(operation), media_type=JSON)

    async def _cancel(self, request: Request) -> Response:
        who = identity.who(request)
        account = await self._account(who)
        operation = self.operations.named(request.path_params["id"])
        may_end = account.user == operation.by or account.role == Role.ADMINISTRATOR.value
        operation = await self.operations.cancel(operation.id, who, may_end=may_end)
        return Response(msgspec.json.encode(operation), media_type=JSON)

    async def _stream(self, request: Request) -> Response:
        who = identity.who(request)
        await self._account(who)
        if self._streams >= MOST_STREAMS:
            raise Refused("impossible", f"{MOST_STREAMS} streams of changes are served here already: ask another node")
        last = request.headers.get("last-event-id") or request.query_params.get("last_event_id", "")
        state = request.query_params.get("state", "yes") != "no"
        alive_s = min(max(1.0, _seconds(request.query_params.get("alive_s", "15"), "alive_s")), ALIVE_S)

        async def counted() -> AsyncIterator[bytes]:
            self._streams += 1
            try:
                async for part in stream(self.cluster, who, last, state=state, alive_s=alive_s):
                    yield part
            finally:
                self._streams -= 1

        return StreamingResponse(counted(), media_type=EVENTS, headers={"X-Accel-Buffering": "no"})

    async def _ask(self, request: Request) -> Response:
        """Any verb, as on the control socket, for `outlast --cluster`: one JSON line for each item, then the result."""
        who, verb = identity.who(request), request.path_params["verb"]
        given = dict(await body(request))
        if verb.startswith(("web.", "session.to_", "session.from_")):
            raise Refused("denied", f"{verb} is for outlast-web itself")
        if verb not in STREAMS:
            answer = await self.cluster.ask(verb, given, who, as_seen=_as_seen(request), timeout_s=LONGEST_ASK_S)
            notice = b',"notice":' + msgspec.json.encode(answer.notice) if answer.notice else b""
            return Response(b'{"result":' + answer.result + notice + b"}\n", media_type=LINES)
        await self._account(who)

        async def lines() -> AsyncIterator[bytes]:
            try:
                async for item in self.cluster.follow(verb, given, who):
                    yield b'{"item":' + item + b"}\n"
                yield b'{"result":null}\n'
            except Refused as refused:
                error = {"kind": refused.kind, "message": str(refused)}
                yield msgspec.json.encode({"error": error}) + b"\n"

        return StreamingResponse(lines(), media_type=LINES)


def _by_method(methods: dict[str, Handler]) -> Handler:
    async def handle(request: Request) -> Response:
        return await methods["GET" if request.method == "HEAD" else request.method](request)

    return handle


def _json(answer: Answer) -> Response:
    headers = {"ETag": f'"{answer.revision}"'} if answer.revision else {}
    if answer.notice:
        headers["Outlast-Notice"] = answer.notice.encode("ascii", "replace").decode().replace("\n", " ")
    return Response(answer.result, 200, headers, media_type=JSON)


def _operation(operation: Operation) -> Response:
    status = 202 if operation.state == "running" else 200
    headers = {"Location": f"{PREFIX}/operations/{operation.id}"}
    return Response(msgspec.json.encode(operation), status, headers, media_type=JSON)


def _as_seen(request: Request) -> int:
    """The revision in the header If-Match; 0: there is no condition. Raises `Refused`."""
    given = request.headers.get("if-match", "").strip()
    if given in ("", "*"):
        return 0
    match = re.fullmatch(r'(?:W/)?"([0-9]{1,18})"', given)
    if match is None or match[1].strip("0") == "":
        raise Refused("changed", "If-Match takes one ETag, as it was answered")
    return int(match[1])


def _preferred_wait(request: Request) -> float:
    match = re.search(r"(?:^|[,;\s])wait\s*=\s*(\d{1,6})", request.headers.get("prefer", ""))
    return min(float(match[1]), LONGEST_WAIT_S) if match else 0.0


def _seconds(word: str, name: str) -> float:
    if not re.fullmatch(r"\d{1,6}(\.\d{1,6})?", word):
        raise Refused("usage", f"{name} takes a number of seconds")
    return min(float(word), LONGEST_WAIT_S)


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    return problem(error)


async def _http(request: Request, error: Exception) -> Response:
    """What starlette refuses by itself."""
    assert isinstance(error, HTTPException)
    cause = {404: "missing", 405: "method"}.get(error.status_code, "")
    words = f"there is no {request.method} {request.url.path}; GET {PREFIX}/openapi.json tells what there is"
    response = problem(Refused("usage", words, cause))
    response.headers.update(error.headers or {})
    return response


async def _bug(request: Request, error: Exception) -> Response:
    log.error("a request failed", method=request.method, path=request.url.path, exc_info=error)
    return problem(Refused("failed", f"outlast-web failed: {type(error).__name__}; see its log", "bug"))
