"""Does a VM keep what `MovableContract` asks for, between two nodes with a libvirtd of their own?"""

import itertools
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress

import pytest

from lab.plugin_in_nodes import PluginInNodes
from outlast.lab.errors import NotPossibleNow
from outlast.lab.lab import Lab
from outlast.lab.layout import address_of
from outlast.lab.node import guest_of, processes
from outlast.plugin import Destination, ResourceType, Spec, TypeHost
from outlast.plugin_contract import MovableContract
from outlast.resources.vm.definition import uuid_of

pytestmark = pytest.mark.lab
NUMBERS = itertools.count(1)


class TestVmBetweenTwoNodes(MovableContract):
    @pytest.fixture(autouse=True)
    def between_two_nodes(self, lab: Lab) -> Iterator[None]:
        self.lab = lab
        yield
        for name in ("n1", "n2"):  # Hosts that are not needed any more guard what runs, as orphans.
            with suppress(NotPossibleNow):  # none is left
                lab.kill(name, "outlast-rhs")

    def make_type(self, host: TypeHost) -> ResourceType:
        return PluginInNodes(self.lab, "vm", "n1", sys.executable, host)

    def make_spec(self) -> Spec:
        definition = self.lab.create_guest("beacon", name := f"web{next(NUMBERS)}", image_lock=False)
        return Spec(name, "vm", definition=definition, identity=uuid_of(definition), properties={"node": "n1"})

    def make_other(self, spec: Spec) -> tuple[Spec, Destination]:
        there = Spec(spec.name, "vm", definition=spec.definition, identity=spec.identity, properties={"node": "n2"})
        return there, Destination("n2", address_of("n2"), one_cache=True)

    def runs(self, spec: Spec) -> bool:
        """A QEMU of it is there, and its guest does not stand still."""
        node = str(spec.properties["node"])
        return self.pid(spec) != 0 and self.lab.virsh(node, "domstate", spec.name).strip() == "running"

    def kill_from_outside(self, spec: Spec) -> bool:
        os.kill(self.pid(spec), signal.SIGKILL)
        return True

    def pid(self, spec: Spec) -> int:
        found = processes(self.lab.node(str(spec.properties["node"])))
        return next((one.pid for one in found if guest_of(one) == spec.name), 0)
