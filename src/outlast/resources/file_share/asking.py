"""Does an SMB server answer at an address? The first question and answer of the protocol ([MS-SMB2] 2.2.3, 2.2.4)."""

import socket
import struct

_DIALECTS = (0x0202, 0x0210)
_LONGEST_ANSWER = 1 << 16


def _question() -> bytes:
    header = struct.pack("<4sHHIHHIIQIIQ16x", b"\xfeSMB", 64, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0)
    body = struct.pack("<HHHHI16xQ", 36, len(_DIALECTS), 1, 0, 0, 0) + struct.pack("<2H", *_DIALECTS)
    return struct.pack(">I", len(header + body)) + header + body


def why_no_answer(address: str, port: int, within_s: float) -> str:
    """For people; empty when it answers."""
    try:
        with socket.create_connection((address, port), within_s) as asking:
            asking.sendall(_question())
            length = struct.unpack(">I", _received(asking, 4))[0]
            answer = _received(asking, min(length, _LONGEST_ANSWER))
    except TimeoutError:
        return f"it does not answer within {within_s:g} s"
    except OSError as error:
        return f"it does not answer: {error.strerror or error}"
    status = int.from_bytes(answer[8:12], "little")
    return "" if answer[:4] == b"\xfeSMB" and not status else "it answers with an error"


def _received(asking: socket.socket, length: int) -> bytes:
    received = b""
    while len(received) < length:
        more = asking.recv(length - len(received))
        if not more:
            raise ConnectionResetError(0, "it hangs up")
        received += more
    return received
