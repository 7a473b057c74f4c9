"""What a resource may depend on, how that is written, and when it allows a start or a stop."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outlast.core.group.dependencies import (
    Malformed,
    canonical,
    may_start,
    may_stop,
    missing,
    names,
    problem,
    satisfied,
)
from outlast.model.group import Resource


def resource(name: str, depends_on: str = "", *, group: str = "web") -> Resource:
    return Resource(name, "dummy", group, depends_on=depends_on)


def by_name(*resources: Resource) -> dict[str, Resource]:
    return {one.name: one for one in resources}


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("", ""),
        ("   ", ""),
        ("disk", "disk"),
        ("disk AND ip", "disk and ip"),
        ("a or b and c", "a or (b and c)"),
        ("(a or b) and c", "(a or b) and c"),
        ("((a)) and (b and (c and d))", "a and b and c and d"),
        ("a or a or (a)", "a"),
        ("[disk] and [my ip]", "disk and [my ip]"),
        ("[and] or [a(b)]", "[and] or [a(b)]"),
        ("db-1.x and 7", "db-1.x and 7"),
    ],
)
def test_whatever_way_it_is_written_it_is_kept_in_one_way(written: str, kept: str) -> None:
    assert canonical(written) == kept
    assert canonical(kept) == kept


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("a and", 'cannot read "a and": a name is missing at its end'),
        ("or b", 'cannot read "or b": a name is missing before "or"'),
        ("a b", 'cannot read "a b": "b" follows without "and" or "or" before it'),
        ("a and or b", 'cannot read "a and or b": a name is missing before "or"'),
        ("(a or b", 'cannot read "(a or b": a parenthesis is not closed'),
        ("a)", 'cannot read "a)": ")" follows without "and" or "or" before it'),
        ("()", 'cannot read "()": a name is missing before ")"'),
        ("[a", 'cannot read "[a": "[" without its other half'),
        ("[ ]", 'cannot read "[ ]": there is no name in the brackets'),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_place(written: str, words: str) -> None:
    with pytest.raises(Malformed) as refused:
        canonical(written)
    assert str(refused.value) == words
    assert problem(resource("web", written), {}) == words


_expressions = st.recursive(
    st.sampled_from(["a", "b", "c", "[my disk]", "[or]"]),
    lambda inner: st.tuples(inner, st.sampled_from(["and", "or", "AND"]), inner).map(
        lambda parts: f"({parts[0]} {parts[1]} {parts[2]})"
    ),
    max_leaves=8,
)


@given(_expressions, st.sets(st.sampled_from(["a", "b", "c", "my disk", "or"])))
def test_the_canonical_text_means_the_same(written: str, online: set[str]) -> None:
    kept = canonical(written)
    assert canonical(kept) == kept
    assert satisfied(kept, online) == satisfied(written, online)
    assert set(names(kept)) == set(names(written))
    assert (missing(written, online) == "") == satisfied(written, online)


@given(_expressions, st.sets(st.sampled_from(["a", "b", "c", "my disk", "or"])), st.sampled_from(["a", "b", "or"]))
def test_what_may_start_may_start_with_more_online_too(written: str, online: set[str], more: str) -> None:
    if satisfied(written, online):
        assert satisfied(written, online | {more})


def test_it_may_start_when_all_is_online_that_it_needs() -> None:
    vm = resource("vm", "disk and (ip1 or ip2)")
    assert not may_start(vm, [])
    assert not may_start(vm, ["disk"])
    assert not may_start(vm, ["ip1", "ip2"])
    assert may_start(vm, ["disk", "ip2"])
    assert may_start(resource("disk"), [])


def test_what_is_still_missing_is_said_without_what_is_there() -> None:
    assert missing("disk and (ip1 or ip2)", ["disk"]) == "ip1 or ip2"
    assert missing("disk and (ip1 or ip2)", ["ip1"]) == "disk"
    assert missing("disk and ip", ["disk", "ip"]) == ""


def test_what_others_need_stops_after_them() -> None:
    group = [resource("disk"), resource("vm", "disk"), resource("note", "vm")]
    everything = ["disk", "vm", "note"]
    assert [one for one in everything if may_stop(one, group, everything, [])] == ["note"]
    assert [one for one in everything if may_stop(one, group, ["disk", "vm"], [])] == ["vm", "note"]
    assert may_stop("disk", group, ["disk"], [])


def test_one_of_two_may_stop_while_the_other_is_enough_and_both_only_after_who_needs_one() -> None:
    group = [resource("ip1"), resource("ip2"), resource("vm", "ip1 or ip2")]
    running = ["ip1", "ip2", "vm"]
    assert may_stop("ip1", group, running, staying=["ip2", "vm"])
    assert not may_stop("ip1", group, running, staying=[])
    assert not may_stop("ip1", group, running, staying=["ip1", "vm"])
    assert not may_stop("ip1", group, ["ip1", "vm"], staying=["vm"])


def test_what_is_in_no_group_of_it_cannot_be_needed() -> None:
    known = by_name(resource("disk"), resource("vm"), resource("db", group="data"))
    assert problem(resource("vm", "disk"), known) == ""
    assert problem(resource("vm", "dsk"), known) == ('there is no resource "dsk"; of the group web it can need: disk')
    across = problem(resource("vm", "disk or db"), known)
    assert across.startswith("db is in the group data, and vm in web: a resource can need those of its own group only")
    assert "`outlast group set web start_after=data`" in across


def test_a_cycle_is_refused_with_the_path_in_words() -> None:
    known = by_name(resource("disk", "ip"), resource("ip", "name or lan"), resource("lan"), resource("name"))
    assert problem(resource("name", "disk"), known) == (
        "name needs disk, disk needs ip, ip needs name: none of them could ever start"
    )
    assert problem(resource("lan", "name"), known) == ""
    assert problem(resource("lan", "lan and name"), known) == "lan cannot need itself"


def test_how_it_stands_in_the_records_does_not_count_when_it_is_to_become_another() -> None:
    known = by_name(resource("disk", "vm"), resource("vm"))
    assert problem(resource("disk", ""), known) == ""
    assert problem(resource("vm", "disk"), known) == "vm needs disk, disk needs vm: none of them could ever start"
