"""An OpenID Connect provider that says whatever a test wants it to, rightly signed or not."""

import json
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlencode

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

RSA, OTHER_RSA = (rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(2))
EC, ED = ec.generate_private_key(ec.SECP256R1()), ed25519.Ed25519PrivateKey.generate()


def public(key: Any, algorithm: str, kid: str) -> dict[str, Any]:
    made = jwt.get_algorithm_by_name(algorithm).to_jwk(key.public_key(), as_dict=True)
    return {**made, "kid": kid, "use": "sig", "alg": algorithm}


KEYS = {"keys": [public(RSA, "RS256", "r"), public(EC, "ES256", "e"), public(ED, "EdDSA", "d")]}


@dataclass
class Provider:
    """Change what it says before it is asked."""

    claims: dict[str, Any] = field(default_factory=lambda: {"preferred_username": "anna", "groups": ["admins"]})
    userinfo: dict[str, Any] = field(default_factory=lambda: {"sub": "s1"})
    found: dict[str, Any] = field(default_factory=dict)
    """Over what discovery tells."""
    token: Callable[[dict[str, Any]], str] | None = None
    """Makes the ID token of the claims; None: as it should be."""
    answer: tuple[int, Mapping[str, str], bytes] | None = None
    """What the token endpoint answers instead."""
    denies: str = ""
    """Why it sends everybody back without a code."""
    drip_s: float = 0.0
    """Between two bytes of an answer."""
    nonce: str = "nonce"
    asked: list[tuple[str, dict[str, str], dict[str, str]]] = field(default_factory=list)
    """Path, headers, form."""
    issuer: str = ""
    client_id: str = "outlast"

    def good(self) -> dict[str, Any]:
        now = int(time.time())
        fixed = {"iss": self.issuer, "aud": self.client_id, "sub": "s1", "iat": now, "exp": now + 300}
        return {**fixed, "nonce": self.nonce, **self.claims}

    def says(self, path: str) -> tuple[int, Mapping[str, str], bytes]:
        if path == "/token" and self.answer is not None:
            return self.answer
        if path.startswith("/authorization?"):  # whoever comes is s1
            came_with = dict(parse_qsl(path.partition("?")[2]))
            self.nonce = came_with["nonce"]
            given = {"error": "access_denied", "error_description": self.denies} if self.denies else {"code": "code"}
            back = urlencode({**given, "state": came_with["state"]})
            return 302, {"Location": f"{came_with['redirect_uri']}?{back}"}, b""
        ends = {f"{name}_endpoint": f"{self.issuer}/{name}" for name in ("authorization", "token", "userinfo")}
        told: dict[str, Any] = {
            "/.well-known/openid-configuration": {"issuer": self.issuer, "jwks_uri": f"{self.issuer}/keys", **ends}
            | self.found,
            "/keys": KEYS,
            "/userinfo": self.userinfo,
            "/token": {"access_token": "access", "token_type": "Bearer", "id_token": self._token()},
        }
        return (200, {}, json.dumps(told[path]).encode()) if path in told else (404, {}, b"{}")

    def _token(self) -> str:
        return self.token(self.good()) if self.token is not None else signed(self.good())

    def __enter__(self) -> "Provider":
        return self.serve()

    def serve(self, context: ssl.SSLContext | None = None) -> "Provider":
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                length = int(self.headers.get("content-length") or 0)
                form = dict(parse_qsl(self.rfile.read(length).decode()))
                headers = {name.lower(): value for name, value in self.headers.items()}
                provider.asked.append((self.path, headers, form))
                status, more, content = provider.says(self.path)
                self.send_response(status)
                for name, value in {"Content-Length": str(len(content)), **more}.items():
                    self.send_header(name, value)
                self.end_headers()
                step = 1 if provider.drip_s else max(1, len(content))
                for start in range(0, len(content), step):
                    self.wfile.write(content[start : start + step])
                    time.sleep(provider.drip_s)

            do_GET = do_POST = answer

            def log_message(self, *_: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: Any) -> None:
                """Whoever asked has hung up."""

        self._server = Server(("127.0.0.1", 0), Handler)
        if context is not None:
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.issuer = f"http{'s' if context else ''}://localhost:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def signed(claims: dict[str, Any], key: Any = RSA, algorithm: str = "RS256", kid: str = "r") -> str:
    return jwt.encode(claims, key, algorithm, {"kid": kid})
