"""GET /metrics: what a node knows of the cluster and has measured, as Prometheus reads it.

Whoever asks needs an API token, as everywhere (`identity.py`); the role viewer is enough. What is told stands in
`families.py`.
"""

from collections.abc import Iterable, Iterator

import msgspec
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from outlast.model.metrics import Metrics
from outlast.web import identity
from outlast.web.cluster import Cluster
from outlast.web.families import FAMILIES

PATH = "/metrics"


def routes(cluster: Cluster) -> tuple[BaseRoute, ...]:
    async def answer(request: Request) -> Response:
        found = await cluster.ask("metrics", {}, identity.who(request))
        text, media_type = exposition(
            msgspec.json.decode(found.result, type=Metrics), request.headers.get("accept", "")
        )
        return Response(text, media_type=media_type, headers={"Cache-Control": "no-store"})

    return (Route(PATH, answer, methods=["GET"]),)


def exposition(metrics: Metrics, accept: str = "") -> tuple[bytes, str]:
    """In the format that whoever asks likes best; and which that is."""
    encode, media_type = choose_encoder(accept)
    registry = CollectorRegistry()
    registry.register(_Told(metrics))
    return encode(registry), media_type


class _Told:
    """What `prometheus_client` asks for all families."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def describe(self) -> Iterable[Metric]:
        """Names are not looked through twice."""
        return ()

    def collect(self) -> Iterator[Metric]:
        for family in FAMILIES:
            yield family.family(self._metrics)
