"""Asks an OpenID Connect provider once, and ends: a question comes by standard input, the answer goes out as JSON.

OpenID Connect Core 1.0, sections 3.1.3 (tokens) and 5.3 (userinfo), Discovery 1.0, section 4. Nothing is believed but
what stands in an ID token that the provider has signed with a key of its own; `none`, and what is signed with our own
secret, are no signatures.
"""

import base64
import hmac
import http.client
import json
import signal
import ssl
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

import msgspec

from outlast.core.access.openid import claim, why_no_url
from outlast.model.health import Json

REQUEST_S = 8.0
LONGEST_LIFE_S = 60
"""The service that would end it may have been killed meanwhile."""
LONGEST_ANSWER = 1024 * 1024
LEEWAY_S = 60.0
"""Between the provider's clock and ours."""
ALGORITHMS = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), "RSA"),
    **dict.fromkeys(("ES256", "ES384", "ES512"), "EC"),
    "EdDSA": "OKP",
}
"""And of which kind the key must be."""
WORDS_KEPT = 300


class Question(msgspec.Struct, frozen=True):
    issuer: str
    client_id: str
    client_secret: str = ""
    authority: str = ""
    code: str = ""
    """Empty: where are browsers sent?"""
    verifier: str = ""
    redirect: str = ""
    nonce: str = ""
    wanted: tuple[str, ...] = ()


class Answer(msgspec.Struct, frozen=True):
    kind: str
    """done | not-believed | no-answer."""
    endpoint: str = ""
    claims: Mapping[str, Json] = msgspec.field(default_factory=dict)
    words: str = ""


class NotBelieved(Exception):
    pass


class NoAnswer(Exception):
    pass


class _NoRedirection(urllib.request.HTTPRedirectHandler):
    """Whoever is at another address is somebody else."""

    def redirect_request(self, *_: Any) -> None:
        return None


def main() -> None:
    signal.alarm(LONGEST_LIFE_S)
    question = msgspec.json.decode(sys.stdin.buffer.read(), type=Question)
    sys.stdout.buffer.write(msgspec.json.encode(answer(question)))


def answer(question: Question) -> Answer:
    try:
        return Provider(question).answer()
    except NotBelieved as error:
        return Answer("not-believed", words=_without_secrets(question, str(error)))
    except NoAnswer as error:
        return Answer("no-answer", words=_without_secrets(question, str(error)))


class Provider:
    def __init__(self, question: Question) -> None:
        self._question = question
        try:
            context = ssl.create_default_context(cafile=question.authority or None)
        except (OSError, ssl.SSLError) as error:
            raise NoAnswer(f"{question.authority} cannot be used as certificates of an authority: {error}") from None
        self._opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=context), _NoRedirection)

    def answer(self) -> Answer:
        asked = self._question
        found = self._json(f"{asked.issuer.rstrip('/')}/.well-known/openid-configuration")
        if found.get("issuer") != asked.issuer:
            raise NotBelieved(f'it calls itself "{found.get("issuer")}"; set issuer to exactly that, if it is meant')
        if not asked.code:
            return Answer("done", self._endpoint(found, "authorization_endpoint"))
        tokens = self._tokens(found)
        claims = self._verified(str(tokens.get("id_token", "")), self._endpoint(found, "jwks_uri"))
        missing = [name for name in asked.wanted if claim(claims, name) is None]
        if missing and found.get("userinfo_endpoint") and tokens.get("access_token"):
            bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
            more = self._json(self._endpoint(found, "userinfo_endpoint"), headers=bearer)
            if more.get("sub") != claims["sub"]:
                raise NotBelieved("its userinfo is about somebody else than its ID token")
            claims = {**more, **claims}
        return Answer("done", claims={name: claims[name] for name in _roots(claims, asked.wanted)})

    def _tokens(self, found: Mapping[str, Any]) -> Mapping[str, Any]:
        asked = self._question
        form = {
            "grant_type": "authorization_code",
            "code": asked.code,
            "redirect_uri": asked.redirect,
            "code_verifier": asked.verifier,
        }
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        ways = found.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        if not asked.client_secret:
            form["client_id"] = asked.client_id
        elif "client_secret_basic" in ways:
            both = f"{quote(asked.client_id, safe='')}:{quote(asked.client_secret, safe='')}"
            headers["Authorization"] = f"Basic {base64.b64encode(both.encode()).decode()}"
        else:
            form.update(client_id=asked.client_id, client_secret=asked.client_secret)
        return self._json(self._endpoint(found, "token_endpoint"), urlencode(form).encode(), headers)

    def _verified(self, token: str, keys_at: str) -> dict[str, Any]:
        import jwt

        asked = self._question
        try:
            header = jwt.get_unverified_header(token)
            algorithm = str(header.get("alg", ""))
            if algorithm not in ALGORITHMS:
                raise NotBelieved(f'its ID token is signed by "{algorithm}", which proves nothing here')
            claims = self._decoded(token, header, algorithm, keys_at)
        except (jwt.PyJWTError, ValueError, TypeError) as error:
            raise NotBelieved(f"its ID token is not good: {error}") from None
        if claims.get("azp", asked.client_id) != asked.client_id:
            raise NotBelieved("its ID token was given to another client")
        if not hmac.compare_digest(str(claims.get("nonce", "")).encode(), asked.nonce.encode()):
            raise NotBelieved("its ID token is of another sign-in: the nonce is another one")
        return claims

    def _decoded(self, token: str, header: Mapping[str, Any], algorithm: str, keys_at: str) -> dict[str, Any]:
        import jwt

        asked, last = self._question, jwt.PyJWTError("there is no key that could have signed it")
        told = self._json(keys_at).get("keys")
        fitting = [
            one
            for one in (told if isinstance(told, list) else [])
            if isinstance(one, dict)
            and one.get("kty") == ALGORITHMS[algorithm]
            and one.get("use", "sig") == "sig"
            and one.get("alg", algorithm) == algorithm
            and ("kid" not in header or one.get("kid") == header["kid"])
        ]
        for one in fitting:
            try:
                key = jwt.PyJWK(one, algorithm).key
                found: dict[str, Any] = jwt.decode(
                    token,
                    key,
                    algorithms=[algorithm],
                    audience=asked.client_id,
                    issuer=asked.issuer,
                    leeway=LEEWAY_S,
                    options={"require": ["exp", "iat", "iss", "aud", "sub"]},
                )
                return found
            except jwt.PyJWTError as error:
                last = error
        raise last

    def _endpoint(self, found: Mapping[str, Any], name: str) -> str:
        url = str(found.get(name, ""))
        if why := why_no_url(url.partition("?")[0]):
            raise NotBelieved(f'its {name} is "{url[:100]}": {why}')
        return url

    def _json(self, url: str, content: bytes | None = None, headers: Mapping[str, str] | None = None) -> dict[str, Any]:
        try:
            request = urllib.request.Request(url, content, {"Accept": "application/json", **(headers or {})})
            with self._opener.open(request, timeout=REQUEST_S) as response:
                text = response.read(LONGEST_ANSWER)
        except urllib.error.HTTPError as error:
            words = f"{url} answered {error.code} {error.reason}{_told(error.read(LONGEST_ANSWER))}"
            raise (NotBelieved if 400 <= error.code < 500 else NoAnswer)(words) from None
        except (OSError, ValueError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", error)
            raise NoAnswer(f"{url} cannot be asked: {getattr(reason, 'strerror', None) or reason}") from None
        try:
            found = json.loads(text)
        except ValueError:
            raise NoAnswer(f"{url} answered no JSON") from None
        if not isinstance(found, dict):
            raise NoAnswer(f"{url} answered no JSON object")
        return found


def _roots(claims: Mapping[str, Any], wanted: tuple[str, ...]) -> list[str]:
    """What is handed on: nothing that nobody needs."""
    names = {"sub", *wanted, *(name.partition(".")[0] for name in wanted)}
    return [name for name in claims if name in names]


def _told(content: bytes) -> str:
    """Of an error by RFC 6749, section 5.2."""
    try:
        found = json.loads(content)
        words = " ".join(str(found[name]) for name in ("error", "error_description") if found.get(name))
    except (ValueError, TypeError, AttributeError):
        return ""
    return f": {words}" if words else ""


def _without_secrets(question: Question, words: str) -> str:
    for secret in (question.client_secret, question.code, question.verifier):
        if secret:
            words = words.replace(secret, "***")
    printable = "".join(letter if letter.isprintable() else " " for letter in words)
    return " ".join(printable.split())[:WORDS_KEPT]


if __name__ == "__main__":
    main()
