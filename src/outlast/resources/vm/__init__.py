"""The resource type `vm`: virtual machines of libvirt and QEMU."""

from outlast.resources.vm.type import VmType

__all__ = ["VmType"]
