"""Runs in a node: an OpenID Connect provider, who sets it up at the cluster, and somebody who signs in there.

`python provider_in_a_node.py OUTLAST` prints what came of it, as JSON.
"""

import http.cookiejar
import json
import ssl
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

import oidc_provider_mock

API = "https://n1:9443/api/v1"
SECRET = "hush-hush-hush"
PEOPLE = {
    "s1": {"preferred_username": "otto", "groups": ["operators"]},
    "s2": {"preferred_username": "gus", "groups": ["guests"]},
}


class Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


class Browser:
    def __init__(self) -> None:
        context = ssl._create_unverified_context()
        cookies = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        self._opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=context), cookies, Stay)

    def ask(self, url: str, content: bytes | None = None, kind: str = "application/json") -> Any:
        request = urllib.request.Request(url, content, {"Content-Type": kind} if content is not None else {})
        try:
            return self._opener.open(request, timeout=60)
        except urllib.error.HTTPError as answer:
            return answer

    def sign_in(self, subject: str) -> dict[str, Any]:
        url = json.load(self.ask(f"{API}/session/to-provider", b"{}"))["url"]
        form = urllib.parse.urlencode({"sub": subject}).encode()
        back = self.ask(url, form, "application/x-www-form-urlencoded").headers["location"]
        page, _, query = back.partition("?")
        found = {"page": self.ask(page).status, "url": page}
        given = dict(urllib.parse.parse_qsl(query))
        first = json.load(self.ask(f"{API}/session/from-provider", json.dumps(given).encode()))
        again = json.load(self.ask(f"{API}/session/from-provider", json.dumps(given).encode()))
        return {**found, "first": first, "again": again, "session": json.load(self.ask(f"{API}/session"))}


def main() -> None:
    outlast = sys.argv[1]

    def command(*words: str, given: str = "") -> Any:
        done = subprocess.run([outlast, "--json", *words], input=given, capture_output=True, text=True, check=True)
        return json.loads(done.stdout)

    users = [oidc_provider_mock.User(sub=sub, claims=claims) for sub, claims in PEOPLE.items()]
    with oidc_provider_mock.run_server_in_thread(user_claims=users) as server:
        issuer = f"issuer=http://localhost:{server.server_port}"
        known = ("client_id=outlast", "client_secret=-", "label=Example")
        told = {"set": command("sign-in", "set", "openid", issuer, *known, given=SECRET + "\n")}
        command("sign-in", "grant", "openid", "operators", "--role", "operator")
        told |= {subject: Browser().sign_in(subject) for subject in PEOPLE}
        told["users"] = command("user", "list")
        told["audit"] = command("audit", "--verb", "session.open")
        told["events"] = command("events")
    print(json.dumps(told))


if __name__ == "__main__":
    main()
