"""The words that prove who asks, and which names and passwords are taken."""

import pytest

from outlast.core.access.credentials import (
    LONGEST,
    SESSION,
    TOKEN,
    csrf_of,
    key_of,
    why_no_name,
    why_no_password,
    word,
)


def test_a_word_says_what_it_is_and_its_key_says_nothing_of_it() -> None:
    made = word(TOKEN, bytes(32))
    assert made.startswith(TOKEN)
    assert key_of(made) != key_of(word(SESSION, bytes(32)))
    assert made not in key_of(made)


def test_what_a_page_sends_along_follows_from_the_session_and_is_not_its_key() -> None:
    session = word(SESSION, bytes(32))
    assert csrf_of(session) == csrf_of(session)
    assert csrf_of(session) not in (session, key_of(session))


@pytest.mark.parametrize("name", ["anna", "anna.b", "a@example", "_x", "A" * 63])
def test_names_that_are_taken(name: str) -> None:
    assert why_no_name(name) == ""


@pytest.mark.parametrize("name", ["", "-x", "token x", "a/b", "anna\n", "A" * 64, "../n1"])
def test_names_that_are_not(name: str) -> None:
    assert "cannot be a name" in why_no_name(name)


@pytest.mark.parametrize("password", ["short", "x" * (LONGEST + 1), "annaannaanna"[:8], "aaaaaaaaaaaa"])
def test_passwords_that_are_not_taken(password: str) -> None:
    assert why_no_password(password, "anna") != ""


def test_a_password_is_not_the_name() -> None:
    assert why_no_password("Annabella123", "annabella123") == "a password must not be the user's name"
    assert why_no_password("correct horse", "anna") == ""
