"""Real `outlast-web` programs beside a cluster of the simulator (`played_cluster.py`), and a browser that finds them.

A node that loses its power (`lose`) takes its `outlast-web` along.
"""

import socket
import subprocess
import sys
import time
from pathlib import Path

import msgspec

from outlast.adapters.web_certificate import FileWebCertificate

PORT = 9443
STARTS_S = 30.0


class PlayedConsole:
    def __init__(self, directory: Path, *lines: str) -> None:
        """`lines`: of the simulator; the first is `world ...`."""
        self._directory = directory
        self._cluster = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("played_cluster.py")), str(directory)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        for line in lines:
            self.command(line)
        maker = FileWebCertificate(directory)
        self.authority, key = maker.create_authority("played", "id")
        nodes = sorted(path.name for path in directory.iterdir() if (path / "web.sock").exists())
        maker.renew(self.authority, key, (*nodes, *(f"{node}.simulated" for node in nodes), "localhost"))
        self.ports: dict[str, int] = {}
        self._webs: dict[str, subprocess.Popen[bytes]] = {}
        for node in nodes:
            self.serve(node)

    def command(self, line: str) -> None:
        assert self._cluster.stdin is not None
        assert self._cluster.stdout is not None
        self._cluster.stdin.write(line + "\n")
        self._cluster.stdin.flush()
        answered = self._cluster.stdout.readline()
        assert answered == "done\n", f"{line}: {answered or 'the simulated cluster has ended'}"

    def serve(self, node: str) -> None:
        port = self.ports.get(node) or free_port()  # the same again: browsers have been told
        config = self._directory / f"{node}.toml"
        made = self._directory / "web"
        # Pages of a node find the others at the usual port: the browser is told where that is (`rules`).
        config.write_text(
            f'address = "127.0.0.1"\nport = {port}\nrun_dir = "{self._directory / node}"\n'
            f'certificate = "{made / "certificate.pem"}"\nkey = "{made / "key.pem"}"\n'
            f"origins = {msgspec.json.encode([f'https://{name}:{PORT}' for name in self.names()]).decode()}\n"
        )
        self._webs[node] = subprocess.Popen([sys.executable, "-m", "outlast.web.main", "--config", str(config)])
        self.ports[node] = port
        until = time.monotonic() + STARTS_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1.0).close()
                return
            except OSError:
                assert time.monotonic() < until, f"outlast-web of {node} does not listen"
                time.sleep(0.05)

    def names(self) -> list[str]:
        return sorted(path.parent.name for path in self._directory.glob("*/web.sock"))

    def url(self, node: str) -> str:
        return f"https://{node}:{PORT}/"

    def rules(self) -> str:
        """Chromium's `--host-resolver-rules`: the names of the nodes, and the port that all of them should have."""
        return ", ".join(f"MAP {node}:{PORT} 127.0.0.1:{port}" for node, port in self.ports.items())

    def lose(self, node: str) -> None:
        self.stop_serving(node)
        self.command(f"power off {node}")

    def power_on(self, node: str) -> None:
        self.command(f"power on {node}")
        self.serve(node)

    def stop_serving(self, node: str) -> None:
        web = self._webs.pop(node)
        web.kill()
        web.wait()

    def __enter__(self) -> "PlayedConsole":
        return self

    def __exit__(self, *_: object) -> None:
        for node in list(self._webs):
            self.stop_serving(node)
        self._cluster.kill()
        self._cluster.wait()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
        return port
