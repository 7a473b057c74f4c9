"""The resource type: one connection to systemd for all units, and what it tells by itself."""

import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from outlast.plugin import Condition, Found, Health, Json, Refusal, ResourceName, Spec, TypeHost
from outlast.resources.asking import Asking
from outlast.resources.records import Records
from outlast.resources.service.states import STOPPED, why_not_started_by_us
from outlast.resources.service.systemd import NoAnswer, Refused, Systemd, is_booted
from outlast.resources.service.unit import ServiceUnit, Started, boot_id, unit_of

DIRECTORY = Path("/var/lib/outlast/service")


class ServiceType:
    api_version = 1
    version = "1"
    functions: Sequence[str] = ("check",)

    def __init__(self, host: TypeHost, directory: Path = DIRECTORY) -> None:
        self._host = host
        self._records: Records[Started] = Records(directory, Started)
        self._open: dict[ResourceName, ServiceUnit] = {}
        self._asking = Asking()
        self._systemd = Systemd(self._changed)

    def _changed(self, path: str) -> None:
        for resource in list(self._open.values()):
            if resource.path == path:
                # Beside the listening: what it finds out may rest on what is told next.
                threading.Thread(target=resource.changed, daemon=True, name=f"looks at {resource.name}").start()

    def open(self, spec: Spec) -> ServiceUnit:
        resource = ServiceUnit(spec, self._host, self._records, self._systemd)
        with suppress(ValueError):  # its record cannot be read: `health` says so
            resource.keep()
        self._open[spec.name] = resource
        return resource

    def looks_alive(self, resources: Sequence[ResourceName]) -> Mapping[ResourceName, Health]:
        return self._ask(resources)

    def is_alive(self, resources: Sequence[ResourceName]) -> Mapping[ResourceName, Health]:
        return self._ask(resources)

    def _ask(self, names: Sequence[ResourceName]) -> Mapping[ResourceName, Health]:
        asked = {name: resource for name in names if (resource := self._open.get(name))}
        answers = self._asking.ask({name: (resource, resource.health) for name, resource in asked.items()})
        silent = Health(Condition.UNKNOWN, "systemd does not answer", running=True)
        return {name: answer if isinstance(answer, Health) else silent for name, answer in answers.items()}

    def discover(self) -> Sequence[Found]:
        """What was started here in this boot, and what runs here of what is open. Raises `NoAnswer` when systemd does
        not tell whether it runs."""
        started = dict(self._records.everything())
        found = [Found(name, name, running=self._runs(record)) for name, record in started.items()]
        for name, resource in list(self._open.items()):
            if name not in started and resource.health().condition is Condition.ONLINE:
                found.append(Found(name, name, running=True))
        return found

    def _runs(self, record: Started) -> bool:
        if record.boot != boot_id():
            return False
        if not is_booted():
            raise NoAnswer(f"cannot tell whether {record.unit} runs: systemd is not there")
        properties = self._systemd.look(self._systemd.load(record.unit))
        return properties.get("ActiveState") not in STOPPED or bool(self._systemd.processes(record.unit))

    def control(self, verb: str, arguments: Mapping[str, Json]) -> Json:
        if verb == "check":
            return self._check(msgspec.convert(arguments.get("properties", {}), dict[str, Json]))
        raise Refusal(f'the type "service" has no function "{verb}"; it has: {", ".join(self.functions)}')

    def _check(self, properties: Mapping[str, Json]) -> list[str]:
        """What keeps this unit from being run by the cluster on this node, for people."""
        try:
            unit = unit_of(properties)
            if not is_booted():
                return ["systemd does not run here; a generic_application needs none"]
            problem = why_not_started_by_us(unit, self._systemd.look(self._systemd.load(unit)))
        except (ValueError, NoAnswer, Refused) as error:
            return [str(error)]
        return [problem] if problem else []

    def close(self) -> None:
        self._systemd.close()
