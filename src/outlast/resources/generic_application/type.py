"""The resource type: it opens applications, asks all of them at once, and finds those that nobody has open."""

import urllib.parse
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from outlast.plugin import Found, Health, Json, Refusal, ResourceName, Spec, TypeHost
from outlast.resources import programs
from outlast.resources.asking import Asking
from outlast.resources.generic_application import processes
from outlast.resources.generic_application.processes import Application
from outlast.resources.generic_application.resource import MARK, VERBS, GenericApplication
from outlast.resources.generic_application.settings import read, unknown_user
from outlast.resources.records import Records

DIRECTORY = Path("/run/outlast/generic_application")
"""Emptied by each boot, as is everything that it tells of."""
LOGS = Path("/var/log/outlast/applications")


class GenericApplicationType:
    api_version = 1
    version = "1"
    functions: Sequence[str] = ("check", *VERBS)

    def __init__(self, host: TypeHost, directory: Path = DIRECTORY, logs: Path = LOGS) -> None:
        self._host = host
        self._logs = logs
        self._records: Records[Application] = Records(directory, Application)
        self._open: dict[ResourceName, GenericApplication] = {}
        self._asking = Asking()

    def open(self, spec: Spec) -> GenericApplication:
        resource = GenericApplication(spec, self._host, self._records, self._logs)
        resource.watch()
        self._open[spec.name] = resource
        return resource

    def looks_alive(self, resources: Sequence[ResourceName]) -> Mapping[ResourceName, Health]:
        return {name: resource.health() for name in resources if (resource := self._open.get(name))}

    def is_alive(self, resources: Sequence[ResourceName]) -> Mapping[ResourceName, Health]:
        asked = {name: resource for name in resources if (resource := self._open.get(name))}
        answers = self._asking.ask({name: (resource, resource.ask) for name, resource in asked.items()})
        return {
            # A check that is under way is killed at its deadline, and counts then.
            name: answer if isinstance(answer, Health) else asked[name].health()
            for name, answer in answers.items()
        }

    def discover(self) -> Sequence[Found]:
        """Also what bears our mark and is not written down. Raises when a record cannot be read."""
        found = {name: bool(processes.left_over(application)) for name, application in self._records.everything()}
        for pid in programs.marked(f"{MARK}={self._records.directory}/"):
            if name := self._name_of(pid):
                found[name] = True
        return [Found(name, name, running=running) for name, running in sorted(found.items())]

    def _name_of(self, pid: int) -> str:
        with suppress(OSError):
            for line in Path(f"/proc/{pid}/environ").read_bytes().decode(errors="replace").split("\0"):
                if line.startswith(f"{MARK}="):
                    return urllib.parse.unquote(Path(line.partition("=")[2].partition("#")[0]).stem)
        return ""

    def control(self, verb: str, arguments: Mapping[str, Json]) -> Json:
        if verb == "check":
            return check(msgspec.convert(arguments.get("properties", {}), dict[str, Json]))
        raise Refusal(
            f'the type "generic_application" has no function "{verb}"; its resources have: {", ".join(VERBS)}'
        )

    def close(self) -> None:
        pass


def check(properties: Mapping[str, Json]) -> list[str]:
    """What keeps an application of these properties from running on this node, for people. Whether its program is there
    is asked when it starts: its file system may be another resource of its group."""
    try:
        settings = read(properties)
    except ValueError as error:
        return [str(error)]
    return unknown_user(settings)
