"""Changes what lies on a shared volume, and lists it. A program of its own, for the same reason as `checker.py`.

It reads one request, a line of JSON, and answers with lines of JSON: any number of `{"percent": 40}`, then `{"result":
...}` or `{"problem": "why"}`. What a new image is made of stands under a name of its own until it is complete; its own
name it gets by one call of the kernel. So whatever kills it, no image is ever half there.
"""

import contextlib
import json
import os
import re
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from outlast.resources.shared_volume.checker import DIRECTORY, MARKER, NotSeen, marked, need_marker, words
else:
    sys.path.insert(0, str(Path(__file__).parent))  # `-I` leaves it out
    from checker import DIRECTORY, MARKER, NotSeen, marked, need_marker, words

Request = dict[str, Any]
_QCOW2 = b"QFI\xfb"
_QCOW2_HEADER = struct.Struct(">4sIQIIQ")
_SNAPSHOTS_AT = 60
_PERCENT = re.compile(rb"\(([0-9.]+)/100%\)")
_LOOKS_S = 0.5
_MOST_WORDS = 400


class Refused(Exception):
    """It is not done, and nothing is changed. The text says why, for people."""


def tell(**what: Any) -> None:
    print(json.dumps(what), flush=True)


def main() -> None:
    request = json.loads(sys.stdin.readline())
    try:
        if request["verb"] == "mark":
            tell(result=_mark(request["path"], request["id"]))
            return
        need_marker(request["path"], request["id"])
        tell(result=_VERBS[request["verb"]](request))
    except (Refused, NotSeen) as error:
        tell(problem=str(error))
    except OSError as error:
        tell(problem=f"{words(error)}{f': {error.filename}' if error.filename else ''}")


def _mark(path: str, id: str) -> str:
    """Makes the directory a volume; one that is already stays what it is. Returns its id."""
    if not os.path.isdir(path):
        raise Refused(f"{path} is no directory here; mount the volume on every node first")
    there: str = marked(path)
    if there:
        return there
    own = os.path.join(path, DIRECTORY)
    os.makedirs(own, mode=0o700, exist_ok=True)
    new = os.path.join(own, f"{MARKER}-{id}")
    with open(new, "w") as file:
        file.write(f"{id}\n")
        os.fsync(file.fileno())
    os.rename(new, os.path.join(own, MARKER))
    _sync(own)
    return id


# --- looking ----------------------------------------------------------------------------------------------------------


def _list(request: Request) -> list[dict[str, Any]]:
    root = request["path"]
    return [_described(root, name) for name in _names(root)]


def _names(root: str) -> Iterator[str]:
    for directory, inner, files in os.walk(root):
        inner[:] = sorted(name for name in inner if not (directory == root and name == DIRECTORY))
        for name in sorted(files):
            yield os.path.relpath(os.path.join(directory, name), root)


def _described(root: str, name: str) -> dict[str, Any]:
    path = os.path.join(root, name)
    found = os.stat(path)
    about = {"image": name, "format": "raw", "bytes": found.st_size, "on_disk_bytes": found.st_blocks * 512}
    with open(path, "rb") as file:
        head = file.read(1024)
    if head[:4] == _QCOW2 and len(head) >= _SNAPSHOTS_AT + 4:
        _, _, backing_at, backing_length, _, size = _QCOW2_HEADER.unpack_from(head)
        about |= {"format": "qcow2", "bytes": size}
        about["snapshots"] = int.from_bytes(head[_SNAPSHOTS_AT : _SNAPSHOTS_AT + 4], "big")
        about["backing"] = head[backing_at : backing_at + backing_length].decode(errors="replace") if backing_at else ""
    return about


def _show(request: Request) -> dict[str, Any]:
    path = _there(request)
    found = _described(request["path"], request["image"])
    told = _qemu_img("info", "--output=json", "--force-share", path)
    return {**found, "tags": [one["name"] for one in json.loads(told).get("snapshots", ())]}


# --- changing ---------------------------------------------------------------------------------------------------------


def _create(request: Request) -> str:
    final = _place(request)
    if os.path.lexists(final):
        raise Refused(f"there is an image {request['image']} already")
    if not os.path.isdir(os.path.dirname(final)):
        raise Refused(f"there is no directory {os.path.dirname(final)}")
    made = _made(request)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(made)
    try:
        _make(request, made)
        os.chmod(made, 0o600)
        _sync(made)
        _give_name(made, final)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(made)
    _sync(os.path.dirname(final))
    return f"{request['image']} was created"


def _make(request: Request, made: str) -> None:
    kind, size = request["format"], int(request.get("bytes") or 0)
    if request.get("source"):
        source = _there({**request, "image": request["source"]})
        _qemu_img("convert", "-p", "-O", kind, source, made)
        return
    options = ["-o", "preallocation=full"] if request.get("full") else []

    def grown() -> float:
        with contextlib.suppress(OSError):
            return os.stat(made).st_blocks * 512 * 100 / max(1, size)
        return 0.0

    _qemu_img("create", "-q", "-f", kind, *options, made, str(size), grown=grown if request.get("full") else None)


def _give_name(made: str, final: str) -> None:
    """At once, and never over what is there. Where there are no hard links, nobody but a volume's coordinator makes
    anything, so that a look before is as good."""
    try:
        os.link(made, final)
    except FileExistsError:
        raise Refused(f"there is an image {os.path.basename(final)} by now") from None
    except OSError:
        if os.path.lexists(final):
            raise Refused(f"there is an image {os.path.basename(final)} by now") from None
        os.rename(made, final)


def _resize(request: Request) -> str:
    path, size = _there(request), request["bytes"]
    info = _info(path)
    if size < info["virtual-size"]:
        raise Refused(f"it has {info['virtual-size']} bytes, and an image is not made smaller: its end would be lost")
    _qemu_img("resize", "-q", "-f", info["format"], path, str(size))
    _sync(path)
    return f"{request['image']} has {size} bytes now, and had {info['virtual-size']}"


def _delete(request: Request) -> str:
    path = _there(request)
    _info(path)  # refused while a program has it open for writing
    for other in _list(request):
        if other.get("backing") and os.path.basename(other["backing"]) == os.path.basename(path):
            raise Refused(f"{other['image']} is based on it")
    os.unlink(path)
    _sync(os.path.dirname(path))
    return f"{request['image']} was deleted"


def _snapshot(request: Request) -> str:
    path, tag, action = _there(request), request["tag"], request["action"]
    info = _info(path)
    if info["format"] != "qcow2":
        raise Refused(f"it is {info['format']}, and only qcow2 images have snapshots")
    has = any(one["name"] == tag for one in info.get("snapshots", ()))
    if action == "take" and has:
        raise Refused(f'it has a snapshot "{tag}" already')
    if action != "take" and not has:
        raise Refused(f'it has no snapshot "{tag}"')
    option = {"take": "-c", "restore": "-a", "drop": "-d"}[action]
    _qemu_img("snapshot", "-q", option, tag, path)
    _sync(path)
    done = {"take": "was taken of", "restore": "is restored in", "drop": "was dropped from"}[action]
    return f'the snapshot "{tag}" {done} {request["image"]}'


def _recover(request: Request) -> str:
    """After a change that was cut short, and whose programs certainly run no more: what is there now?"""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(_made(request))
    name, path = request["image"], _place(request)
    if not os.path.lexists(path):
        return f"there is no image {name} now"
    if request["change"]["verb"] == "create":
        return f"there is an image {name} now, complete"
    about = _described(request["path"], name)
    found = f"{name} has {about['bytes']} bytes now"
    if about["format"] != "qcow2":
        return found
    try:
        _qemu_img("check", "-q", "-f", "qcow2", "-r", "leaks", path)
    except Refused as error:
        return f"{found}, and qemu-img finds something wrong with it: {error}"
    return f"{found}, and is in order"


# --- what they are made of --------------------------------------------------------------------------------------------


def _made(request: Request) -> str:
    return os.path.join(request["path"], DIRECTORY, f"made-{request['id_of_change']}")


def _place(request: Request) -> str:
    """Where the image is, or is to be. Nothing leads out of the volume."""
    root, name = request["path"], request["image"]
    path = os.path.normpath(os.path.join(root, name))
    inside = os.path.realpath(os.path.dirname(path))
    if os.path.commonpath([inside, os.path.realpath(root)]) != os.path.realpath(root):
        raise Refused(f"{name} is not on the volume")
    return path


def _there(request: Request) -> str:
    path = _place(request)
    if not os.path.isfile(path) or os.path.islink(path):
        raise Refused(f"there is no image {request['image']}")
    return path


def _info(path: str) -> dict[str, Any]:
    """Takes the image's lock, so that it fails while a QEMU writes to it: a last line, and not what safety rests on."""
    found: dict[str, Any] = json.loads(_qemu_img("info", "--output=json", path))
    return found


def _qemu_img(*arguments: str, grown: Callable[[], float] | None = None) -> bytes:
    """Raises `Refused` with its last words."""
    try:
        process = subprocess.Popen(
            ["qemu-img", *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
    except FileNotFoundError:
        raise Refused("qemu-img is not installed here (Debian: qemu-utils)") from None
    assert process.stdout is not None
    assert process.stderr is not None
    errors: list[bytes] = []
    reader = threading.Thread(target=lambda: errors.append(process.stderr.read()))  # type: ignore[union-attr]
    reader.start()
    over = threading.Event()
    if grown is not None:
        threading.Thread(target=_report, args=(grown, over), daemon=True).start()
    out = b""
    while piece := os.read(process.stdout.fileno(), 65536):
        out += piece
        if found := _PERCENT.findall(piece):
            tell(percent=int(float(found[-1])))
    code = process.wait()
    over.set()
    reader.join()
    if code:
        said = b"".join(errors).decode(errors="replace").strip() or f"qemu-img {arguments[0]} ended with status {code}"
        raise Refused(said.removeprefix("qemu-img: ")[:_MOST_WORDS].replace("\n", "; "))
    return out


def _report(grown: Callable[[], float], over: threading.Event) -> None:
    while not over.wait(_LOOKS_S):
        tell(percent=min(99, int(grown())))


def _sync(path: str) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


_VERBS: dict[str, Callable[[Request], Any]] = {
    "list": _list,
    "show": _show,
    "create": _create,
    "resize": _resize,
    "delete": _delete,
    "snapshot": _snapshot,
    "recover": _recover,
}

if __name__ == "__main__":
    main()
