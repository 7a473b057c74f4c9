"""The lab: several hosts on one machine, as Linux namespaces with libvirt and QEMU of their own."""
