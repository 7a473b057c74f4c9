"""What cannot be taken over from a Proxmox VM, why, and what helps? One line per key; none is left out."""

import re

from outlast.core.importing.places import kept, lost
from outlast.model.imported import Finding

_WORDS = {
    "args": "arguments for QEMU itself are not taken over: {value}",
    "hookscript": "no script runs at start and stop here: {value}",
    "protection": "against deletion there is nothing to set: outlast vm unprotect leaves disks alone",
    "tags": "there are no tags here: {value}",
    "lock": "Proxmox held it locked ({value}): wait until that is over, then read its configuration again",
    "parent": "the snapshot that it goes back to ({value}): disks are taken as they are now",
    "meta": "Proxmox's own records of how it was made",
    "digest": "Proxmox's own check sum of the file",
    "hotplug": "what may be changed while it runs is libvirt's matter: {value}",
    "numa": "the guest sees one NUMA node",
    "hugepages": "each node that may run it would have to set as many aside ({value})",
    "keephugepages": "there are no huge pages here to keep",
    "cpuunits": "its weight among the VMs of one host means nothing on another: {value}",
    "shares": "nothing moves its balloon by itself: {value}",
    "affinity": "processors of one host ({value}) mean nothing on another",
    "audio0": "no sound device: {value}",
    "ivshmem": "memory shared with one host's processes stays behind: {value}",
    "tpmstate0": "the TPM and what it holds: its state would lie on one node. Have recovery keys (BitLocker) at hand",
    "cipassword": "cloud-init's password is not taken over",
    "efidisk0": "UEFI's variables, which a VM with a BIOS does not use",
    "freeze": "it is not frozen at its start",
    "startdate": "its clock begins with the node's: {value}",
    "migrate_downtime": "not set per VM: {value}",
    "migrate_speed": "not set per VM: {value}",
    "spice_enhancements": "there is no SPICE here: {value}",
    "autostart": "restarting it when it fails is what the cluster does anyway",
    "template": "it is no template",
    "running-nets-host-mtu": "Proxmox's own record",
}
_PATTERNS = (
    (r"hostpci\d+", "a device of one host ({value}): the VM could run on no other node"),
    (r"usb\d+", "a device of one host ({value}): the VM could run on no other node"),
    (r"parallel\d+", "a port of one host ({value})"),
    (r"unused\d+", "a disk that is not attached: {value}"),
    (r"virtiofs\d+", "a directory of one host: {value}"),
    (r"numa\d+", "the guest sees one NUMA node: {value}"),
    (
        r"(ci|sshkeys|ipconfig|nameserver|searchdomain).*",
        "cloud-init's settings: what the guest was set up with, it has",
    ),
    (r"(amd-sev|intel-tdx|allow-ksm).*", "memory encryption and sharing are not taken over: {value}"),
)
_UNKNOWN = "Outlast does not know this key: {value}"


def words_on(key: str, value: str) -> Finding:
    if value == "0":
        return kept(key, "off, as it is here")
    found = (words for pattern, words in _PATTERNS if re.fullmatch(pattern, key))
    return lost(key, (_WORDS.get(key) or next(found, _UNKNOWN)).format(value=value))
