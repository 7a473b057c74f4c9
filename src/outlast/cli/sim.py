"""outlast sim: the real cluster service in a simulated world, on a clock that jumps.

Exit code 0: all is as expected and no invariant broke; 1: it is not, or one did.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from outlast.cli import options
from outlast.cli.contact import wants_json
from outlast.client.control import ControlError

if TYPE_CHECKING:
    from outlast.sim.bugs import Bug
    from outlast.sim.campaign import Timed
    from outlast.sim.scenario import Played

app = typer.Typer(
    name="sim",
    help="The real cluster service in a simulated world: scenarios, and random faults by the thousand.",
    no_args_is_help=True,
)

Nodes = Annotated[int, typer.Option("--nodes", min=1, help="Nodes of each world.")]
Vms = Annotated[int, typer.Option("--vms", min=1, help="VMs of each world.")]
Minutes = Annotated[float, typer.Option("--minutes", min=0.5, help="Simulated minutes: half of them with faults.")]
ScenarioOut = Annotated[
    Path | None,
    typer.Option(
        "--scenario-out", metavar="FILE", show_default=False, help="Write the scenario of the first failure there."
    ),
]


@app.command()
def run(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A scenario file; see docs/simulator.md.")],
    rewrite: Annotated[bool, typer.Option("--rewrite", help="Write the log that comes out into the file.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", help="Show the services' own log lines too.")] = False,
    as_json: options.Json = False,
) -> None:
    """Play a scenario file: show its log, and what differs from what it expects."""
    from outlast.cli import output
    from outlast.sim import scenario
    from outlast.sim.commands import BadCommand

    try:
        blocks = scenario.read(file.read_text())
        played = scenario.play(blocks, verbose=verbose)
    except OSError as error:
        raise ControlError("usage", f"cannot read {file}: {error.strerror}") from None
    except BadCommand as error:
        raise ControlError("usage", f"cannot play {file}: {error}") from None
    good = not played.broken and (rewrite or verbose or played.as_expected)
    if rewrite:
        file.write_text(played.rewritten())
    if wants_json(context):
        output.json(
            {
                "as_expected": played.as_expected,
                "broken": list(played.broken),
                "log": [line for log in played.logs for line in log],
            }
        )
    else:
        _tell(played, compare=not rewrite and not verbose)
    raise typer.Exit(0 if good else 1)


@app.command()
def seeds(
    context: typer.Context,
    count: Annotated[int, typer.Argument(metavar="N", min=1, help="How many seeds to play.")],
    first: Annotated[int, typer.Option("--from", metavar="S", help="The first seed.")] = 0,
    nodes: Nodes = 3,
    vms: Vms = 10,
    minutes: Minutes = 10.0,
    jobs: Annotated[int, typer.Option("--jobs", min=1, help="Processes to play them in.")] = 1,
    bugs: Annotated[
        str, typer.Option("--bugs", metavar="NAMES", help="Bugs to plant, to see that they are found.")
    ] = "",
    scenario_out: ScenarioOut = None,
    as_json: options.Json = False,
) -> None:
    """Play random faults from many seeds; after every step the invariants must hold."""
    from outlast.cli import output
    from outlast.sim.campaign import play_seeds
    from outlast.sim.seeds import Size, shrink

    planted = _bugs(bugs)
    played: list[Timed] = []
    failed: list[Timed] = []
    with _bar(f"{count} seeds", count) as advance:
        for timed in play_seeds(range(first, first + count), Size(nodes, vms, minutes), jobs=jobs, bugs=planted):
            played.append(timed)
            if timed.outcome.broken:
                failed.append(timed)
            advance(f"{len(failed)} failed")
    failed.sort(key=lambda timed: timed.outcome.seed)
    took_s = sum(timed.took_s for timed in played)
    if wants_json(context):
        output.json(
            {
                "seeds": count,
                "failed": [{"seed": timed.outcome.seed, "broken": list(timed.outcome.broken)} for timed in failed],
                "seconds": round(took_s, 3),
            }
        )
    else:
        for timed in failed:
            output.line(output.Cell(f"seed {timed.outcome.seed}: ", "bold red"), timed.outcome.broken[0])
        output.line(f"{count} seeds from {first}: {len(failed)} failed; {took_s:.1f} s of playing")
    if failed and (scenario_out is not None or not wants_json(context)):
        smallest = shrink(failed[0].outcome)
        if scenario_out is not None:
            scenario_out.write_text(smallest.scenario)
        else:
            output.line(f"\nThe scenario that repeats seed {smallest.seed} (save it, and `outlast sim run` it):\n")
            output.line(smallest.scenario)
    raise typer.Exit(1 if failed else 0)


@app.command()
def seed(
    context: typer.Context,
    number: Annotated[int, typer.Argument(metavar="S", help="Which seed.")],
    nodes: Nodes = 3,
    vms: Vms = 10,
    minutes: Minutes = 10.0,
    verbose: Annotated[bool, typer.Option("--verbose", help="Show the services' own log lines too.")] = False,
    scenario_out: Annotated[
        Path | None,
        typer.Option("--scenario-out", metavar="FILE", show_default=False, help="Write its scenario there."),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Play one seed and show all that happens in it."""
    from outlast.cli import output
    from outlast.sim.seeds import Size, show_seed

    played = show_seed(number, Size(nodes, vms, minutes), verbose=verbose)
    if scenario_out is not None:
        scenario_out.write_text(played.rewritten())
    if wants_json(context):
        output.json(
            {
                "seed": number,
                "broken": list(played.broken),
                "commands": [command for block in played.blocks for command in block.commands],
                "log": [line for log in played.logs for line in log],
            }
        )
    else:
        _tell(played, compare=False)
    raise typer.Exit(1 if played.broken else 0)


def _bugs(names: str) -> "frozenset[Bug]":
    from outlast.sim.bugs import Bug

    known = {bug.value: bug for bug in Bug}
    wanted = [name for name in names.split(",") if name]
    for name in wanted:
        if name not in known:
            raise ControlError("usage", f'there is no bug "{name}" to plant; there are: {", ".join(sorted(known))}')
    return frozenset(known[name] for name in wanted)


@contextmanager
def _bar(what: str, total: int) -> Iterator[Callable[[str], None]]:
    """A progress bar on a terminal, and nothing elsewhere. Calling what it gives: one more is done; how it stands."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    screen = Console(stderr=True)
    columns = (
        TextColumn(what),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.description}"),
    )
    with Progress(*columns, console=screen, transient=True, disable=not screen.is_terminal) as progress:
        task = progress.add_task("", total=total)
        yield lambda words: progress.update(task, advance=1, description=words)


def _tell(played: "Played", *, compare: bool) -> None:
    from outlast.cli import output

    for block, log in zip(played.blocks, played.logs, strict=True):
        for prose in block.prose:
            output.line(output.Cell(prose, "bold"))
        for command in block.commands:
            output.line(output.Cell(command, "cyan"))
        for line in log:
            output.line(output.Cell(line, "bold red" if line.startswith("  BROKEN") else ""))
        output.line("")
    if played.broken:
        output.line(output.Cell(f"{len(played.broken)} invariants broken", "bold red"))
    elif compare and not played.as_expected:
        output.line(output.Cell("The log is not what the file expects (-), but this (+):", "bold red"))
        output.line(played.differences())
    elif compare:
        output.line(output.Cell("as expected", "green"))
