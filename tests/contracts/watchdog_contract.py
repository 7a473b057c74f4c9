"""What every watchdog must keep, whatever it is (ports/watchdog.py). A harness looks at it from outside."""

import os
from pathlib import Path
from typing import Protocol

import pytest

from outlast.ports.watchdog import Watchdog

ASKED_S = 1.5
MEAL_S = 0.1


class Harness(Protocol):
    def client(self) -> Watchdog:
        """A new client of the one watchdog, as a service that has just started."""
        ...

    def abandon(self, client: Watchdog) -> None:
        """As when the client's process dies: everything that it held open is closed."""
        ...

    def bites_within(self, limit_s: float) -> bool:
        """Waits until it has bitten, at most so long."""
        ...

    def take_away(self) -> None:
        """The device is gone, as when its driver was unloaded or its process died."""
        ...


class WatchdogContract:
    @pytest.fixture
    def harness(self) -> Harness:
        raise NotImplementedError

    def test_it_counts_no_shorter_than_asked_for_and_says_how_long(self, harness: Harness) -> None:
        watchdog = harness.client()
        said_s = watchdog.length_s(ASKED_S)
        assert ASKED_S <= watchdog.arm(ASKED_S) == said_s
        watchdog.disarm()

    def test_unfed_it_bites_when_its_countdown_is_over_and_not_before(self, harness: Harness) -> None:
        length_s = harness.client().arm(ASKED_S)
        assert not harness.bites_within(0.6 * ASKED_S)
        assert harness.bites_within(length_s + 30)

    def test_fed_it_does_not_bite(self, harness: Harness) -> None:
        watchdog = harness.client()
        length_s = watchdog.arm(ASKED_S)
        for _ in range(int(1.5 * length_s / MEAL_S)):
            assert not harness.bites_within(MEAL_S)
            watchdog.feed()
        watchdog.disarm()

    def test_asking_how_long_it_would_count_starts_nothing(self, harness: Harness) -> None:
        length_s = harness.client().length_s(ASKED_S)
        assert not harness.bites_within(length_s + 0.7)

    def test_disarmed_in_order_it_does_not_bite(self, harness: Harness) -> None:
        watchdog = harness.client()
        length_s = watchdog.arm(ASKED_S)
        watchdog.disarm()
        watchdog.disarm()
        assert not harness.bites_within(length_s + 0.7)

    def test_the_death_of_who_feeds_it_stops_nothing(self, harness: Harness) -> None:
        watchdog = harness.client()
        length_s = watchdog.arm(ASKED_S)
        harness.abandon(watchdog)
        assert harness.bites_within(length_s + 30)

    def test_the_next_service_can_feed_what_the_last_one_armed(self, harness: Harness) -> None:
        first = harness.client()
        length_s = first.arm(ASKED_S)
        harness.abandon(first)
        second = harness.client()
        second.arm(ASKED_S)
        for _ in range(int(1.5 * length_s / MEAL_S)):
            assert not harness.bites_within(MEAL_S)
            second.feed()
        second.disarm()

    def test_the_next_service_can_end_what_the_last_one_armed(self, harness: Harness) -> None:
        first = harness.client()
        length_s = first.arm(ASKED_S)
        harness.abandon(first)
        harness.client().disarm()
        assert not harness.bites_within(length_s + 0.7)

    def test_feeding_one_that_is_gone_is_an_error_and_disarming_it_is_not(self, harness: Harness) -> None:
        watchdog = harness.client()
        watchdog.arm(ASKED_S)
        harness.take_away()
        with pytest.raises(OSError, match=r"."):
            watchdog.feed()
        watchdog.disarm()


def described(place: Path, **attributes: str) -> Path:
    """What the kernel tells of a device without its being opened; /dev/null stands for the device's number."""
    number = os.stat("/dev/null").st_rdev
    here = place / "sys" / "watchdog0"
    here.mkdir(parents=True)
    for name, value in {"dev": f"{os.major(number)}:{os.minor(number)}", "state": "inactive", **attributes}.items():
        (here / name).write_text(f"{value}\n")
    return here.parent
