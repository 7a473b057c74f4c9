"""Which names may groups and resources be given?"""

import pytest

from outlast.core.group.naming import why_not


@pytest.mark.parametrize("name", ["web", "web-1", "Web.1_b", "7", "ordinary", "a" * 64])
def test_a_plain_name_is_a_name(name: str) -> None:
    assert why_not(name) == ""


@pytest.mark.parametrize("name", ["", "a" * 65, "my web", "a/b", "(a)", "[a]", "-x", ".x", "a,b", "a=b", "wéb", "a\nb"])
def test_what_would_break_a_key_a_list_an_expression_or_a_shell_is_none(name: str) -> None:
    assert why_not(name)


@pytest.mark.parametrize("name", ["and", "or", "AND"])
def test_what_joins_names_is_none(name: str) -> None:
    assert "means something else" in why_not(name)
