"""Passwords are known again, and cannot be read from what is kept: the real adapter and the simulator's."""

import asyncio

import pytest

from outlast.adapters.passwords import Argon2Passwords
from outlast.ports.passwords import Passwords
from outlast.sim.passwords import SimPasswords

ALL = pytest.mark.parametrize("made", [Argon2Passwords, SimPasswords])


@ALL
def test_the_right_one_matches_and_no_other(made: type[Passwords]) -> None:
    async def play() -> None:
        passwords = made()
        hashed = await passwords.hash("correct horse")
        assert "correct" not in hashed
        assert await passwords.matches(hashed, "correct horse")
        assert not await passwords.matches(hashed, "correct house")

    asyncio.run(play())


@ALL
def test_nothing_matches_what_is_no_hash(made: type[Passwords]) -> None:
    async def play() -> None:
        passwords = made()
        for hashed in ("", "plain"):
            for password in ("", "plain", "nobody has this password"):
                assert not await passwords.matches(hashed, password)

    asyncio.run(play())


def test_it_is_argon2id_with_a_salt_of_its_own() -> None:
    async def play() -> None:
        passwords = Argon2Passwords()
        first, second = await passwords.hash("correct horse"), await passwords.hash("correct horse")
        assert first.startswith("$argon2id$")
        assert first != second

    asyncio.run(play())
