"""What of this cluster would not work when it is needed?"""

from outlast.core.validation import fence_findings
from outlast.model.answers import Finding
from outlast.service.commands.context import Command, Context, Nothing
from outlast.service.commands.fence import tests


async def validate(context: Context, _: Nothing) -> list[Finding]:
    """Asks every fence device for its status; switches nothing."""
    answers = await tests(context, list(context.store.nodes.values()))
    return list(fence_findings(context.view(), answers))


COMMANDS: dict[str, Command] = {"validate": (Nothing, validate)}
