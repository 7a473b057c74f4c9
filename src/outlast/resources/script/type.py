"""The resource type: executables in a directory drive each resource."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from outlast.plugin import Json, Refusal, ResourceName, TypeHost
from outlast.resources.by_programs.type import ProgramType
from outlast.resources.script.driver import ScriptDriver, read

DIRECTORY = Path("/var/lib/outlast/script")


class ScriptType(ProgramType):
    api_version = 1
    version = "1"
    functions: Sequence[str] = ("check",)

    def __init__(self, host: TypeHost, directory: Path = DIRECTORY) -> None:
        super().__init__("script", host, directory, _make)

    def control(self, verb: str, arguments: Mapping[str, Json]) -> Json:
        if verb == "check":
            return check(msgspec.convert(arguments.get("properties", {}), dict[str, Json]))
        raise Refusal(f'the type "script" has no function "{verb}"; it has: {", ".join(self.functions)}')


def check(properties: Mapping[str, Json]) -> list[str]:
    """What is wrong with the properties, for people. Whether the executables are there is asked when it starts: their
    file system may be another resource of its group."""
    try:
        read(properties)
    except ValueError as error:
        return [str(error)]
    return []


def _make(name: ResourceName, properties: Mapping[str, Json]) -> ScriptDriver:
    return ScriptDriver(name, read(properties))
