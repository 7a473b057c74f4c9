"""What are the arguments of the verb that a request asks for? From its path, its query, or its body."""

from collections.abc import Mapping
from typing import Any, get_origin

import msgspec
from starlette.requests import Request

from outlast.service.commands.registry import COMMANDS, STREAMS
from outlast.web.cluster import Refused
from outlast.web.routes import Route

LONGEST_BODY = 6 * 1024 * 1024
IN_QUERY = ("GET", "DELETE")


def type_of(verb: str) -> type[msgspec.Struct]:
    kind: type[msgspec.Struct] = (COMMANDS[verb] if verb in COMMANDS else STREAMS[verb])[0]
    return kind


async def arguments(request: Request, route: Route) -> dict[str, Any]:
    """Raises `Refused`. Whether the values are right is judged by the service."""
    in_path: dict[str, Any] = dict(request.path_params)
    given = _query(request, route) if route.method in IN_QUERY else await body(request)
    twice = sorted(set(given) & set(in_path))
    if twice:
        raise Refused("usage", f"{', '.join(twice)} stands in the path already")
    return {**given, **in_path}


def _query(request: Request, route: Route) -> dict[str, Any]:
    fields = {field.name: field.type for field in msgspec.structs.fields(type_of(route.verb))}
    unknown = sorted(set(request.query_params) - set(fields))
    if unknown:
        there = ", ".join(name for name in fields if name not in request.path_params)
        raise Refused("usage", f"{route.verb} takes no {', '.join(unknown)}" + (f"; it takes {there}" if there else ""))
    return {name: _meant(name, request.query_params.getlist(name), fields[name]) for name in request.query_params}


def _meant(name: str, words: list[str], kind: Any) -> Any:
    """A text as what it must be."""
    several = get_origin(kind) in (tuple, list)
    if not several and len(words) > 1:
        raise Refused("usage", f"{name} is given twice")
    try:
        value = msgspec.convert(words if several else words[0], kind, strict=False)
    except msgspec.ValidationError as error:
        raise Refused("usage", f"{name} cannot be {words[0]!r}: {error}") from None
    return msgspec.to_builtins(value)


async def body(request: Request) -> Mapping[str, Any]:
    """A JSON object; no body is an empty one. Raises `Refused`."""
    read = bytearray()
    async for part in request.stream():
        read += part
        if len(read) > LONGEST_BODY:
            raise Refused("too-large", f"a request has at most {LONGEST_BODY} bytes")
    if not read:
        return {}
    # A form of another site cannot send this type.
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Refused("media-type", "the body must be JSON: Content-Type: application/json")
    try:
        found: dict[str, Any] = msgspec.json.decode(bytes(read), type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refused("usage", f"the body is no JSON object: {error}") from None
    return found
