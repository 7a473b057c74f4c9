"""What is told of settings. The fields are a contract: `--json` prints them."""

import msgspec


class SettingRow(msgspec.Struct, frozen=True):
    """A setting as it is now. Values are as they are written: `yes`, `hardware,kernel`, `default`."""

    name: str
    meaning: str
    value: str
    default: str
    """What it is when nobody sets it."""
    takes: str
    """What may be written for it, in words."""
    choices: tuple[str, ...] = ()
    """All of that, where it is a short list; empty: it is not."""
    several: bool = False
    """It takes any number of them, with commas between them."""
    fixed: str = ""
    """Why it cannot be changed; empty: it can."""
