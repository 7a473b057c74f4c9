"""The description of the API (OpenAPI 3.1), made from the table of routes and the types of the verbs."""

import functools
import inspect
import re
from collections.abc import AsyncIterator
from typing import Any, get_args, get_origin, get_type_hints

import msgspec

from outlast import __version__
from outlast.core.access.permissions import NEEDS
from outlast.model.access_answers import SessionRow, SignInWay
from outlast.service.access.signing_in import SignIn
from outlast.service.commands.registry import COMMANDS, STREAMS
from outlast.web.arguments import IN_QUERY, type_of
from outlast.web.operations import Operation
from outlast.web.problems import MEDIA_TYPE, Problem
from outlast.web.routes import PREFIX, ROUTES, Route

REF = "#/components/schemas/{name}"
Schema = dict[str, Any]


class Session(SessionRow, frozen=True):
    csrf: str
    """To be sent as X-CSRF-Token with each change by this session; empty for an API token."""


class Elsewhere(msgspec.Struct, frozen=True):
    """With what a page goes on when the node that served it does not answer."""

    word: str
    """Of the session: to be sent as a bearer token."""
    others: tuple[str, ...]
    """The other nodes: https://..."""


class ToProvider(msgspec.Struct, frozen=True):
    url: str
    """Where the browser goes."""


class FromProvider(msgspec.Struct, frozen=True):
    """What the provider has sent the browser back with."""

    state: str = ""
    code: str = ""
    error: str = ""
    error_description: str = ""


@functools.cache
def document() -> bytes:
    return msgspec.json.encode(description())


def description() -> Schema:
    own = [SignIn, Session, Elsewhere, Operation, Problem, list[Operation]]
    own += [ToProvider, FromProvider, list[SignInWay]]
    kinds = [*own, *(type_of(route.verb) for route in ROUTES), *(answer_of(route.verb) for route in ROUTES)]
    schemas, components = msgspec.json.schema_components(kinds, ref_template=REF)
    made = dict(zip(map(repr, kinds), schemas, strict=True))
    paths: Schema = {}
    for route in ROUTES:
        path = paths.setdefault(PREFIX + route.path, {})
        path[route.method.lower()] = _operation(route, made, components)
    for path, method, operation in _own(made):
        paths.setdefault(PREFIX + path, {})[method] = operation
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Outlast",
            "version": __version__,
            "description": "The failover cluster for virtual machines: everything that its command line can do.",
        },
        "servers": [{"url": "/"}],
        "security": [{"token": []}, {"session": []}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "An API token."},
                "session": {"type": "apiKey", "in": "cookie", "name": "__Host-outlast"},
            },
        },
    }


def answer_of(verb: str) -> Any:
    """The type of the result, or of the items of a verb that streams."""
    function = (COMMANDS[verb] if verb in COMMANDS else STREAMS[verb])[1]
    found = get_type_hints(function)["return"]
    return get_args(found)[0] if get_origin(found) is AsyncIterator else found


def _operation(route: Route, made: Schema, components: Schema) -> Schema:
    need = NEEDS[route.verb]
    fields = _fields(made[repr(type_of(route.verb))], components)
    in_path = re.findall(r"{(\w+)}", route.path)
    begins = bool(route.then) or route.verb in STREAMS
    result: Schema = {
        "operationId": route.verb,
        "summary": _summary(route.verb),
        "description": f"Takes the role {need.role.value}." + (" Goes into the audit log." if need.changes else ""),
        "tags": [route.path.split("/")[1]],
        "parameters": [_parameter(name, "path", fields["properties"][name], required=True) for name in in_path],
        "responses": _responses(made[repr(answer_of(route.verb))], begins=begins, tries="what_if" in str(fields)),
        "x-outlast-verb": route.verb,
        "x-outlast-role": need.role.value,
    }
    rest = {name: schema for name, schema in fields["properties"].items() if name not in in_path}
    required = [name for name in fields.get("required", ()) if name in rest]
    if route.method in IN_QUERY:
        result["parameters"] += [
            _parameter(name, "query", schema, required=name in required) for name, schema in rest.items()
        ]
    elif rest:
        schema = {"type": "object", "properties": rest, "required": required, "additionalProperties": False}
        result["requestBody"] = {"required": bool(required), "content": {"application/json": {"schema": schema}}}
    if begins:
        result["parameters"].append(_header("Prefer", "wait=SECONDS: answer when it is done, or after that time."))
    if route.method == "PATCH":
        result["parameters"].append(_header("If-Match", "Change it only if it is still as this ETag says."))
    return result


def _responses(answer: Schema, *, begins: bool, tries: bool) -> Schema:
    operation = {"$ref": REF.format(name="Operation")}
    found: Schema = {"default": _body("It could not be done; why.", {"$ref": REF.format(name="Problem")}, MEDIA_TYPE)}
    if begins:
        found["202"] = _body("It has begun.", operation)
        found["200"] = _body("It is done.", {"anyOf": [operation, answer]} if tries else operation)
    else:
        found["200"] = _body("Done.", answer)
    return found


def _own(made: Schema) -> list[tuple[str, str, Schema]]:
    session, elsewhere, operation = (made[repr(kind)] for kind in (Session, Elsewhere, Operation))
    sign_in = {"required": True, "content": {"application/json": {"schema": made[repr(SignIn)]}}}
    back = {"required": True, "content": {"application/json": {"schema": made[repr(FromProvider)]}}}
    ways, leave = made[repr(list[SignInWay])], made[repr(ToProvider)]
    id_ = _parameter("id", "path", {"type": "string"}, required=True)
    wait = _parameter("wait_s", "query", {"type": "number", "minimum": 0, "maximum": 60}, required=False)
    problems = {"default": _body("It could not be done; why.", {"$ref": REF.format(name="Problem")}, MEDIA_TYPE)}

    def one(name: str, summary: str, answer: Schema, status: str = "200", **more: Any) -> Schema:
        responses = {status: _body("Done.", answer), **problems}
        return {"operationId": name, "summary": summary, "responses": responses, **more}

    listed = made[repr(list[Operation])]
    return [
        ("/session", "post", one("session.open", "Sign in", session, "201", requestBody=sign_in, security=[])),
        ("/session", "get", one("session.show", "Who asks", session)),
        ("/session", "delete", one("session.close", "Sign out", {"type": "string"})),
        ("/session/ways", "get", one("session.ways", "Further ways to sign in", ways, security=[])),
        (
            "/session/to-provider",
            "post",
            one("session.to_provider", "Leave for the provider; a cookie remembers it", leave, security=[]),
        ),
        (
            "/session/from-provider",
            "post",
            one("session.from_provider", "Come back from there", session, "201", requestBody=back, security=[]),
        ),
        ("/session/elsewhere", "post", one("session.elsewhere", "How a page goes on at another node", elsewhere)),
        ("/operations", "get", one("operations", "What was begun here, the newest first", listed)),
        ("/operations/{id}", "get", one("operation", "One of them", operation, parameters=[id_, wait])),
        ("/operations/{id}", "delete", one("operation.cancel", "Take it back", operation, parameters=[id_])),
    ]


def _fields(schema: Schema, components: Schema) -> Schema:
    name = schema["$ref"].removeprefix(REF.format(name=""))
    found: Schema = components[name]
    return {"properties": {}, **found}


def _parameter(name: str, place: str, schema: Schema, *, required: bool) -> Schema:
    if place == "path":
        schema = {**schema, "minLength": 1}
    return {"name": name, "in": place, "required": required, "schema": schema}


def _header(name: str, words: str) -> Schema:
    return {"name": name, "in": "header", "required": False, "schema": {"type": "string"}, "description": words}


def _body(words: str, schema: Schema, media_type: str = "application/json") -> Schema:
    return {"description": words, "content": {media_type: {"schema": schema}}}


def _summary(verb: str) -> str:
    """What the function says of itself, or its name."""
    function = (COMMANDS[verb] if verb in COMMANDS else STREAMS[verb])[1]
    told = (inspect.getdoc(function) or "").split("\n\n")[0].replace("\n", " ")
    return told or verb.replace(".", ": ").replace("_", " ")
