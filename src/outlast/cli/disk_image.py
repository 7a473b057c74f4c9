"""What is meant by `--disk PATH[,size=GIB][,format=qcow2|raw]`, and how is a new image made?

Nothing is ever written over: a disk that is there may be another VM's.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

import msgspec

from outlast.client.control import ControlError

FORMATS = ("qcow2", "raw")
QEMU_IMG = "qemu-img"
IMG_S = 600.0


class Image(msgspec.Struct, frozen=True):
    path: str
    format: str
    size_gib: float = 0.0
    """0: it is there already."""
    direct: bool = True
    """Its file system can do without the host's cache."""

    @property
    def is_block(self) -> bool:
        return self.path.startswith("/dev/")


def read(text: str) -> Image:
    """Raises `ControlError` for what cannot be meant, and for a disk that must or must not be there."""
    path, *words = text.split(",")
    said = dict(word.partition("=")[::2] for word in words)
    if unknown := sorted(set(said) - {"size", "format"}):
        raise ControlError("usage", f'--disk has no "{unknown[0]}": it takes PATH, PATH,size=GIB and format=qcow2|raw')
    if not path.startswith("/"):
        raise ControlError("usage", f'the path of a disk begins with /, not so "{path}"')
    kind = said.get("format", "")
    if kind and kind not in FORMATS:
        raise ControlError("usage", f'a disk cannot be made in the format "{kind}": it takes {" or ".join(FORMATS)}')
    if "size" not in said:
        refuse_missing(path, "the disk", hint="; for a new one say its size: ,size=GIB")
        return Image(path, kind or _format_of(path), direct=_direct(path))
    if os.path.lexists(path):
        raise ControlError(
            "usage", f"{path} is there already; nothing is written over. Without size= it is taken as it is"
        )
    folder = str(Path(path).parent)
    refuse_missing(folder, "the directory of the new disk,")
    return Image(
        path, kind or ("raw" if path.endswith((".raw", ".img")) else "qcow2"), _size(said["size"]), _direct(folder)
    )


def refuse_missing(path: str, what: str, *, hint: str = "") -> None:
    if not path.startswith("/"):
        raise ControlError("usage", f"{what} is given by a path that does not begin with /: {path}")
    if not os.path.exists(path):
        raise ControlError("usage", f"{what} is not there: {path}{hint}")


def make(image: Image) -> None:
    """Raises `ControlError`; nothing is left then."""
    _need()
    try:
        os.close(os.open(image.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))  # nobody else makes it meanwhile
    except OSError as error:
        raise ControlError("failed", f"cannot make {image.path}: {error.strerror}") from None
    size = f"{round(image.size_gib * 2**30)}"
    done = _img("create", "-q", "-f", image.format, image.path, size)
    if done.returncode:
        Path(image.path).unlink(missing_ok=True)
        raise ControlError("failed", f"cannot make {image.path}: {done.stderr.strip()}")


def _size(text: str) -> float:
    if not re.fullmatch(r"\d+(\.\d+)?", text) or not 0 < float(text) <= 2**20:
        raise ControlError("usage", f'size={text} is no size: it takes a number of GiB, as "20"')
    return float(text)


def _format_of(path: str) -> str:
    if path.startswith("/dev/"):
        return "raw"
    _need()
    done = _img("info", "-U", "--output=json", path)
    if done.returncode:
        raise ControlError("usage", f"cannot read the disk {path}: {done.stderr.strip()}")
    return str(msgspec.json.decode(done.stdout).get("format", "raw"))


def _direct(path: str) -> bool:
    """A file without a name leaves nothing behind in a directory; a file is only opened."""
    flags = os.O_TMPFILE | os.O_RDWR if os.path.isdir(path) else os.O_RDONLY
    try:
        os.close(os.open(path, flags | os.O_DIRECT, 0o600))
    except OSError:
        return False
    return True


def _need() -> None:
    if not shutil.which(QEMU_IMG):
        raise ControlError("failed", f"{QEMU_IMG} is not there; as root: apt-get install qemu-utils")


def _img(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([QEMU_IMG, *arguments], capture_output=True, text=True, timeout=IMG_S, check=False)
