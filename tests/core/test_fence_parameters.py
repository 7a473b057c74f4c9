"""Can a fence device work with these parameters? Judged by its agent's metadata, before anybody needs it."""

import msgspec
import pytest

from outlast.core.fence.fence_parameters import OURS, device_problems, is_secret, named, problems, translated
from outlast.model.fence import FenceAgent, FenceDevice, FenceParameter

AGENT = FenceAgent(
    "fence_board",
    parameters=(
        FenceParameter("action", required=True, default="reboot"),
        FenceParameter("ip", required=True, replaces="ipaddr", words="Its address"),
        FenceParameter("ipaddr", required=True, deprecated=True),
        FenceParameter("ipport", type="integer", default="623"),
        FenceParameter("password", replaces="passwd", secret=True),
        FenceParameter("passwd", deprecated=True, secret=True),
        FenceParameter("lanplus", type="boolean", default="0"),
        FenceParameter("power_timeout", type="second", default="20"),
        FenceParameter("method", type="select", choices=("onoff", "cycle")),
        FenceParameter("auth-url"),
    ),
)


def found(**parameters: str) -> str:
    return "; ".join(problems(translated({"ip": "192.0.2.1", **parameters}, AGENT), AGENT))


def test_what_the_agent_knows_is_fine() -> None:
    assert found(ipport="623", lanplus="1", power_timeout="5", method="onoff", password="a b") == ""


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"ipprt": "1"}, "fence_board has no parameter ipprt; did you mean ipport?"),
        ({"ipport": "six"}, 'ipport cannot be "six": it takes a whole number'),
        ({"lanplus": "maybe"}, 'lanplus cannot be "maybe": it takes 1 or 0'),
        ({"power_timeout": "5.5"}, "it takes a whole number of seconds"),
        ({"method": "hammer"}, "it takes onoff, cycle"),
        ({"ip": "192.0.2.1\naction=on"}, "agents do not take line breaks"),
        ({"action": "off"}, "action cannot be set"),
        ({"debug_file": "/tmp/x"}, "passwords too"),
    ],
)
def test_what_could_not_work_is_said_with_the_reason(parameters: dict[str, str], words: str) -> None:
    assert words in found(**parameters)


def test_what_the_agent_needs_and_nobody_gave_is_named_with_what_it_is() -> None:
    assert problems({}, AGENT) == ("fence_board needs ip (Its address)",)


def test_a_wrong_secret_is_not_repeated() -> None:
    words = found(password="se\ncret")
    assert "password cannot" in words
    assert "cret" not in words.replace("secret", "")


def test_older_names_and_other_spellings_are_understood() -> None:
    assert translated({"ipaddr": "192.0.2.1", "passwd": "x", "auth_url": "u"}, AGENT) == {
        "ip": "192.0.2.1",
        "password": "x",
        "auth-url": "u",
    }


def test_an_older_name_beside_its_present_one_must_say_the_same() -> None:
    both = {"ip": "192.0.2.1", "ipaddr": "192.0.2.2"}
    assert "mean the same and have two values" in "; ".join(problems(translated(both, AGENT), AGENT))


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "passwd",
        "snmp_priv_passwd",
        "community",
        "secret_key",
        "access_key",
        "token",
        "apikey",
        "hexadecimal_kg",
    ],
)
def test_passwords_and_keys_are_told_by_their_names(name: str) -> None:
    assert is_secret(name)


@pytest.mark.parametrize("name", ["password_script", "token_file", "ip", "login", "key", "key_value", "snmp_priv_prot"])
def test_what_only_leads_to_a_secret_is_none(name: str) -> None:
    assert not is_secret(name)


def test_nothing_may_be_set_that_would_print_passwords_or_change_what_is_done() -> None:
    assert {"action", "debug_file", "verbose"} <= set(OURS)


@pytest.mark.parametrize(
    ("device", "words"),
    [
        (FenceDevice("fence_a", level=0), "levels are 1 to 9"),
        (FenceDevice("fence_a", timeout_s=0.1), "1 to 300 are possible"),
        (FenceDevice("fence_a", delay_s=-1), "0 to 60 are possible"),
        (FenceDevice("fence_a", attempts=0), "1 to 10 are possible"),
        (FenceDevice("fence_b", name="board"), "there is a device board already"),
        (FenceDevice("fence_a", name="a/b"), "is no name for a device"),
    ],
)
def test_a_device_that_makes_no_sense_is_refused_with_the_reason(device: FenceDevice, words: str) -> None:
    assert words in "; ".join(device_problems(device, [FenceDevice("fence_x", name="board")]))


BOARD = FenceDevice("fence_x", {"ip": "192.0.2.1", "username": "fence"}, "board")


@pytest.mark.parametrize(
    ("device", "is_refused"),
    [
        (FenceDevice("fence_x", {"ip": "192.0.2.1", "username": "other", "password": "x", "lanplus": "1"}, "b"), True),
        (FenceDevice("fence_x", {"ip": "192.0.2.2", "username": "fence"}, "b"), False),
        (FenceDevice("fence_x", {"ip": "192.0.2.1", "plug": "2"}, "b"), False),
        (FenceDevice("fence_y", {"ip": "192.0.2.1"}, "b"), False),
        (FenceDevice("fence_x", {"ip": "192.0.2.1"}, "b", level=2), False),
    ],
)
def test_a_device_is_not_its_own_witness_at_one_level(device: FenceDevice, is_refused: bool) -> None:
    words = "; ".join(device_problems(device, [BOARD]))
    assert ("the same device as board, which level 1 has already" in words) == is_refused
    assert bool(words) == is_refused


def test_devices_that_need_no_address_are_the_same_when_all_is_the_same() -> None:
    one, two = FenceDevice("fence_z", {"domain": "a"}, "a"), FenceDevice("fence_z", {"domain": "b"}, "b")
    assert device_problems(two, [one]) == ()
    assert device_problems(msgspec.structs.replace(two, parameters={"domain": "a"}), [one]) != ()


def test_devices_without_names_get_their_agents_and_numbers() -> None:
    devices = [FenceDevice("fence_a"), FenceDevice("fence_a"), FenceDevice("/opt/fence_b")]
    assert [device.name for device in named(devices)] == ["fence_a", "fence_a-2", "fence_b"]
