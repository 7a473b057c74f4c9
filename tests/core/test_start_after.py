"""May a group start after these others?"""

import build
from outlast.core.group.start_after import those_after, why_not
from outlast.model.group import Group
from outlast.model.policy import StartAfter


def after(name: str, *others: str) -> Group:
    return build.group(name, start_after=tuple(StartAfter(other) for other in others))


def by_name(*groups: Group) -> dict[str, Group]:
    return {group.name: group for group in groups}


def test_a_group_may_start_after_any_other_that_there_is() -> None:
    assert why_not(after("web", "db", "mail"), by_name(after("web"), after("db"), after("mail", "db"))) == ""


def test_it_cannot_start_after_itself() -> None:
    assert why_not(after("web", "web"), by_name(after("web"))) == "web cannot start after itself"


def test_it_cannot_start_after_what_there_is_not() -> None:
    assert why_not(after("web", "db"), by_name(after("web"))) == 'there is no group "db" that it could start after'


def test_nothing_is_waited_for_twice() -> None:
    assert why_not(after("web", "db", "db"), by_name(after("web"), after("db"))) == "db is named twice"


def test_a_circle_is_refused_with_the_whole_way_round() -> None:
    groups = by_name(after("web"), after("app", "db"), after("db", "web"))
    words = "web starts after app, app starts after db, db starts after web: each of them would wait for the other"
    assert why_not(after("web", "app"), groups) == words


def test_how_it_stood_before_does_not_count() -> None:
    groups = by_name(after("web", "db"), after("db"))
    assert why_not(after("web"), groups) == ""
    assert why_not(after("db", "web"), groups | by_name(after("web"))) == ""


def test_a_circle_of_others_is_not_followed_without_end() -> None:
    groups = by_name(after("web"), after("a", "b"), after("b", "a"))
    assert why_not(after("web", "a"), groups) == ""


def test_those_that_start_after_a_group_are_known() -> None:
    assert those_after("db", by_name(after("web", "db"), after("app", "web", "db"), after("db"))) == ("app", "web")
