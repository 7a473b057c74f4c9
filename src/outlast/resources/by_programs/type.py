"""What is the same in the types whose resources are run by programs: opening, asking all at once, finding what runs."""

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

from outlast.plugin import Condition, Found, Health, ResourceName, Spec, TypeHost
from outlast.resources.asking import Asking
from outlast.resources.by_programs.resource import OPEN_WITHIN_S, MakeDriver, ProgramResource, Started
from outlast.resources.records import Records

AT_ONCE = 16


class ProgramType:
    """`records` is not below /run: some of what programs start outlives the boot (a symbolic link)."""

    def __init__(
        self, type: str, host: TypeHost, records: Path, make_driver: MakeDriver, spared: Collection[str] = ()
    ) -> None:
        self._type = type
        self._host = host
        self._records: Records[Started] = Records(records, Started)
        self._make_driver = make_driver
        self._spared = spared
        self._open: dict[ResourceName, ProgramResource] = {}
        self._asking = Asking()

    def open(self, spec: Spec) -> ProgramResource:
        resource = self._make(spec)
        resource.find_out()
        self._open[spec.name] = resource
        return resource

    def _make(self, spec: Spec) -> ProgramResource:
        return ProgramResource(spec, self._host, self._records, self._make_driver, self._spared)

    def looks_alive(self, resources: Sequence[ResourceName]) -> Mapping[ResourceName, Health]:
        return self._ask(resources, lambda resource: resource.ask())

    def is_alive(self, resources: Sequence[ResourceName]) -> Mapping[ResourceName, Health]:
        return self._ask(resources, lambda resource: resource.ask(thorough=True))

    def _ask(
        self, names: Sequence[ResourceName], ask: Callable[[ProgramResource], Health]
    ) -> Mapping[ResourceName, Health]:
        asked = {name: resource for name in names if (resource := self._open.get(name))}
        questions = {name: (one, lambda one=one: ask(one)) for name, one in asked.items()}
        answers = self._asking.ask(questions)
        return {
            name: answer if isinstance(answer, Health) else asked[name].asked_for(answer)
            for name, answer in answers.items()
        }

    def discover(self) -> Sequence[Found]:
        """What was started here and may still run, and what runs here of what is open. Raises when a record cannot be
        read."""
        from concurrent.futures import ThreadPoolExecutor  # every host loads this type, and few need that

        started = {name: record.properties for name, record in self._records.everything()}
        open_here = dict(self._open)

        def look(name: ResourceName) -> Found:
            resource = open_here.get(name) or self._make(Spec(name, self._type, properties=started[name]))
            found = resource.ask(within_s=OPEN_WITHIN_S)
            return Found(name, name, running=found.running or found.condition is Condition.UNKNOWN)

        with ThreadPoolExecutor(AT_ONCE) as pool:
            found = list(pool.map(look, sorted({*started, *open_here})))
        return [one for one in found if one.running or one.name in started]

    def close(self) -> None:
        pass
