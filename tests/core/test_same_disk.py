"""Is what a node sees at a path the disk that another one has there?"""

from outlast.core.placement.same_disk import Disk, judge
from outlast.model.group import Blind

FILE = Disk("/srv/web.img", "/srv/web.img")
DEVICE = Disk("/dev/sdb", "/dev/sdb", block=True, ids={"wwid": "naa.600a", "serial": "S1"})


def device(**ids: str) -> Disk:
    return Disk("/dev/sdb", "/dev/sdb", block=True, ids=ids)


def why(mine: Disk, other: Disk) -> str:
    found = judge(mine, other, "n1")
    assert found is not None
    assert found.disk == mine.source
    return found.why


def test_what_is_not_there_is_not_seen() -> None:
    gone = Disk("/srv/web.img", there=False)
    assert why(FILE, gone) == "it does not see the disk /srv/web.img: nothing is there"
    assert judge(Disk("/srv/cd.iso", written=False), Disk("/srv/cd.iso", there=False), "n1") is not None


def test_a_file_that_is_there_is_left_to_the_probe() -> None:
    assert judge(FILE, FILE, "n1") is None


def test_a_block_device_is_told_by_what_identifies_it_and_not_by_its_path() -> None:
    assert judge(DEVICE, DEVICE, "n1") is None
    assert why(DEVICE, device(wwid="naa.600b")) == (
        "it does not see the disk /dev/sdb of n1: another one is there (its wwid is naa.600b, and naa.600a on n1)"
    )


def test_the_surest_identifier_that_both_know_decides() -> None:
    assert judge(DEVICE, device(wwid="naa.600a", serial="told otherwise"), "n1") is None
    assert judge(device(wwn="0x5", serial="S1"), device(wwid="naa.600a", serial="S1"), "n1") is None
    assert judge(device(dm="LVM-a", serial="S1"), device(dm="LVM-b", serial="S1"), "n1") is not None


def test_what_tells_no_identifier_that_both_know_cannot_be_compared() -> None:
    for other in (device(), device(wwn="0x5")):
        found = judge(DEVICE, other, "n1")
        assert found == Blind(
            "the block device /dev/sdb cannot be compared with that of n1: they tell no identifier that both know",
            "/dev/sdb",
            doubt=True,
        )


def test_a_file_is_no_block_device() -> None:
    file = Disk("/dev/sdb", "/dev/sdb")
    assert "which is a block device: there it is a file" in why(DEVICE, file)
    assert "which is a file: there it is a block device" in why(file, DEVICE)


def test_what_is_only_read_need_only_be_there() -> None:
    cd = Disk("/dev/sr0", "/dev/sr0", block=True, ids={"serial": "a"}, written=False)
    assert judge(cd, Disk("/dev/sr0", "/dev/sr0", block=True, ids={"serial": "b"}), "n1") is None
