"""What is written for a setting, and what it means."""

from typing import Annotated, Any

import msgspec
import pytest

from outlast.core.spelling import (
    Count,
    Hours,
    Names,
    NotMeant,
    Seconds,
    StartsAfter,
    assigned,
    meant,
    spelled,
)
from outlast.model.policy import Failback, Priority, StartAfter, Until

KINDS: list[tuple[Any, str, object]] = [
    (Seconds, "7.5", 7.5),
    (Count, "3", 3),
    (Count | None, "default", None),
    (Count | None, "0", 0),
    (bool, "yes", True),
    (bool, "no", False),
    (str, "text of any kind, 7", "text of any kind, 7"),
    (Names, "n1,n2", ("n1", "n2")),
    (Names, "", ()),
    (Hours, "22-6", (22, 6)),
    (Priority, "no auto start", Priority.NO_AUTO_START),
    (Failback, "window", Failback.WINDOW),
    (StartsAfter, "db", (StartAfter("db"),)),
    (StartsAfter, "db:answers+30,web+2.5", (StartAfter("db", Until.ANSWERS, 30.0), StartAfter("web", delay_s=2.5))),
    (StartsAfter, "", ()),
]


@pytest.mark.parametrize(("kind", "written", "value"), KINDS)
def test_what_is_spelled_means_the_same_again(kind: Any, written: str, value: object) -> None:
    assert meant("x", written, kind) == value
    assert spelled(value) == written
    assert meant("x", spelled(value), kind) == value


@pytest.mark.parametrize(("kind", "value"), [(Seconds, 2), (bool, True), (Names, ["n1"]), (Hours, [1, 2])])
def test_a_script_s_values_are_taken_as_they_are(kind: Any, value: object) -> None:
    assert spelled(meant("x", value, kind)) == spelled(value)


@pytest.mark.parametrize("written", ["no-auto-start", "no_auto_start", "No Auto Start"])
def test_words_of_several_words_need_no_quotes(written: str) -> None:
    assert meant("priority", written, Priority) is Priority.NO_AUTO_START


@pytest.mark.parametrize("written", ["on", "off", "true", "FALSE", "Yes"])
def test_a_switch_may_be_said_in_several_ways(written: str) -> None:
    assert meant("x", written, bool) is (written.lower() in ("on", "true", "yes"))


@pytest.mark.parametrize(
    ("kind", "written", "words"),
    [
        (Seconds, "soon", 'x cannot be "soon": it takes a number from 0 to 31536000'),
        (Seconds, "-1", 'x cannot be "-1": it takes a number from 0 to 31536000'),
        (Seconds, "nan", 'x cannot be "nan": it takes a number from 0 to 31536000'),
        (Seconds, "inf", 'x cannot be "inf": it takes a number from 0 to 31536000'),
        (Count, "2.5", 'x cannot be "2.5": it takes a whole number from 0 to 1000000'),
        (Count | None, "few", 'x cannot be "few": it takes a whole number from 0 to 1000000 or "default"'),
        (Count, True, "x cannot be yes: it takes a whole number from 0 to 1000000"),
        (bool, "perhaps", 'x cannot be "perhaps": it takes yes or no'),
        (Failback, "soon", 'x cannot be "soon": it takes "never", "now" or "window"'),
        (Hours, "22", 'x cannot be "22": it takes two hours of the day, as "22-6"'),
        (Hours, "22-24", 'x cannot be "22-24": it takes two hours of the day, as "22-6"'),
        (Names, 7, "x cannot be 7: it takes names with commas between them"),
        (Annotated[int, msgspec.Meta(ge=1)], "0", 'x cannot be "0": it takes a whole number of at least 1'),
    ],
)
def test_what_means_nothing_is_told_with_what_could_be_written(kind: Any, written: object, words: str) -> None:
    with pytest.raises(NotMeant) as refusal:
        meant("x", written, kind)
    assert str(refusal.value) == words


def test_a_setting_that_does_not_exist_is_refused_with_those_that_do() -> None:
    with pytest.raises(NotMeant, match="a group has no setting colour; it has: priority, retry_after_s"):
        assigned({"priority": Priority, "retry_after_s": Seconds}, {"colour": "red"}, "a group")


def test_a_setting_that_is_misspelt_is_told_apart_from_the_one_that_was_meant() -> None:
    with pytest.raises(NotMeant, match=r"a group has no setting prority; did you mean priority\?"):
        assigned({"priority": Priority, "retry_after_s": Seconds}, {"prority": "high"}, "a group")


def test_only_what_is_given_is_assigned() -> None:
    settings = {"priority": Priority, "retry_after_s": Seconds}
    assert assigned(settings, {"retry_after_s": "60"}, "a group") == {"retry_after_s": 60.0}
