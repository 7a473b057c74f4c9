"""The description of the API fits what is served."""

import json
import re
from typing import Any

from starlette.testclient import TestClient

from fake_service import FakeService
from outlast.core.access.permissions import NEEDS
from outlast.web.openapi import description
from outlast.web.routes import PREFIX, ROUTES

pytest_plugins = ("web_fixtures",)


def test_it_is_told_to_everybody_and_asks_nobody(api: TestClient, fake: FakeService) -> None:
    answer = api.get("/api/v1/openapi.json")
    assert answer.json()["openapi"].startswith("3.1")
    assert fake.verbs() == []


def test_every_request_of_the_table_is_in_it_with_its_role() -> None:
    paths = description()["paths"]
    for route in ROUTES:
        operation = paths[PREFIX + route.path][route.method.lower()]
        assert operation["x-outlast-verb"] == route.verb
        assert operation["x-outlast-role"] == NEEDS[route.verb].role.value
        in_path = {one["name"] for one in operation["parameters"] if one["in"] == "path"}
        assert in_path == set(re.findall(r"{(\w+)}", route.path))


def test_everything_that_it_refers_to_is_in_it() -> None:
    document = description()
    referred = set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(document)))
    assert referred
    assert referred <= set(document["components"]["schemas"])


def test_what_is_required_is_said_and_nothing_else_is_taken() -> None:
    def body(path: str, method: str) -> Any:
        return description()["paths"][PREFIX + path][method]["requestBody"]

    create = body("/groups", "post")
    assert create["required"]
    schema = create["content"]["application/json"]["schema"]
    assert (schema["required"], schema["additionalProperties"]) == (["name"], False)
    assert not body("/groups/{name}/move", "post")["required"]
