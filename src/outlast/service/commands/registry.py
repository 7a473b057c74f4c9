"""Finds the command for a verb, checks its arguments, and runs it."""

import dataclasses
import re
from collections.abc import AsyncIterator, Mapping

import msgspec

from outlast.core.membership.timing import Impossible
from outlast.model import keys
from outlast.model.health import Json
from outlast.ports.database import Unavailable, Uncertain
from outlast.service.commands import (
    api_tokens,
    audit,
    backup,
    balance,
    cluster,
    explain,
    fence,
    foretelling,
    group_making,
    group_settings,
    groups,
    guest_settings,
    load,
    maintenance,
    metrics,
    nodes,
    notices,
    queries,
    quorum,
    resource_making,
    resource_settings,
    resources,
    rules,
    screens,
    setting_rows,
    settings,
    sign_in,
    tokens,
    users,
    validate,
    vm_check,
    vms,
    volume_changes,
    volumes,
    what_if,
)
from outlast.service.commands.context import ON_THE_NODE, Asking, Command, CommandError, Context, NotKnown, Stream

COMMANDS: dict[str, Command] = {
    **queries.COMMANDS,
    **nodes.COMMANDS,
    **load.COMMANDS,
    **maintenance.COMMANDS,
    **metrics.COMMANDS,
    **groups.COMMANDS,
    **group_settings.COMMANDS,
    **group_making.COMMANDS,
    **resources.COMMANDS,
    **resource_settings.COMMANDS,
    **guest_settings.COMMANDS,
    **resource_making.COMMANDS,
    **foretelling.COMMANDS,
    **vms.COMMANDS,
    **vm_check.COMMANDS,
    **screens.COMMANDS,
    **explain.COMMANDS,
    **cluster.COMMANDS,
    **tokens.COMMANDS,
    **users.COMMANDS,
    **sign_in.COMMANDS,
    **notices.COMMANDS,
    **api_tokens.COMMANDS,
    **audit.COMMANDS,
    **backup.COMMANDS,
    **balance.COMMANDS,
    **rules.COMMANDS,
    **what_if.COMMANDS,
    **fence.COMMANDS,
    **validate.COMMANDS,
    **quorum.COMMANDS,
    **settings.COMMANDS,
    **setting_rows.COMMANDS,
    **volumes.COMMANDS,
    **volume_changes.COMMANDS,
}
STREAMS: dict[str, Stream] = {
    **balance.STREAMS,
    **queries.STREAMS,
    **groups.STREAMS,
    **resources.STREAMS,
    **maintenance.STREAMS,
    **volume_changes.STREAMS,
}
SHOW_PROTECTION = {"group.list", "group.show", "vm.list", "vm.show", "explain.group", "explain.vm", "what_if.node_down"}
"""What is protected, or would run again, depends on who votes in the database, which is asked for that (`status` asks
by itself)."""
RECORDS = {
    "cluster": keys.CLUSTER,
    "group": keys.GROUPS,
    "resource": keys.RESOURCES,
    "node": keys.NODES,
    "notice": keys.NOTICES,
    "user": keys.USERS,
}
SHOW = ("show", "settings")
"""What verbs that show such a record end with."""
KINDS = {"float": "a number", "int": "a whole number", "str": "text", "bool": "true or false"}
"""Words for what msgspec expected."""


class Commands:
    def __init__(self, context: Context) -> None:
        self._context = context

    async def run(
        self, verb: str, arguments: Mapping[str, Json], asking: Asking = ON_THE_NODE
    ) -> AsyncIterator[tuple[str, Json]]:
        """("item", ...) any number of times from verbs that stream, then ("result", ...). Raises `CommandError`."""
        try:
            if not self._context.store.ready.is_set() and verb not in quorum.WITHOUT_DATABASE:
                raise CommandError("impossible", f"{self._context.store.why_not_ready}; try again")
            context = dataclasses.replace(self._context, asking=asking, key=_record(self._context, verb, arguments))
            if verb in STREAMS:
                kind, stream = STREAMS[verb]
                async for item in stream(context, _arguments(verb, arguments, kind)):
                    yield "item", msgspec.to_builtins(item)
                yield "result", None
            elif verb in COMMANDS:
                kind, command = COMMANDS[verb]
                if verb in SHOW_PROTECTION and context.voters.quorum is not None:
                    await context.voters.quorum.narrow()
                seen = context.store.revision_of(context.key)
                result = await command(context, _arguments(verb, arguments, kind))
                if context.key:
                    # Of what is shown, the older one if it changes meanwhile; of what was changed, as it is now.
                    shown = verb.rpartition(".")[2] in SHOW
                    yield "revision", seen if shown else context.store.revision_of(context.key)
                yield "result", msgspec.to_builtins(result)
            else:
                raise CommandError("usage", f'there is no verb "{verb}"; outlastd may be older than this command')
        except Uncertain as error:
            raise NotKnown(error) from error
        except Unavailable as error:
            raise CommandError("impossible", f"the cluster database does not answer: {error}; try again") from error
        except Impossible as error:
            raise CommandError("usage", str(error)) from error


def _record(context: Context, verb: str, arguments: Mapping[str, Json]) -> str:
    """Key of the record that the verb shows or changes, where it is one that several may want to change at once."""
    noun, _, what = verb.partition(".")
    if what not in (*SHOW, "set") or noun not in RECORDS:
        return ""
    if noun == "cluster":
        return keys.CLUSTER
    name = str(arguments.get("name", ""))
    return RECORDS[noun] + (context.group(name).name if noun == "group" else name)


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
