"""Fixtures: the API in this process, beside a cluster service that answers from a table."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from fake_service import FakeService, Result
from outlast.model.access_answers import SessionBegun, SessionRow
from outlast.web.app import application
from outlast.web.cluster import Cluster

ANNA = SessionRow("anna", "administrator", (), 0.0)


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[FakeService]:
    with FakeService(tmp_path / "web.sock") as running:
        running.answers["session.show"] = Result(ANNA)
        running.answers["session.open"] = Result(SessionBegun("outlast-session-11", ANNA))
        running.answers["session.close"] = Result("anna is signed out")
        yield running


@pytest.fixture
def api(fake: FakeService) -> Iterator[TestClient]:
    made = application(Cluster(fake.path))
    with TestClient(made, base_url="https://testserver", raise_server_exceptions=False) as client:
        yield client
