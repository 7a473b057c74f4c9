"""The web console: pages, style sheets and modules in `console/`, served as they are.

Who is signed in gets the console, everybody else the page to sign in. Neither has a script or a style of its own inside
(`headers.py`), but for the few lines that see whether all the rest has come; the console may also ask the other nodes,
so that it goes on when this one does not answer.
"""

from base64 import b64encode
from hashlib import sha256
from pathlib import Path

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from outlast.core.access.openid import PAGE
from outlast.web import identity
from outlast.web.cluster import Cluster, Refused
from outlast.web.elsewhere import ASK_S, Neighbours
from outlast.web.headers import POLICY

FILES = Path(__file__).parent / "console"
NOVNC = Path("/usr/share/novnc")
STRICTER = "require-trusted-types-for 'script'; trusted-types 'none'"
"""No text ever becomes markup or script, also not by a mistake of ours."""
LOADING = (FILES / "loading.js").read_text()
LOADING_TAG = '<script src="/console/loading.js"></script>'
OWN_SCRIPTS = f"script-src 'self' 'sha256-{b64encode(sha256(LOADING.encode()).digest()).decode()}'"
"""Scripts of files, and the one inside the page, word for word (Content Security Policy 3, section 2.3.1)."""
PAGE_POLICY = f"{POLICY}; {OWN_SCRIPTS}; {STRICTER}"


def routes(cluster: Cluster, neighbours: Neighbours) -> tuple[BaseRoute, ...]:
    async def sign_in(_: Request) -> Response:
        """Also where an OpenID Connect provider sends browsers back to."""
        return _page("sign-in.html", PAGE_POLICY)

    async def page(request: Request) -> Response:
        if not await _signed_in(cluster, request):
            return await sign_in(request)
        origins = await neighbours.origins()
        others = " ".join([*origins, *(origin.replace("https:", "wss:", 1) for origin in origins)])
        return _page("index.html", f"{PAGE_POLICY}; connect-src 'self' {others}".rstrip())

    return (Route("/", page), Route(PAGE, sign_in), Mount("/console", Files(directory=FILES)), *_novnc())


def _novnc() -> tuple[BaseRoute, ...]:
    """What shows screens is the distribution's; without its package the console says so."""
    folders = [name for name in ("core", "vendor") if (NOVNC / name).is_dir()]
    return tuple(Mount(f"/novnc/{name}", Files(directory=NOVNC / name)) for name in folders)


class Files(StaticFiles):
    """A browser asks each time whether a file is still the same: after an update no two versions are mixed."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = "no-cache"
        return response


def _page(name: str, policy: str) -> Response:
    text = (FILES / name).read_text().replace(LOADING_TAG, f"<script>{LOADING}</script>")
    return HTMLResponse(text, headers={"Content-Security-Policy": policy, "Cache-Control": "no-store"})


async def _signed_in(cluster: Cluster, request: Request) -> bool:
    """While the cluster service does not answer, the page finds out by itself, also from other nodes."""
    if identity.COOKIE not in request.cookies:
        return False
    try:
        await cluster.ask("session.show", {}, identity.who(request), timeout_s=ASK_S)
    except Refused as refused:
        return refused.kind != "sign-in"
    return True
