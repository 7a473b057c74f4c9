"""Receivers of notices as users have them: an HTTP server, a mail server, a program; and the simulator's. Each can be
told to refuse, or to hang.
"""

import asyncio
import email
import email.policy
import json
import socket
import ssl
import sys
import textwrap
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

from outlast.adapters.notices import RealReceivers
from outlast.model.notice import NoticeRule, Way
from outlast.ports.notices import Receivers
from outlast.sim.receivers import Outside, SimReceivers

SECRET = "sixteen letters!"
TOO_LONG_S = 30.0


class Hook:
    """A web server that keeps what it is sent."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.sent: list[tuple[str, Mapping[str, str], bytes]] = []
        """Path, headers, body."""
        self.status, self.says, self.headers = 200, "noted", {}  # type: int, str, dict[str, str]
        self.hanging = threading.Event()
        self.hanging.set()
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                hook.hanging.wait(TOO_LONG_S)
                hook.sent.append((self.path, dict(self.headers.items()), body))
                self.send_response(hook.status)
                for name, value in hook.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(hook.says.encode())

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        if context is not None:
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    # --- as the contract has it -----------------------------------------------------------------------------------

    receivers: Receivers = RealReceivers()

    @property
    def rule(self) -> NoticeRule:
        url = f"http://127.0.0.1:{self.port}/hook"
        return NoticeRule("ops", Way.WEBHOOK, {"url": url, "secret": SECRET})

    def taken(self) -> list[str]:
        return [json.loads(body)["id"] for _, _, body in self.sent]

    def refuse(self, words: str) -> None:
        self.status, self.says = 500, words

    def hang(self) -> None:
        self.hanging.clear()

    def close(self) -> None:
        self.hanging.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class Post:
    """A mail server that keeps what it accepts."""

    def __init__(self, **options: Any) -> None:
        self.mails: list[Any] = []
        """Envelopes."""
        self.answer = "250 OK"
        self.signed_in: list[LoginPassword] = []
        self.hanging = False
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = int(free.getsockname()[1])
        options |= {"authenticator": self._authenticate}
        self._server = Controller(self, hostname="127.0.0.1", port=self.port, **options)
        self._server.start()

    def _authenticate(self, server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        self.signed_in.append(data)
        return AuthResult(success=data.password == b"for few only", handled=False)

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        if self.hanging:
            await asyncio.sleep(TOO_LONG_S)
        if self.answer.startswith("250"):
            self.mails.append(envelope)
        return self.answer

    # --- as the contract has it -----------------------------------------------------------------------------------

    receivers: Receivers = RealReceivers()

    @property
    def rule(self) -> NoticeRule:
        parameters = {"server": f"127.0.0.1:{self.port}", "from": "cluster@example.org", "to": "ops@example.org"}
        return NoticeRule("ops", Way.MAIL, {**parameters, "security": "none"})

    def taken(self) -> list[str]:
        parsed = (email.message_from_bytes(mail.content, policy=email.policy.default) for mail in self.mails)
        return [mail["X-Outlast-Notice"] for mail in parsed]

    def refuse(self, words: str) -> None:
        self.answer = f"554 {words}"

    def hang(self) -> None:
        self.hanging = True

    def close(self) -> None:
        self._server.stop()


class Program:
    """A program that keeps what it is told in a file."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.path = directory / "page-us"
        self.write('with open("told", "a") as told: print(sys.stdin.read(), file=told)')

    def write(self, code: str) -> None:
        head = f"#!{sys.executable}\nimport os, sys, time\nos.chdir({str(self.directory)!r})\n"
        self.path.write_text(head + textwrap.dedent(code) + "\n")
        self.path.chmod(0o700)

    # --- as the contract has it -----------------------------------------------------------------------------------

    receivers: Receivers = RealReceivers()

    @property
    def rule(self) -> NoticeRule:
        return NoticeRule("ops", Way.COMMAND, {"program": str(self.path)})

    def taken(self) -> list[str]:
        told = self.directory / "told"
        return [json.loads(line)["id"] for line in told.read_text().splitlines()] if told.exists() else []

    def refuse(self, words: str) -> None:
        self.write(f"print({words!r}); sys.exit(3)")

    def hang(self) -> None:
        self.write(f'open("pid", "w").write(str(os.getpid())); time.sleep({TOO_LONG_S})')

    def close(self) -> None:
        pass


class Simulated:
    def __init__(self) -> None:
        self.outside = Outside()
        self.receivers: Receivers = SimReceivers(self.outside, "n1")
        self.rule = NoticeRule("ops", Way.COMMAND, {"program": "/bin/page"})

    def taken(self) -> list[str]:
        return [notice.id for _, notice in self.outside.taken]

    def refuse(self, words: str) -> None:
        self.outside.refuses = words

    def hang(self) -> None:
        self.outside.answers = False

    def close(self) -> None:
        pass


Receiver = Hook | Post | Program | Simulated
