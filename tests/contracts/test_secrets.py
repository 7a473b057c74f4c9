"""What the port for secrets promises, kept by a key file of this node's."""

import os
from pathlib import Path

import pytest

from outlast.adapters.secrets import FileSecrets
from outlast.ports.secrets import NoSecret

PASSWORD = "for few only"


def with_key(directory: Path) -> FileSecrets:
    secrets = FileSecrets(directory)
    secrets.create()
    return secrets


def test_what_was_sealed_is_opened_again_and_cannot_be_read_meanwhile(tmp_path: Path) -> None:
    secrets = with_key(tmp_path)
    sealed = secrets.seal("secrets/fence/1", {"password": PASSWORD})
    assert PASSWORD not in sealed
    assert secrets.open("secrets/fence/1", sealed) == {"password": PASSWORD}


def test_the_key_is_for_root_alone_and_is_drawn_once(tmp_path: Path) -> None:
    secrets = with_key(tmp_path)
    file = tmp_path / "secrets.key"
    assert os.stat(file).st_mode & 0o777 == 0o600
    before = file.read_bytes()
    assert secrets.create() == secrets.key_id() != ""
    assert file.read_bytes() == before


def test_a_node_without_a_key_says_so_and_what_to_do(tmp_path: Path) -> None:
    sealed = with_key(tmp_path / "a").seal("x", {})
    assert FileSecrets(tmp_path / "b").key_id() == ""
    with pytest.raises(NoSecret, match="copy it from another node"):
        FileSecrets(tmp_path / "b").open("x", sealed)


def test_another_nodes_key_opens_nothing_and_is_told_apart(tmp_path: Path) -> None:
    one, other = with_key(tmp_path / "a"), with_key(tmp_path / "b")
    assert one.key_id() != other.key_id()
    with pytest.raises(NoSecret, match="another key"):
        other.open("x", one.seal("x", {"password": PASSWORD}))


def test_the_id_of_a_key_betrays_nothing_of_it(tmp_path: Path) -> None:
    secrets = with_key(tmp_path)
    assert secrets.key_id() not in (tmp_path / "secrets.key").read_text()


def test_a_secret_that_was_put_in_anothers_place_is_refused(tmp_path: Path) -> None:
    secrets = with_key(tmp_path)
    with pytest.raises(NoSecret, match="something else"):
        secrets.open("secrets/fence/2", secrets.seal("secrets/fence/1", {"password": PASSWORD}))


def test_a_damaged_secret_is_refused(tmp_path: Path) -> None:
    secrets = with_key(tmp_path)
    sealed = secrets.seal("x", {"password": PASSWORD})
    with pytest.raises(NoSecret, match="damaged"):
        secrets.open("x", sealed[:-8] + "AAAAAAA=")


def test_a_file_that_is_no_key_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secrets.key").write_text("no key\n")
    with pytest.raises(NoSecret, match="is no key"):
        FileSecrets(tmp_path).seal("x", {})
