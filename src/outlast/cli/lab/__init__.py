"""outlast lab: several hosts on one machine, to try things out and to test. Which verbs has it?

What is imported at the top here and in the rooms is paid for by every verb, `outlast lab exec` too, so it is next to
nothing: the lab itself, the simulator's invariants and what draws tables are imported where they are used.
"""

import typer

from outlast.cli.lab import faults, guests, inside, life, trials

app = typer.Typer(
    name="lab",
    help="Several hosts on this machine, as Linux namespaces: to try Outlast, to break things on purpose, to test.",
    no_args_is_help=True,
)
app.command()(life.up)
app.command()(trials.demo)
app.command()(life.down)
app.command()(life.shutdown)
app.command()(inside.show)
app.command()(faults.cut)
app.command()(faults.slow)
app.command()(faults.heal)
app.command()(faults.freeze)
app.command()(faults.thaw)
app.command()(faults.kill)
app.command()(faults.bmc)
app.command(
    "exec",
    # All behind NODE is the command's own, its options too.
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "allow_interspersed_args": False},
)(inside.execute)
app.command()(inside.shell)
app.command()(inside.logs)
app.command()(trials.check)
app.command()(trials.soak)

guest = typer.Typer(help="Guests for the lab.", no_args_is_help=True)
app.add_typer(guest, name="guest")
guest.command()(guests.beacon)
guest.command()(guests.linux)

power = typer.Typer(help="Power of a node: on, off, reset.", no_args_is_help=True)
app.add_typer(power, name="power")
power.command("on")(life.power_on)
power.command("off")(life.power_off)
power.command("reset")(life.power_reset)
