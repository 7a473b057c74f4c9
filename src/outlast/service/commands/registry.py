"""Finds the command for a verb, checks its arguments, and runs it."""

import re
from collections.abc import AsyncIterator, Mapping

import msgspec

from outlast.core.timing import Impossible
from outlast.model.health import Json
from outlast.ports.database import Unavailable
from outlast.service.commands import (
    backup,
    cluster,
    explain,
    fence,
    groups,
    nodes,
    queries,
    quorum,
    resources,
    settings,
    validate,
    vms,
)
from outlast.service.commands.context import Command, CommandError, Context, Stream

COMMANDS: dict[str, Command] = {
    **queries.COMMANDS,
    **nodes.COMMANDS,
    **groups.COMMANDS,
    **resources.COMMANDS,
    **vms.COMMANDS,
    **explain.COMMANDS,
    **cluster.COMMANDS,
    **backup.COMMANDS,
    **fence.COMMANDS,
    **validate.COMMANDS,
    **quorum.COMMANDS,
    **settings.COMMANDS,
}
STREAMS: dict[str, Stream] = {**queries.STREAMS, **groups.STREAMS}
KINDS = {"float": "a number", "int": "a whole number", "str": "text", "bool": "true or false"}
"""Words for what msgspec expected."""


class Commands:
    def __init__(self, context: Context) -> None:
        self._context = context

    async def run(self, verb: str, arguments: Mapping[str, Json]) -> AsyncIterator[tuple[str, Json]]:
        """("item", ...) any number of times from verbs that stream, then ("result", ...). Raises `CommandError`."""
        try:
            if not self._context.store.ready.is_set() and verb not in quorum.WITHOUT_DATABASE:
                raise CommandError("impossible", f"{self._context.store.why_not_ready}; try again")
            if verb in STREAMS:
                kind, stream = STREAMS[verb]
                async for item in stream(self._context, _arguments(verb, arguments, kind)):
                    yield "item", msgspec.to_builtins(item)
                yield "result", None
            elif verb in COMMANDS:
                kind, command = COMMANDS[verb]
                result = await command(self._context, _arguments(verb, arguments, kind))
                yield "result", msgspec.to_builtins(result)
            else:
                raise CommandError("usage", f'there is no verb "{verb}"; outlastd may be older than this command')
        except Unavailable as error:
            raise CommandError("impossible", f"the cluster database does not answer: {error}; try again") from error
        except Impossible as error:
            raise CommandError("usage", str(error)) from error


def _arguments(verb: str, arguments: Mapping[str, Json], kind: type) -> object:
    try:
        return msgspec.convert(arguments, kind)
    except msgspec.ValidationError as error:
        raise CommandError("usage", f"{verb} cannot be done like that: {_for_people(str(error))}") from error


def _for_people(words: str) -> str:
    """msgspec's "Expected `float` >= 0.0 - at `$.values.delay_s`"."""
    told, _, place = words.partition(" - at ")
    for kind, name in KINDS.items():
        told = told.replace(f"`{kind}`", name)
    told = re.sub(r"\.0\b", "", told).replace("Expected ", "expected ")
    field = place.strip("`").rpartition(".")[2]
    return f"{field}: {told}" if field else told
