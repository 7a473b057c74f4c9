"""The terminal: the alternate screen, keys as they are pressed, and both given back in every case."""

import os
import select
import signal
import sys
import termios
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from outlast.cli import output
from outlast.cli.top.following import Following, look
from outlast.cli.top.picture import picture
from outlast.cli.top.view import View, after
from outlast.client.control import Client

TICK_S = 1.0
"""The clock goes on, and ages grow, when nothing changes."""
SOONEST_S = 0.1
"""Not more pictures than ten a second, however much changes."""
NAMED = {
    "\x1b[A": "up",
    "\x1b[B": "down",
    "\x1bOA": "up",
    "\x1bOB": "down",
    "\x1b[5~": "page up",
    "\x1b[6~": "page down",
    "\x1b[H": "home",
    "\x1b[1~": "home",
    "\x1b[F": "end",
    "\x1b[4~": "end",
    "\x1b": "escape",
    "\x03": "interrupt",
    "\r": "enter",
    "\n": "enter",
    "\x7f": "backspace",
    "\x08": "backspace",
}


def show(contact: Client) -> None:
    """Until the user ends it. Raises `ControlError` when there is nothing to show, or who asks may not look."""
    began = look(contact)
    heard, tell = os.pipe()
    for end in (heard, tell):
        os.set_blocking(end, False)

    def wake() -> None:
        with suppress(BlockingIOError):  # it is full: woken enough
            os.write(tell, b".")

    following = Following(contact, began, wake)
    with _signals(wake) as ending, _keyboard() as keyboard:
        following.start()
        _draw(following, keyboard, heard, ending)
    if following.refused is not None:
        raise following.refused


def _draw(following: Following, keyboard: int, heard: int, ending: list[int]) -> None:
    from rich.console import Group
    from rich.live import Live

    console, view = output.console(), View()
    with Live(console=console, screen=True, auto_refresh=False, redirect_stderr=False, redirect_stdout=False) as live:
        while following.refused is None and not ending:
            width, height = console.size
            drawn = picture(following.seen, view, width, height, time.monotonic())
            for text in drawn.lines:
                text.no_wrap = True
            live.update(Group(*drawn.lines), refresh=True)
            ready, _, _ = select.select([keyboard, heard], [], [], TICK_S)
            if heard in ready:
                os.read(heard, 4096)
            if keyboard not in ready:
                time.sleep(SOONEST_S if ready else 0)
                continue
            typed = os.read(keyboard, 1024).decode(errors="replace")
            if not typed:
                return  # the terminal is gone
            for key in keys(typed):
                view = after(view, key, drawn.count)
            if view.ended:
                return


def keys(typed: str) -> Iterator[str]:
    """Which keys were pressed: letters, and names of the others. What is not known is left out."""
    while typed:
        if typed in NAMED or typed[0] != "\x1b":
            found = typed if typed in NAMED else typed[0]
        else:
            found = next((code for code in NAMED if len(code) > 1 and typed.startswith(code)), _sequence(typed))
        name = NAMED.get(found, found)
        if name.isprintable():
            yield name
        typed = typed[len(found) :]


def _sequence(typed: str) -> str:
    """An unknown one: up to its final letter."""
    for at, letter in enumerate(typed):
        if at > 1 and (letter.isalpha() or letter == "~"):
            return typed[: at + 1]
    return typed


@contextmanager
def _keyboard() -> Iterator[int]:
    """Each key at once and unseen, Ctrl-C and Ctrl-Z as well: what started this must not be ended by them first."""
    file = sys.stdin.fileno()
    before = termios.tcgetattr(file)
    try:
        tty.setcbreak(file)
        attributes = termios.tcgetattr(file)
        attributes[3] &= ~termios.ISIG
        termios.tcsetattr(file, termios.TCSADRAIN, attributes)
        yield file
    finally:
        with suppress(termios.error):  # somebody else has it already
            termios.tcsetattr(file, termios.TCSADRAIN, before)


@contextmanager
def _signals(wake: Callable[[], None]) -> Iterator[list[int]]:
    """What ends the view in order is added to the list; another size of the terminal only wakes it."""
    ending: list[int] = []

    def end(number: int, frame: FrameType | None) -> None:
        ending.append(number)
        wake()

    def resized(number: int, frame: FrameType | None) -> None:
        wake()

    wanted = {signal.SIGINT: end, signal.SIGTERM: end, signal.SIGHUP: end, signal.SIGWINCH: resized}
    before = {number: signal.signal(number, what) for number, what in wanted.items()}
    try:
        yield ending
    finally:
        for number, what in before.items():
            signal.signal(number, what)
