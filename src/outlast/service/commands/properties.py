"""Would a resource work with these properties? Its type's plugin on each node is asked, before anything is written.

A plugin that wants to be asked names `check` among its functions. Its answer is a list of what is wrong, for people.
"""

from collections.abc import Mapping

from outlast.core.placement import placement
from outlast.model.group import Resource
from outlast.model.health import Json
from outlast.service.commands.context import CommandError, Context

CHECK = "check"


async def checked(context: Context, record: Resource, definition: str = "") -> Mapping[str, str]:
    """By node, what its plugin finds wrong; not in it who finds nothing, has no such function, or does not answer.
    Raises `CommandError` when every node that answers finds something wrong."""
    view = context.view()
    asked = [
        name
        for name in sorted(placement.members(view))
        if any(offer.type == record.type and CHECK in offer.functions for offer in view.sessions[name].offers)
    ]
    if not asked:
        return {}
    arguments: dict[str, Json] = {
        "name": record.name,
        "properties": dict(record.properties),
        "definition": definition,
    }
    answers = await context.surveys.ask(asked, record.type, CHECK, arguments)
    told = {
        node: "; ".join(str(problem) for problem in answer.result or ())
        for node, answer in answers.items()
        if not answer.problem
    }
    wrong = {node: words for node, words in told.items() if words}
    if wrong and len(wrong) == len(told):
        words = set(wrong.values())
        same = "; ".join(f"{node}: {why}" for node, why in wrong.items()) if len(words) > 1 else words.pop()
        raise CommandError("usage", f"the type {record.type} does not take these properties for {record.name}: {same}")
    return wrong
