"""Notices of a real cluster: the node that sends them loses power, and the next one tells that, signed."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from outlast.core.notices.signing import signature
from outlast.lab.cluster import LabCluster

pytestmark = pytest.mark.lab
SECRET = "sixteen letters!"
PORT = 8099
RECEIVER = """
import http.server, json, sys

class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        with open(sys.argv[2], "a") as told:
            print(json.dumps({"headers": dict(self.headers.items()), "body": body}), file=told)
        self.send_response(202)
        self.end_headers()
        self.wfile.write(b"thank you")

    def log_message(self, *arguments):
        pass

http.server.ThreadingHTTPServer(("0.0.0.0", int(sys.argv[1])), Handler).serve_forever()
"""


class Told:
    def __init__(self, file: Path) -> None:
        self._file = file

    def requests(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._file.read_text().splitlines()] if self._file.exists() else []

    def notices(self) -> list[dict[str, Any]]:
        """Without tests."""
        found = [json.loads(request["body"]) for request in self.requests()]
        return [one for one in found if one["events"][0]["kind"] != "test"]

    def kinds(self) -> list[str]:
        return [notice["events"][0]["kind"] for notice in self.notices()]


def test_who_sends_dies_and_its_death_is_told_by_the_next(etcd_cluster: LabCluster, tmp_path: Path) -> None:
    cluster = etcd_cluster
    victim = cluster.status().coordinator
    here = next(name for name in cluster.lab.state().nodes if name != victim)
    told = Told(tmp_path / "told")
    (tmp_path / "receiver.py").write_text(RECEIVER)
    start = f"setsid {sys.executable} {tmp_path}/receiver.py {PORT} {tmp_path}/told >/dev/null 2>&1 </dev/null &"
    cluster.lab.exec(here, "sh", "-c", start)
    cluster.lab.wait(lambda: not cluster.lab.run(here, "sh", "-c", f"ss -ltn | grep -q :{PORT}").returncode, 30.0)

    outlast = f"{sys.prefix}/bin/outlast"
    add = ("notice", "add", "ops", "webhook", f"url=http://{here}:{PORT}/hook", "secret=-", "severity=critical")
    added = cluster.lab.run(here, outlast, *add, stdin=SECRET + "\n")
    assert added.returncode == 0, added.stderr
    try:
        assert "202 Accepted: thank you" in added.stdout
        assert "202 Accepted: thank you" in cluster.lab.exec(victim, outlast, "notice", "test", "ops")

        # It goes to the victim: the death of who runs nothing is proven after `vote_removal_s` only, which is 60 s.
        cluster.protect("beacon", "web", preferred_owners=[here], possible_owners=[here, victim])
        cluster.lab.kill(here, "qemu:web")
        cluster.lab.wait(lambda: "failed" in told.kinds(), 60.0, "that web failed is told")
        cluster.lab.wait(lambda: cluster.call("notice.show", name="ops")["sent"] == 1, 60.0, "that is noted")
        assert [one["words"].partition(":")[0] for one in told.notices()] == [f"web failed on {here}"]

        cluster.wait(lambda s: s.groups[0].owner == victim and s.groups[0].settled, f"web on {victim}", node=here)
        cluster.lab.power_off(victim)
        cluster.lab.wait(lambda: "node-dead" in told.kinds(), 60.0, f"that {victim} is dead is told")
        [dead] = [notice for notice in told.notices() if notice["events"][0]["kind"] == "node-dead"]
        assert (dead["events"][0]["about"], dead["severity"]) == (victim, "critical")
        ids = [notice["id"] for notice in told.notices()]
        assert len(set(ids)) == len(ids), "what was noted is not told again"
        for request in told.requests():
            headers = request["headers"]
            signed = signature(SECRET, int(headers["Outlast-Timestamp"]), request["body"].encode())
            assert headers["Outlast-Signature"] == signed
    finally:
        _show(cluster, told, here)
        cluster.call("notice.delete", here, name="ops")
        cluster.lab.power_on(victim)
        cluster.wait_for_members()


def _show(cluster: LabCluster, told: Told, here: str) -> None:
    """For whoever reads of a failure: what was told, what happened, and what became of each try."""
    print(*told.notices(), *(f"{event.kind}: {event.words}" for event in cluster.story(here)), sep="\n")
    for name in cluster.lab.state().nodes:
        log = (cluster.lab.node(name).var / "log/outlastd.log").read_text().splitlines()
        print(*(f"{name} {line}" for line in log if "notice" in line), sep="\n")
