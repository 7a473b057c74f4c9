"""A cluster with a shared volume, and a VM `web` on it that runs on n1."""

from collections.abc import Collection, Mapping
from typing import Any

from build import NODES, group, observed, resource, session, status, view
from outlast.model.group import Resource
from outlast.model.node import Offer
from outlast.model.status import State
from outlast.model.view import ClusterView
from outlast.model.volume import VolumeState

VOLUME = "v1"
WHY = "read-only file system"
OFFERS = (Offer("vm"), Offer("shared_volume"))


def volume(name: str, path: str, **properties: Any) -> Resource:
    return resource(name, type="shared_volume", properties={"path": path, **properties})


def cluster(
    *,
    lost: Collection[str] = (),
    silent: Collection[str] = (),
    lost_s: float = 1000.0,
    seen_s: float = 1000.0,
    limit_s: float = 60.0,
    volumes_on: Mapping[str, str] | None = None,
    offers: tuple[Offer, ...] = OFFERS,
    **more: Any,
) -> ClusterView:
    """`lost`: nodes on which it is; `silent`: nodes that have told nothing. `more`: of the group `web`."""
    places = {VOLUME: "n3"} if volumes_on is None else volumes_on
    web = group("web", **more)
    coordinators = [group(name, on=node) for name, node in places.items()]
    states = {name: () if name in silent else (VolumeState(VOLUME, WHY if name in lost else ""),) for name in NODES}
    return view(
        web,
        *coordinators,
        sessions=[session(name, offers=offers, volumes=states[name]) for name in NODES],
        resources=[
            resource("web", disks=("/srv/v1/web.img",)),
            *(volume(name, f"/srv/{name}", limit_s=limit_s) for name in places),
        ],
        statuses=[status(one, State.ONLINE) for one in (web, *coordinators) if one.owner],
        observed=observed(
            volume_lost_s={f"{name} {VOLUME}": lost_s for name in lost},
            volume_seen_s={f"{name} {VOLUME}": seen_s for name in NODES if name not in lost},
            calm_s=1000.0,
        ),
    )
