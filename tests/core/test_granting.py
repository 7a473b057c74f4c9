"""Which role do groups give that somebody is in elsewhere?"""

from outlast.core.access.granting import Granted, account_name, counting, granted, now_granted, why_no_role
from outlast.model.access import Grant, OpenIdSignIn, PamSignIn, Role, SignedIn, User, Way

ADMINS = Grant("admins", Role.ADMINISTRATOR)
STAFF = Grant("staff", Role.VIEWER)
OPERATORS = Grant("operators", Role.OPERATOR)
WEB = Grant("web", Role.OPERATOR, ("web1",))
SHOP = Grant("shop", Role.OPERATOR, ("shop", "web1"))
ALL = (ADMINS, STAFF, OPERATORS, WEB, SHOP)


def test_the_highest_role_counts() -> None:
    assert granted(ALL, {"staff", "admins"}) == Granted(Role.ADMINISTRATOR)
    assert granted(ALL, {"staff", "operators"}) == Granted(Role.OPERATOR)
    assert granted(ALL, {"staff"}) == Granted(Role.VIEWER)


def test_an_operator_of_some_groups_by_two_grants_is_one_of_both_and_by_one_for_all_of_all() -> None:
    assert granted(ALL, {"web", "shop", "staff"}) == Granted(Role.OPERATOR, ("shop", "web1"))
    assert granted(ALL, {"web", "operators"}) == Granted(Role.OPERATOR)


def test_who_is_in_none_of_them_has_no_role_not_even_to_look() -> None:
    assert granted(ALL, {"guests"}) is None
    assert granted(ALL, set()) is None
    assert granted((), {"admins"}) is None


def test_only_groups_that_are_granted_something_are_remembered() -> None:
    assert counting(ALL, {"staff", "audio", "web"}) == ("staff", "web")


def session(way: Way, *members: str) -> SignedIn:
    return SignedIn("anna", "10.0.0.9", 0.0, 1.0, way, members)


def test_a_session_of_another_way_ends_with_the_way_with_its_grants_and_where_a_local_user_has_the_name() -> None:
    pam = PamSignIn(grants=ALL)
    theirs = session(Way.PAM, "staff")
    assert now_granted(theirs, {}, {"pam": pam}) == Granted(Role.VIEWER)
    assert now_granted(theirs, {}, {}) is None
    assert now_granted(theirs, {}, {"pam": PamSignIn(enabled=False, grants=ALL)}) is None
    assert now_granted(theirs, {}, {"pam": PamSignIn(grants=(ADMINS,))}) is None
    assert now_granted(theirs, {"anna": User("anna", Role.VIEWER)}, {"pam": pam}) is None


def test_a_session_of_a_provider_ends_when_another_is_asked() -> None:
    theirs = SignedIn("anna", "10.0.0.9", 0.0, 1.0, Way.OPENID, ("staff",), "https://login.example")
    same = OpenIdSignIn("https://login.example", "outlast", grants=ALL)
    assert now_granted(theirs, {}, {"openid": same}) == Granted(Role.VIEWER)
    assert now_granted(theirs, {}, {"openid": OpenIdSignIn("https://another.example", "outlast", grants=ALL)}) is None
    assert now_granted(theirs, {}, {"pam": PamSignIn(grants=ALL)}) is None


def test_a_local_session_is_of_its_user_and_of_no_group_of_the_host() -> None:
    pam = {"pam": PamSignIn(grants=ALL)}
    anna = User("anna", Role.OPERATOR, ("web1",))
    assert now_granted(session(Way.LOCAL, "admins"), {"anna": anna}, pam) == Granted(Role.OPERATOR, ("web1",))
    assert now_granted(session(Way.LOCAL, "admins"), {}, pam) is None


def test_nobody_can_be_taken_for_a_local_user_of_the_same_name() -> None:
    assert account_name("anna", Way.LOCAL) == "anna"
    assert account_name("anna", Way.PAM) == "anna (PAM)"
    assert account_name("anna", Way.OPENID) == "anna (OpenID Connect)"


def test_who_has_no_role_is_told_what_an_administrator_can_do() -> None:
    assert "no group of PAM was granted one yet" in why_no_role("gus", Way.PAM, (), ("a",), "on n1")
    assert "gus is in no group on n1" in why_no_role("gus", Way.PAM, ALL, (), "on n1")
    many = tuple(f"g{number:02}" for number in range(30))
    words = why_no_role("gus", Way.PAM, ALL, many, "on n1")
    assert "(g00, g01, g02, g03, g04, g05, g06, g07, g08, g09, ...)" in words
    assert words.endswith("outlast sign-in grant pam g00 --role viewer")
