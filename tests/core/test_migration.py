"""Which address is used for live migrations, and why not that of the network that is there for them?"""

import pytest

from build import view
from outlast.core.network import migration
from outlast.core.validation import migration_network_findings
from outlast.model.network import OwnAddress
from outlast.model.node import Session
from outlast.model.settings import Settings
from outlast.model.view import ClusterView

NETWORK = "10.1.0.0/24"
IN_IT = OwnAddress(NETWORK, "10.1.0.1")


def session(node: str, own: OwnAddress | None = IN_IT, way: str = "tls") -> Session:
    return Session(node, "life", 1, migration=way, in_migration_network=own)


def nodes(*sessions: Session, network: str = NETWORK) -> ClusterView:
    return view(settings=Settings(migration_network=network), sessions={one.node: one for one in sessions})


def test_it_goes_there_when_both_nodes_are_in_it() -> None:
    assert migration.address(session("n1"), session("n2", OwnAddress(NETWORK, "10.1.0.2")), NETWORK) == ("10.1.0.2", "")


@pytest.mark.parametrize("left_out", ["n1", "n2"])
def test_it_goes_the_common_way_when_either_is_not_and_that_is_said(left_out: str) -> None:
    n1, n2 = (session(name, OwnAddress(NETWORK) if name == left_out else IN_IT) for name in ("n1", "n2"))
    assert migration.address(n1, n2, NETWORK) == ("", f"{left_out} has no address in {NETWORK}")


def test_an_address_in_another_network_that_was_set_before_does_not_count() -> None:
    assert migration.address(session("n1"), session("n2", OwnAddress("10.2.0.0/24", "10.2.0.2")), NETWORK)[0] == ""


def test_validate_tells_who_is_not_in_it_and_nothing_where_there_is_none() -> None:
    told = (session("n1"), session("n2", OwnAddress(NETWORK, problem="its address there cannot be proven: disk")))
    (finding,) = migration_network_findings(nodes(*told))
    assert (finding.about, finding.problem) == (
        "n2",
        "it is not in the migration network: its address there cannot be proven: disk",
    )
    assert migration_network_findings(nodes(*told, network="")) == ()
    assert migration_network_findings(nodes(session("n1"), session("n3", None, way=""))) == (), "n3 migrates nothing"


@pytest.mark.parametrize(
    ("written", "kept"), [("10.1.0.0/24", "10.1.0.0/24"), ("none", ""), ("fd00::/64", "fd00::/64")]
)
def test_a_network_is_kept_as_it_is_written(written: str, kept: str) -> None:
    assert migration.network_of(written) == kept


@pytest.mark.parametrize("written", ["10.1.0.7/24", "lan", "10.1.0.0/33"])
def test_what_is_none_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        migration.network_of(written)


def test_a_certificate_proves_the_new_address_and_no_former_one_but_its_nodes_own() -> None:
    names = ("n1", "10.77.0.11", "10.9.0.1")
    assert migration.certificate_names(names, "10.77.0.11", "10.1.0.1") == ("n1", "10.77.0.11", "10.1.0.1")
