"""What a token holds, and that a damaged one is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outlast.core.joining.tokens import Token, WrongToken, decode, encode, id_in, id_of, key_of, named_by

TOKEN = Token("10.0.0.11:7405", bytes(range(16)), bytes(range(16, 32)))


def test_a_token_tells_where_to_ask_what_to_say_and_whom_to_believe() -> None:
    assert decode(encode(TOKEN)) == TOKEN


def test_only_half_of_the_fingerprint_stands_in_it() -> None:
    whole = Token(TOKEN.address, TOKEN.secret, bytes(range(16, 48)))
    assert decode(encode(whole)).fingerprint == whole.fingerprint[:16]


def test_a_token_is_one_word_that_a_double_click_takes() -> None:
    assert encode(TOKEN).isalnum()


def test_it_may_be_typed_in_capitals_and_with_spaces_around() -> None:
    assert decode(f" {encode(TOKEN).upper()}\n") == TOKEN


@given(st.integers(0, len(encode(TOKEN)) - 1), st.characters(categories=("Ll", "Nd")))
def test_a_token_with_a_wrong_letter_is_refused(place: int, letter: str) -> None:
    word = encode(TOKEN)
    changed = word[:place] + letter + word[place + 1 :]
    if changed == word:
        return
    try:
        # The last letter holds bits that stand for nothing: what it says then is still the same.
        assert decode(changed) == TOKEN
        assert place == len(word) - 1
    except WrongToken:
        pass


@pytest.mark.parametrize("length", range(len(encode(TOKEN))))
def test_a_token_that_lost_its_end_is_refused(length: int) -> None:
    with pytest.raises(WrongToken):
        decode(encode(TOKEN)[:length])


def test_the_secret_is_not_found_from_what_the_cluster_keeps() -> None:
    assert key_of("secret") != "secret"
    assert key_of("secret") != key_of("secret2")


def test_a_token_is_named_by_the_beginning_of_its_id_or_by_itself() -> None:
    keys = [key_of(TOKEN.secret.hex()), key_of("another"), "ab" * 16]
    assert named_by(id_in(encode(TOKEN)), keys) == [keys[0]] == named_by(encode(TOKEN), keys)
    assert named_by(f" {id_of(keys[1]).upper()} ", keys) == [keys[1]]
    assert named_by("", keys) == [] == named_by("xyz", keys)
    with pytest.raises(WrongToken):
        named_by(encode(TOKEN)[:-3], keys)


def test_an_id_says_nothing_of_the_secret() -> None:
    assert id_in(encode(TOKEN)) not in encode(TOKEN) + TOKEN.secret.hex()
