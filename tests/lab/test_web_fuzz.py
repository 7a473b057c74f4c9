"""Every request of the API at random, against a real cluster: never a fault of the server's, and nothing is lost."""

import asyncio
import socket
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import requests
import schemathesis.openapi
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lab.conftest import Labs
from outlast.adapters.web_certificate import FileWebCertificate
from outlast.lab.cluster import LabCluster
from outlast.model.access_answers import ApiTokenMade
from outlast.web import tls
from outlast.web.cluster import Cluster
from outlast.web.config import WebConfig
from outlast.web.main import Server
from outlast.web.openapi import description

pytestmark = pytest.mark.lab
EXAMPLES = 5
"""Of each request."""
SLOWEST_S = 60.0
BOUND_S = 20.0
LEFT_OUT = {"cluster.backup"}
"""It writes a file wherever it is told to, and the nodes of a lab share this machine's disk."""
REAL: dict[str, list[Any]] = {
    "name": ["web1", "n1", "olaf", "apart"],
    "node": ["n1", "n2"],
    "nodes": [["n1"]],
    "group": ["web1"],
    "type": ["vm", "dummy"],
    "device": ["fence_outlast_lab"],
    "agent": ["fence_outlast_lab"],
    "way": ["pam", "openid"],
}
"""Names of what is there, so that not everything ends at "there is none"."""
DEADLY = {"node.fence", "node.evict", "node.confirm_down", "quorum.force"}
"""With real names they would do what they are for, and end the test."""
SLOW = {"fence.test", "fence.add", "fence.agents", "validate", "vm.check"}
"""They ask programs and devices, which takes seconds: once is enough."""


@contextmanager
def served(cluster: LabCluster, place: Path) -> Iterator[str]:
    """outlast-web in this process, on the socket of n1's cluster service."""
    run = Path(f"/proc/{cluster.lab.node('n1').init.read_text().strip()}/root/run/outlast")
    maker = FileWebCertificate(place)
    maker.renew(*maker.create_authority("lab", ""), ("localhost",))
    server = Server(Cluster(run / "web.sock"), tls.context(tls.files(WebConfig(run_dir=str(place)))), None)
    listening = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([listening])))
    thread.start()
    try:
        until = time.monotonic() + BOUND_S
        while not server.started and time.monotonic() < until:
            time.sleep(0.01)
        yield f"https://localhost:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


def test_nothing_that_is_asked_is_a_fault_and_nothing_is_lost(labs: Labs, tmp_path: Path) -> None:
    cluster = LabCluster(labs("web", nodes=2, web=True))
    cluster.wait_for_members()
    cluster.clear()
    cluster.protect("beacon", "web1")
    cluster.protect("beacon", "kept")
    made = cluster.client("n1").call("token.create", {"name": "fuzz", "role": "administrator"}, type=ApiTokenMade)
    headers = {"Authorization": f"Bearer {made.token}"}
    statuses: dict[str, set[int]] = {}
    with served(cluster, tmp_path) as url, requests.Session() as session, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the certificate, which nobody checks here
        for result in schemathesis.openapi.from_dict(description()).get_all_operations():
            operation: Any = result.ok()  # type: ignore[union-attr]
            name = str(operation.definition.raw["operationId"])
            if name not in LEFT_OUT:
                statuses[name] = _asked(operation, name, session, url, headers)
    faults = {name: found for name, found in statuses.items() if any(status >= 500 for status in found)}
    assert faults == {}
    right = [name for name, found in statuses.items() if found & {200, 201, 202}]
    assert len(right) > len(statuses) / 4, "most of what was asked must not be refused at the door"
    assert cluster.group("kept").state == "online"
    assert cluster.status("n2").answered_by == "n2"


def _asked(operation: Any, name: str, session: requests.Session, url: str, headers: dict[str, str]) -> set[int]:
    found: set[int] = set()

    @settings(
        max_examples=1 if name in SLOW else EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
        phases=[hypothesis.Phase.generate],
    )
    @given(case=operation.as_strategy(), data=st.data())
    def ask(case: Any, data: st.DataObject) -> None:
        if name not in DEADLY:
            for part in (case.path_parameters, case.query, case.body):
                _with_real_names(part, data)
        if case.headers and data.draw(st.booleans()):
            case.headers.pop("If-Match", None)  # any text but an ETag ends at the door
        response = case.call(base_url=url, headers=headers, session=session, verify=False, timeout=SLOWEST_S)
        found.add(response.status_code)

    ask()
    return found


def _with_real_names(part: Any, data: st.DataObject) -> None:
    if isinstance(part, dict):
        for name in sorted(part.keys() & REAL.keys()):
            part[name] = data.draw(st.sampled_from([part[name], *REAL[name]]))
