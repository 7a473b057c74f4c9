"""The resource type `vm`: virtual machines of libvirt and QEMU."""
