"""outlast vm set and outlast vm probe: what is asked of the cluster, and how a guest looks in its answers."""

import healthy
import msgspec

from command_line import Outlast
from fake_service import FakeService, Result
from outlast.model.guest import GuestCare, GuestStatus, OnHang, OnRed, Probe, ProbeStatus
from outlast.model.guest_answers import ProbeRow
from outlast.model.inside import Asked

pytest_plugins = ("cli_fixtures",)
HTTP = Probe("http", Asked.TCP, "192.0.2.1:80", on_red=OnRed.RESTART)


def test_a_probe_is_added_with_its_settings(fake: FakeService, outlast: Outlast) -> None:
    fake.answers["vm.probe_add"] = Result([ProbeRow("web", HTTP, "not asked", "")])
    ended = outlast("vm", "probe", "add", "web", "http", "tcp", "192.0.2.1:80", "on_red=restart", "threshold=2")
    assert ended.code == 0, ended.err
    assert fake.arguments("vm.probe_add") == {
        "name": "web",
        "probe": "http",
        "asks": "tcp",
        "what": "192.0.2.1:80",
        "values": {"on_red": "restart", "threshold": "2"},
    }
    assert ended.lines() == [
        "VM   probe  asks              state      every  when red",
        "web  http   tcp 192.0.2.1:80  not asked  10 s   the VM is restarted",
    ]


def test_probes_are_listed_with_what_they_found(fake: FakeService, outlast: Outlast) -> None:
    fake.answers["vm.probe_list"] = Result([ProbeRow("web", HTTP, "red", "192.0.2.1:80 does not accept")])
    assert "does not accept" in outlast("vm", "probe", "list").out
    assert fake.arguments("vm.probe_list") == {"name": ""}


def test_a_probe_is_deleted(fake: FakeService, outlast: Outlast) -> None:
    fake.answers["vm.probe_delete"] = Result([])
    assert outlast("vm", "probe", "delete", "web", "http").out.startswith("no probes; outlast vm probe add")
    assert fake.arguments("vm.probe_delete") == {"name": "web", "probe": "http"}


def test_a_vm_is_set_as_any_resource(fake: FakeService, outlast: Outlast) -> None:
    fake.answers["resource.set"] = Result(healthy.resource("web", guest=GuestCare(on_hang=OnHang.RESET)))
    ended = outlast("vm", "set", "web", "on_hang=reset")
    assert fake.arguments("resource.set") == {"name": "web", "values": {"on_hang": "reset"}}
    assert "it is reset, up to 3 times within 1 h; then it has failed" in ended.out


def test_vm_show_tells_how_the_guest_is(fake: FakeService, outlast: Outlast) -> None:
    detail = healthy.detail()
    status = GuestStatus("hangs", True, healthy.AT_S, 2, {"http": ProbeStatus("red", "192.0.2.1:80 does not accept")})
    care = GuestCare(on_hang=OnHang.RESET, probes=(HTTP,))
    resource = msgspec.structs.replace(detail.resource, guest=care, guest_status=status)
    fake.answers["vm.show"] = Result(msgspec.structs.replace(detail, resource=resource))
    out = outlast("vm", "show", "web").out
    assert "hangs; its agent answered last at " in out
    assert "2 of 3 within 1 h" in out
    assert "red: 192.0.2.1:80 does not accept" in out
