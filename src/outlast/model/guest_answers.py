"""What the cluster service answers about what lives in VMs. The fields are a contract, as those in `answers.py`."""

import msgspec

from outlast.model.guest import Probe


class ProbeRow(msgspec.Struct, frozen=True):
    vm: str
    probe: Probe
    state: str
    """green | red | not green yet | not asked"""
    why: str
