"""What is the `outlast` command? The root of all nouns, and the one place where errors become exit codes.

A noun's file is imported when it is used: `outlast status` must not pay for the simulator. Exit codes are a contract:
0 done, 1 failed, 2 wrong usage or input, 3 not possible now, 4 no contact with the cluster.
"""

import importlib
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperGroup

from outlast.cli import options
from outlast.cli.plain import spare_checks
from outlast.client.control import EXIT_CODES, ControlError

LOOK, MANAGE, TRY = "Look", "Manage", "Try it out"
NOUNS = {
    "status": LOOK,
    "top": LOOK,
    "events": LOOK,
    "explain": LOOK,
    "quorum": LOOK,
    "validate": LOOK,
    "vm": MANAGE,
    "group": MANAGE,
    "volume": MANAGE,
    "resource": MANAGE,
    "resource-type": MANAGE,
    "node": MANAGE,
    "rule": MANAGE,
    "what-if": LOOK,
    "fence": MANAGE,
    "cluster": MANAGE,
    "balance": MANAGE,
    "user": MANAGE,
    "sign-in": MANAGE,
    "api-token": MANAGE,
    "notice": MANAGE,
    "audit": LOOK,
    "context": MANAGE,
    "lab": TRY,
    "sim": TRY,
    "version": LOOK,
}
"""Noun to where `--help` shows it. The file (or folder) has the noun's name, and offers a typer `app`."""


class Nouns(TyperGroup):
    """Finds the commands by name, file by file."""

    if TYPE_CHECKING:
        # What typer calls a command is not public in all its versions.
        def get_command(self, ctx: Any, cmd_name: str) -> Any: ...
        def resolve_command(self, ctx: Any, args: list[str]) -> Any: ...
    else:

        def get_command(self, ctx: Any, cmd_name: str) -> Any:
            if cmd_name not in NOUNS:
                return None
            if cmd_name not in self.commands:
                self.add_command(load(cmd_name, offer_help=self.add_help_option), cmd_name)
            return self.commands[cmd_name]

        def resolve_command(self, ctx: Any, args: list[str]) -> Any:
            if args[0] not in NOUNS and not args[0].startswith("-"):
                ctx.fail(f'there is no command "{args[0]}"{_did_you_mean(args[0])}')
            return super().resolve_command(ctx, args)

    def list_commands(self, ctx: Any) -> list[str]:
        return list(NOUNS)


def load(noun: str, *, offer_help: bool = True) -> Any:
    """The noun's command, with all its verbs."""
    module = importlib.import_module(f"outlast.cli.{noun.replace('-', '_')}")
    parent = typer.Typer(add_completion=False)
    parent.add_typer(module.app)
    command: Any = typer.main.get_group(parent).commands[noun]
    command.rich_help_panel = NOUNS[noun]
    for each in (command, *getattr(command, "commands", {}).values()):
        each.add_help_option = offer_help
    spare_checks(command)
    return command


EPILOG = """--socket PATH (or OUTLAST_SOCKET), before the noun, names another control socket of the cluster service;
--cluster NAME|https://HOST:9443 (or OUTLAST_CLUSTER) a cluster elsewhere.

Exit codes: 0 done, 1 failed, 2 wrong usage or input, 3 not possible now, 4 no contact with the cluster."""
PLACES = {
    "--socket": "the path of a control socket",
    "--cluster": "the name of a context, or https://HOST:9443",
}
LOCAL = {
    # What works on this machine, whichever cluster is asked otherwise: never on another because a context is in use.
    *("lab", "sim", "version", "context"),
    *("cluster create", "cluster join", "cluster leave"),
    *("vm create", "vm import", "node before-shutdown"),
}
HELP = {"-h", "--help"}
COMPLETES = "_OUTLAST_COMPLETE"
"""Set by the shell that asks for completions."""
COMPLETION = {"--install-completion", "--show-completion"}


def root(context: typer.Context, as_json: options.Json = False) -> None:
    """Outlast: virtual machines that outlast their hosts."""


def program(arguments: Sequence[str]) -> Any:
    """The root command, as far as these arguments need it.

    Typer checks the value of every option but a plain flag with pydantic, whose import takes as long as all the rest
    of `outlast status`. So the options for help and for shell completion are there for those who ask for them.
    """
    completing = COMPLETES in os.environ
    app = typer.Typer(
        name="outlast",
        cls=Nouns,
        no_args_is_help=True,
        add_completion=completing or not arguments or arguments[0] in COMPLETION | HELP,
        add_help_option=completing or not arguments or not HELP.isdisjoint(arguments),
        context_settings={"help_option_names": sorted(HELP, reverse=True)},
        pretty_exceptions_enable=False,
        epilog=EPILOG,
    )
    app.callback()(root)
    return typer.main.get_command(app)


def main(arguments: Sequence[str] | None = None) -> None:
    """The program. Ends the process with one of the exit codes."""
    arguments = sys.argv[1:] if arguments is None else arguments
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a name that the locale has no letters for is no failure
    try:
        code = run(list(arguments))
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read our output has gone. Nobody is left to tell, and Python must not try again at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = EXIT_CODES["failed"]
    sys.exit(code)


def run(arguments: list[str]) -> int:
    """Carries the command out and returns its exit code."""
    try:
        place, rest = _take_place(arguments)
        settings = {"json": False, "local": _is_local(rest), **place}
        code = program(rest).main(args=rest, prog_name="outlast", standalone_mode=False, obj=settings)
    except ControlError as error:
        _tell(error.kind, str(error), arguments)
        return EXIT_CODES.get(error.kind, EXIT_CODES["failed"])
    except typer.TyperException as error:
        if type(error).__name__ != "NoArgsIsHelpError":  # it has printed its help already
            _tell("usage", _usage_words(error), arguments, hint=_usage(error))
        return EXIT_CODES["usage"]
    except typer.Abort:
        _tell("failed", "stopped: nothing was changed", arguments)
        return EXIT_CODES["failed"]
    return code if isinstance(code, int) else 0


def _take_place(arguments: list[str]) -> tuple[dict[str, str], list[str]]:
    """`--socket PATH` and `--cluster CLUSTER` before the noun. Read here, so that pydantic is not needed for them: see
    `program`."""
    found: dict[str, str] = {}
    rest: list[str] = []
    left = list(arguments)
    while left and left[0].startswith("-"):
        word = left.pop(0)
        option, separator, value = word.partition("=")
        if option not in PLACES:
            rest.append(word)
            continue
        if not separator and not left:
            raise ControlError("usage", f"{option} takes {PLACES[option]}")
        found[option.removeprefix("--")] = value if separator else left.pop(0)
    if len(found) > 1:
        raise ControlError("usage", "--socket and --cluster name two places to ask: use one of them")
    if "cluster" in found and _is_local(left):
        words = " ".join(["outlast", *_first_words(left)])
        raise ControlError("usage", f"`{words}` works on this machine alone: leave out --cluster")
    return found, [*rest, *left]


def _is_local(words: list[str]) -> bool:
    told = _first_words(words)
    return bool(told) and (told[0] in LOCAL or " ".join(told) in LOCAL)


def _first_words(words: list[str]) -> list[str]:
    return [word for word in words if not word.startswith("-")][:2]


def _tell(kind: str, words: str, arguments: list[str], *, hint: str = "") -> None:
    if _asks_for_json(arguments):
        import msgspec

        document = {"error": {"kind": kind, "message": words}}
        sys.stderr.write(msgspec.json.encode(document).decode() + "\n")
        return
    from outlast.cli.output import Cell, console, joined

    screen = console(stderr=True)
    screen.print(joined(Cell("outlast: ", "bold red"), words), soft_wrap=True)
    if hint:
        screen.print(joined(Cell(hint, "dim")), soft_wrap=True)


def _asks_for_json(arguments: list[str]) -> bool:
    """Asked of the words as they stand, because wrong usage may end the reading of them before `--json`."""
    own = arguments[: arguments.index("--")] if "--" in arguments else arguments
    return "--json" in own


def _usage_words(error: typer.TyperException) -> str:
    words = error.format_message().rstrip(".")
    return words[:1].lower() + words[1:]


def _usage(error: typer.TyperException) -> str:
    context = getattr(error, "ctx", None)
    if context is None:
        return ""
    usage: str = context.get_usage()
    return f"{' '.join(usage.split())}\nHelp: {context.command_path} --help"


def _did_you_mean(word: str) -> str:
    import difflib

    close = difflib.get_close_matches(word, NOUNS, n=3, cutoff=0.5)
    return f"; did you mean {' or '.join(close)}?" if close else "; outlast --help lists them"


if __name__ == "__main__":
    main()
