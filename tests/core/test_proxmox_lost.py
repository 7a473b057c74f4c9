"""What cannot be taken over from Proxmox is said with why."""

import pytest

from outlast.core.importing.proxmox_lost import words_on
from outlast.model.imported import Level


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("hostpci0", "a device of one host (0000:01:00.0)"),
        ("usb12", "a device of one host"),
        ("args", "-cpu host"),
        ("tpmstate0", "BitLocker"),
        ("sshkeys", "cloud-init"),
        ("ipconfig0", "cloud-init"),
        ("never-heard-of", "does not know this key"),
    ],
)
def test_each_key_is_lost_with_its_reason(key: str, words: str) -> None:
    value = {"hostpci0": "0000:01:00.0", "args": "-cpu host"}.get(key, "x")
    finding = words_on(key, value)
    assert (finding.what, finding.level) == (key, Level.LOST)
    assert words in finding.words


def test_a_password_of_cloud_init_is_never_repeated() -> None:
    assert "hunter2" not in words_on("cipassword", "hunter2").words
