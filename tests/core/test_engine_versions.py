"""Which versions of etcd are warned about?"""

import pytest

from outlast.core.quorum.engine_versions import parse, warning


@pytest.mark.parametrize("version", ["3.4.31", "3.4.44", "3.5.13", "3.5.30", "3.6.0", "3.7.1", "4.0.0"])
def test_a_version_without_known_faults_is_not_warned_about(version: str) -> None:
    assert warning(version) == ""


@pytest.mark.parametrize("version", ["3.4.0", "3.4.23", "3.4.30", "3.5.3", "3.5.12"])
def test_a_version_that_can_lose_events_says_from_which_one_on_it_is_mended(version: str) -> None:
    minor = version.split(".")[1]
    assert f"mended in 3.{minor}.{31 if minor == '4' else 13}" in warning(version)


@pytest.mark.parametrize("version", ["3.5.0", "3.5.1", "3.5.2", "3.5.2-rc.1"])
def test_a_version_that_can_lose_data_is_never_for_production(version: str) -> None:
    assert "never use it in production" in warning(version)


def test_a_version_before_what_outlast_needs_is_too_old() -> None:
    assert "too old" in warning("3.3.27")


def test_what_is_no_version_is_said_to_be_unknown() -> None:
    assert parse("main") is None
    assert "does not know" in warning("main")
