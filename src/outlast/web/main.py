"""outlast-web: serves the HTTP API on this node, for the whole cluster. Needs no privileges but to open its socket."""

import argparse
import asyncio
import signal
import socket
import ssl
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import structlog
import uvicorn

from outlast.service.entry import log_to_stderr
from outlast.web import console, metrics, tls
from outlast.web.app import application
from outlast.web.cluster import Cluster
from outlast.web.config import DEFAULT_CONFIG, WebConfig, WrongConfig, read
from outlast.web.elsewhere import Neighbours

log = structlog.get_logger()

MOST_CONNECTIONS = 1000
END_S = 3
MOST_OF_A_MESSAGE = 1024 * 1024
"""Of a web socket, from a browser: keys, the mouse, what is pasted."""


def main() -> None:
    arguments = argparse.ArgumentParser(prog="outlast-web", description="The HTTP API of the cluster, on this node.")
    arguments.add_argument("--config", type=Path, default=DEFAULT_CONFIG, help=f"default: {DEFAULT_CONFIG}")
    log_to_stderr()
    try:
        config = read(arguments.parse_args().config)
        asyncio.run(_run(config))
    except (WrongConfig, ssl.SSLError, OSError) as error:
        print(f"outlast-web: {error}", file=sys.stderr)
        sys.exit(2)


async def _run(config: WebConfig) -> None:
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    ending = asyncio.create_task(ended.wait())
    cluster = Cluster(Path(config.run_dir) / "web.sock")
    waiting = asyncio.create_task(tls.arrived(config, cluster))
    await asyncio.wait({ending, waiting}, return_when=asyncio.FIRST_COMPLETED)
    if ended.is_set():
        waiting.cancel()
        return
    await _serve(config, cluster, ending)


async def _serve(config: WebConfig, cluster: Cluster, ending: "asyncio.Task[bool]") -> None:
    context = tls.context(tls.files(config))
    authority = None if config.certificate else partial(tls.authority, tls.files(config))
    server = Server(cluster, context, authority, Neighbours(cluster, config.port, config.origins))
    serving = asyncio.create_task(server.serve([_listening(config)]))
    keeping = asyncio.create_task(tls.keep_current(context, config, cluster))
    log.info("outlast-web serves", address=config.address or "all", port=config.port)
    await asyncio.wait({serving, ending}, return_when=asyncio.FIRST_COMPLETED)
    server.should_exit = True
    await serving
    keeping.cancel()


def _listening(config: WebConfig) -> socket.socket:
    if config.address:
        family = socket.AF_INET6 if ":" in config.address else socket.AF_INET
        return socket.create_server((config.address, config.port), family=family)
    if socket.has_dualstack_ipv6():
        return socket.create_server(("", config.port), family=socket.AF_INET6, dualstack_ipv6=True)
    return socket.create_server(("", config.port))


class Server(uvicorn.Server):
    def __init__(
        self,
        cluster: Cluster,
        context: ssl.SSLContext,
        authority: Callable[[], str] | None,
        neighbours: Neighbours | None = None,
    ) -> None:
        neighbours = neighbours or Neighbours(cluster)
        super().__init__(
            uvicorn.Config(
                application(
                    cluster,
                    (*metrics.routes(cluster), *console.routes(cluster, neighbours)),
                    authority,
                    neighbours,
                ),
                ssl_context_factory=lambda *_: context,
                log_config=None,
                access_log=False,  # the audit log tells who changed what
                server_header=False,
                proxy_headers=False,  # whoever asks could write anything into them
                limit_concurrency=MOST_CONNECTIONS,
                timeout_graceful_shutdown=END_S,
                ws="wsproto",
                ws_max_size=MOST_OF_A_MESSAGE,
                http="h11",
            )
        )

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """None: `_run` minds them."""
        yield


if __name__ == "__main__":
    main()
