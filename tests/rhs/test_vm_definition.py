"""What the cluster reads in a domain XML, and how it refuses a bad one."""

import uuid
from typing import Any

import pytest

from outlast.plugin import Refusal
from outlast.resources.vm.definition import agent_state, has_agent, parse, root_of, screen, uuid_of

UUID = "11111111-2222-3333-4444-555555555555"
DISK = "<disk type='file' device='disk'><source file='/shared/web.img'/><target dev='vda'/></disk>"


def xml(
    *,
    kind: str = "kvm",
    name: str = "<name>web</name>",
    identity: str = f"<uuid>{UUID}</uuid>",
    memory: str = "<memory unit='MiB'>512</memory>",
    devices: str = DISK,
    more: str = "",
) -> str:
    return f"<domain type='{kind}'>{name}{identity}{memory}<vcpu>2</vcpu>{more}<devices>{devices}</devices></domain>"


def test_a_definition_says_who_the_vm_is_and_what_it_needs() -> None:
    found = parse(xml())
    assert found["identity"] == UUID
    assert (found["name"], found["type"], found["memory_mib"], found["vcpus"]) == ("web", "kvm", 512, 2)
    assert found["disks"] == [
        {
            "path": "/shared/web.img",
            "kind": "file",
            "device": "disk",
            "target": "vda",
            "shared": False,
            "readonly": False,
        }
    ]


def test_a_definition_with_a_uuid_is_kept_to_the_letter() -> None:
    given = xml(more="<!-- by hand -->\n<metadata>x</metadata>")
    assert parse(given)["definition"] == given


def test_a_missing_uuid_is_added_and_nothing_else_is_changed() -> None:
    commandline = "<commandline xmlns='http://libvirt.org/schemas/domain/qemu/1.0'><arg value='-x'/></commandline>"
    first, second = (parse(xml(identity="", more=f"<!-- by hand -->{commandline}")) for _ in range(2))
    assert uuid.UUID(first["identity"]) != uuid.UUID(second["identity"])
    assert uuid_of(first["definition"]) == first["identity"]
    assert "by hand" in first["definition"]
    assert parse(first["definition"])["identity"] == first["identity"]
    assert root_of(first["definition"]).find("{http://libvirt.org/schemas/domain/qemu/1.0}commandline") is not None


def test_a_uuid_is_the_same_however_it_is_written() -> None:
    assert parse(xml(identity=f"<uuid>{UUID.upper().replace('-', '')}</uuid>"))["identity"] == UUID


@pytest.mark.parametrize(
    ("bad", "word"),
    [
        ("", "no definition"),
        ("<domain", "well-formed"),
        ("<network/>", "begins with <network>"),
        (xml(kind="xen"), '"xen"'),
        (xml(name=""), "no name"),
        (xml(name="<name>a/b</name>"), '"/"'),
        (xml(devices=""), "no disk"),
        (xml(devices=DISK.replace("device='disk'", "device='cdrom'")), "no disk"),
        (xml(identity="<uuid>web</uuid>"), '"web"'),
        (xml(memory=""), "how much memory"),
        (xml(memory="<memory unit='shoes'>2</memory>"), "shoes"),
    ],
)
def test_a_bad_definition_is_refused_in_words_that_name_what_is_wrong(bad: str, word: str) -> None:
    with pytest.raises(Refusal, match=word):
        parse(bad)


@pytest.mark.parametrize(
    ("source", "kind", "path"),
    [
        ("<source dev='/dev/vg/web'/>", "block", "/dev/vg/web"),
        ("<source protocol='rbd' name='pool/web'/>", "network", "rbd:pool/web"),
        ("<source pool='fast' volume='web'/>", "volume", "fast/web"),
    ],
)
def test_every_kind_of_disk_is_named(source: str, kind: str, path: str) -> None:
    disk: dict[str, Any] = parse(xml(devices=f"<disk type='{kind}' device='disk'>{source}</disk>"))["disks"][0]
    assert (disk["kind"], disk["path"]) == (kind, path)


@pytest.mark.parametrize(("memory", "mib"), [("<memory>524288</memory>", 512), ("<memory unit='G'>2</memory>", 2048)])
def test_memory_is_read_in_libvirts_units(memory: str, mib: int) -> None:
    assert parse(xml(memory=memory))["memory_mib"] == mib


AGENT = "<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'{state}/></channel>"


def test_only_a_guest_with_the_channel_for_it_can_answer() -> None:
    other = "<channel type='unix'><target type='virtio' name='org.libguestfs.channel.0' state='connected'/></channel>"
    assert not has_agent(xml(devices=DISK + other))
    assert agent_state(xml(devices=DISK + other)) is None
    assert has_agent(xml(devices=DISK + AGENT.format(state="")))


@pytest.mark.parametrize(
    ("state", "answers"), [("", False), (" state='disconnected'", False), (" state='connected'", True)]
)
def test_a_running_guest_answers_when_its_agent_is_connected(state: str, answers: bool) -> None:
    assert agent_state(xml(devices=DISK + AGENT.format(state=state))) is answers


@pytest.mark.parametrize(
    ("graphics", "place"),
    [
        ("<graphics type='vnc' port='5901' listen='127.0.0.1'/>", ("127.0.0.1", 5901)),
        ("<graphics type='vnc' port='5901' listen='0.0.0.0'/>", ("127.0.0.1", 5901)),
        ("<graphics type='vnc' port='5901' listen='::'/>", ("::1", 5901)),
        ("<graphics type='vnc' port='5901' listen='192.0.2.7'/>", ("192.0.2.7", 5901)),
        ("<graphics type='spice' port='5900'/><graphics type='vnc' port='5902'/>", ("127.0.0.1", 5902)),
        ("<graphics type='spice' port='5900'/>", None),
        ("<graphics type='vnc' port='-1' autoport='yes'/>", None),
        ("<graphics type='vnc' socket='/run/screen'/>", None),
        ("", None),
    ],
)
def test_a_screen_is_where_its_own_node_reaches_the_vnc_server(graphics: str, place: tuple[str, int] | None) -> None:
    live = f"<domain type='qemu'><name>web1</name><devices>{graphics}</devices></domain>"
    assert screen(live) == place
