"""The type `file_share`: all shares of this node."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from outlast.plugin import Found, Health, Json, Refusal, ResourceName, Spec, TypeHost
from outlast.resources.file_share import processes, record
from outlast.resources.file_share.configuration import share_of
from outlast.resources.file_share.share import FileShare, smbd


class FileShareType:
    api_version = 1
    version = "1"
    functions: Sequence[str] = ("check",)

    def __init__(self, host: TypeHost, directory: Path = record.DIRECTORY) -> None:
        """A node without smbd does not have this type: nothing of it is given to that node."""
        if not smbd():
            raise RuntimeError("smbd is not installed on this node; install it with: apt install samba")
        self._host = host
        self._directory = directory
        self._open: dict[ResourceName, FileShare] = {}

    def open(self, spec: Spec) -> FileShare:
        share = FileShare(spec, self._host, self._directory, self._closed_one)
        self._open[spec.name] = share
        share.watch()
        return share

    def looks_alive(self, resources: Sequence[ResourceName]) -> Mapping[ResourceName, Health]:
        return {name: share.judge_again(thoroughly=False) for name in resources if (share := self._open.get(name))}

    def is_alive(self, resources: Sequence[ResourceName]) -> Mapping[ResourceName, Health]:
        return {name: share.judge_again(thoroughly=True) for name in resources if (share := self._open.get(name))}

    def discover(self) -> Sequence[Found]:
        """By the configuration files; a running smbd keeps its own."""
        files = {file.parent.name: file for file in sorted(self._directory.glob("*/smb.conf"))}
        running = processes.servers(files.values())
        known = {one.name.replace("/", "_"): one for one in record.load_all(self._directory)}
        found = []
        for name, file in files.items():
            one = known.get(name)
            found.append(Found(one.identity if one else name, one.name if one else name, running=file in running))
        return found

    def control(self, verb: str, arguments: Mapping[str, Json]) -> Json:
        if verb == "check":
            return _problems(str(arguments.get("name", "")), arguments.get("properties") or {})
        raise Refusal(f'the type "file_share" has no function "{verb}"; it has: {", ".join(self.functions)}')

    def close(self) -> None:
        pass

    def _closed_one(self, share: FileShare) -> None:
        if self._open.get(share.name) is share:
            del self._open[share.name]


def _problems(name: str, properties: Mapping[str, Json]) -> list[str]:
    """Why a share with these properties could not be anywhere, for people."""
    try:
        share_of(name, properties)
    except ValueError as problem:
        return [str(problem)]
    return []
