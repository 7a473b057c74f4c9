"""outlast vm create: what virt-install is asked for, and that no disk is left over or written over."""

import json
import shutil
from pathlib import Path

import healthy
import pytest

from command_line import Outlast
from fake_service import Answer, Broken, FakeService, Refusal, Result, Stream

pytest_plugins = ("cli_fixtures",)

DISK = "<disk type='network' device='disk'><driver name='qemu'/><source protocol='nbd'/><target dev='vda'/></disk>"
DRIVE = "<disk type='file' device='cdrom'><target dev='sda'/></disk>"
PROGRAM = """#!/bin/sh
printf '%s\\n' "$@" >"$(dirname "$0")/asked"
if [ -e "$(dirname "$0")/refuse" ]; then echo "ERROR    Unknown OS name 'x'." >&2; exit 1; fi
echo "<domain type='kvm'><name>web</name><devices><emulator>/q</emulator>"
for word; do case $word in
    type=network,*) echo "{disk}";;
    device=cdrom,*) echo "{drive}";;
esac; done
echo "</devices></domain>"
"""
PROTECTED: dict[str, Answer] = {
    "vm.list": Result([]),
    "vm.protect": Result(healthy.report(wanted="offline")),
    "vm.group": Result("web"),
    "group.show": Result(healthy.group(state="offline", wanted="offline")),
    "group.wait": Stream([healthy.group()]),
}
SIZE = ("--memory", "512", "--vcpus", "2")


@pytest.fixture
def virt_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory of a program that stands in for virt-install."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "virt-install"
    program.write_text(PROGRAM.replace("{disk}", DISK).replace("{drive}", DRIVE))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return folder


@pytest.fixture
def image(tmp_path: Path) -> str:
    path = tmp_path / "web.img"
    path.write_bytes(b"\0" * 1024)
    return str(path)


def asked(folder: Path) -> list[str]:
    return (folder / "asked").read_text().splitlines()


def test_an_image_that_is_there_is_taken_as_it_is(
    fake: FakeService, outlast: Outlast, virt_install: Path, image: str
) -> None:
    fake.answers |= PROTECTED
    ended = outlast("vm", "create", "web", *SIZE, "--disk", image, "--network", "bridge=br0")
    assert (ended.code, ended.err) == (0, "")
    definition = fake.arguments("vm.protect")["definition"]
    assert f'<source file="{image}" />' in definition
    assert "nbd" not in definition
    assert "emulator" not in definition
    words = asked(virt_install)
    assert words[words.index("--network") + 1] == "bridge=br0"
    assert any("on_crash=destroy" in word for word in words)
    assert {"--print-xml", "--dry-run", "--panic", "--channel", "--rng"} <= set(words)


def test_virt_install_never_hears_of_a_path_because_it_would_make_a_pool_of_its_directory(
    fake: FakeService, outlast: Outlast, virt_install: Path, image: str
) -> None:
    ended = outlast("vm", "create", "web", *SIZE, "--disk", image, "--cdrom", image, "--xml-only")
    assert (ended.code, fake.asked) == (0, [])
    assert image not in " ".join(asked(virt_install))
    assert ended.out.count(image) == 2


def test_a_new_disk_is_made_before_the_nodes_are_asked(
    fake: FakeService, outlast: Outlast, virt_install: Path, tmp_path: Path
) -> None:
    fake.answers |= PROTECTED
    new = tmp_path / "new.qcow2"
    ended = outlast("vm", "create", "web", *SIZE, "--disk", f"{new},size=0.01")
    assert ended.code == 0
    assert new.read_bytes().startswith(b"QFI\xfb")
    assert f"{new} is made: 0.01 GiB, qcow2" in ended.out


@pytest.mark.parametrize("kind", ["usage", "impossible"])
def test_a_refusal_takes_away_what_was_made(
    fake: FakeService, outlast: Outlast, virt_install: Path, tmp_path: Path, kind: str
) -> None:
    fake.answers |= {**PROTECTED, "vm.protect": Refusal(kind, "n2 does not see it")}
    new = tmp_path / "new.qcow2"
    ended = outlast("vm", "create", "web", *SIZE, "--disk", f"{new},size=0.01")
    assert ended.code in (2, 3)
    assert not new.exists()
    assert f"n2 does not see it. What was made for it is removed again: {new}" in ended.err


@pytest.mark.parametrize("answer", [Broken(), Refusal("impossible", "it may have been written all the same")])
def test_a_wish_that_failed_may_be_written_down_all_the_same_so_the_disk_stays(
    fake: FakeService, outlast: Outlast, virt_install: Path, tmp_path: Path, answer: Answer
) -> None:
    class OnceOnly(dict[str, Answer]):
        """The nodes are asked, and the wish itself fails."""

        def get(self, verb: str, default: Answer | None = None) -> Answer | None:  # type: ignore[override]
            return answer if fake.verbs().count("vm.protect") == 2 else super().get(verb, default)

    fake.answers = OnceOnly(PROTECTED)
    new = tmp_path / "new.qcow2"
    ended = outlast("vm", "create", "web", *SIZE, "--disk", f"{new},size=0.01")
    assert ended.code in (3, 4)
    assert [one["what_if"] for verb, one in fake.asked if verb == "vm.protect"] == [True, False]
    assert new.exists()
    assert f"Its new disk stays there: {new}" in ended.err


def test_no_disk_is_ever_written_over(fake: FakeService, outlast: Outlast, virt_install: Path, image: str) -> None:
    before = Path(image).read_bytes()
    ended = outlast("vm", "create", "web", *SIZE, "--disk", f"{image},size=1")
    assert (ended.code, fake.asked) == (2, [])
    assert "nothing is written over" in ended.err
    assert Path(image).read_bytes() == before


def test_what_if_makes_no_disk_and_protects_nothing(
    fake: FakeService, outlast: Outlast, virt_install: Path, tmp_path: Path
) -> None:
    new = tmp_path / "new.qcow2"
    ended = outlast("vm", "create", "web", *SIZE, "--disk", f"{new},size=20", "--what-if")
    assert (ended.code, fake.asked, new.exists()) == (0, [], False)
    assert f"{new} would be made: 20 GiB, qcow2" in ended.out
    assert json.loads(outlast("vm", "create", "web", *SIZE, "--disk", f"{new},size=20", "--what-if", "--json").out)


def test_what_if_of_an_image_that_is_there_asks_every_node(
    fake: FakeService, outlast: Outlast, virt_install: Path, image: str
) -> None:
    fake.answers["vm.protect"] = Result(healthy.report(done=False))
    ended = outlast("vm", "create", "web", *SIZE, "--disk", image, "--what-if")
    assert (ended.code, fake.arguments("vm.protect")["what_if"]) == (0, True)
    assert "Nothing was changed." in ended.out


def test_virt_install_s_own_words_are_told(fake: FakeService, outlast: Outlast, virt_install: Path, image: str) -> None:
    (virt_install / "refuse").touch()
    ended = outlast("vm", "create", "web", *SIZE, "--disk", image, "--os", "x")
    assert (ended.code, fake.asked) == (2, [])
    assert "virt-install cannot make that VM: Unknown OS name 'x'." in ended.err


def test_without_virt_install_the_package_is_named(
    fake: FakeService, outlast: Outlast, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, image: str
) -> None:
    folder = tmp_path / "few"
    folder.mkdir()
    (folder / "qemu-img").symlink_to(str(shutil.which("qemu-img")))
    monkeypatch.setenv("PATH", str(folder))
    ended = outlast("vm", "create", "web", *SIZE, "--disk", image)
    assert (ended.code, fake.asked) == (1, [])
    assert "apt-get install --no-install-recommends virtinst" in ended.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "say which disk it has"),
        (("--disk", "web.img"), "the path of a disk begins with /"),
        (("--disk", "/nowhere/web.img"), "the disk is not there: /nowhere/web.img; for a new one say its size"),
        (("--disk", "/nowhere/web.img,size=1"), "the directory of the new disk, is not there"),
        (("--disk", "/tmp/new-disk-of-a-test,size=much"), "is no size"),
        (("--disk", "/tmp/new-disk-of-a-test,size=1,format=vhdx"), 'in the format "vhdx"'),
        (("--disk", "/dev/null,bus=ide"), '--disk has no "bus"'),
        (("--disk", "/dev/null", "--disk", "/dev/null"), "the same disk is given twice"),
        (("--disk", "/dev/null", "--cdrom", "/nowhere.iso"), "the medium is not there"),
        (("--disk", "/dev/null", "--network", "br0"), 'cannot use --network "br0"'),
        (("--disk", "/dev/null", "--graphics", "spice"), "it takes vnc or none"),
        (("--disk", "/dev/null", "--machine-type", "xen"), "it takes kvm or qemu"),
    ],
)
def test_wrong_usage_ends_with_2_and_asks_nobody(
    fake: FakeService, outlast: Outlast, arguments: tuple[str, ...], words: str
) -> None:
    ended = outlast("vm", "create", "web", *SIZE, *arguments)
    assert (ended.code, ended.out, fake.asked) == (2, "", [])
    assert words in ended.err
