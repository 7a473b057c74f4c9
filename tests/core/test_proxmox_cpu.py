"""Proxmox processors in libvirt's words."""

import pytest

from outlast.core.importing.proxmox_cpu import cpu_of


@pytest.mark.parametrize(
    ("said", "mode", "model"),
    [
        ("host", "host-passthrough", ""),
        ("max", "maximum", ""),
        ("x86-64-v2-AES", "custom", "Westmere"),
        ("EPYC-Milan", "custom", "EPYC-Milan"),
        ("cputype=qemu64", "custom", "qemu64"),
        ("custom-mine", "host-model", ""),
    ],
)
def test_a_processor_keeps_its_name_or_gets_the_oldest_that_has_its_level(said: str, mode: str, model: str) -> None:
    cpu = cpu_of({"cpu": said})
    assert (cpu.mode, cpu.model) == (mode, model)


def test_what_is_not_said_is_proxmox_s_default() -> None:
    cpu = cpu_of({})
    assert (cpu.model, cpu.count, cpu.online) == ("kvm64", 1, 0)


def test_flags_are_required_or_switched_off() -> None:
    cpu = cpu_of({"cpu": "host,flags=+aes;-pcid;+hv-tlbflush"})
    assert cpu.features == (("require", "aes"), ("disable", "pcid"))


def test_never_more_processors_are_online_than_there_are() -> None:
    assert cpu_of({"sockets": "2", "cores": "2", "vcpus": "9"}).online == 4
