"""What lets one in at a receiver is sealed, comes to the receiver alone, and survives what is changed beside it."""

import dataclasses
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from last_moment import Scene

from outlast.adapters.secrets import FileSecrets
from outlast.model import keys
from outlast.model.notice import Way
from outlast.ports.secrets import Secrets
from outlast.service.commands import notices
from outlast.service.commands.context import CommandError, Context, Named, Nothing
from outlast.service.commands.notices import Add, Change
from outlast.service.notices.telling import Telling
from outlast.sim.receivers import Outside, SimReceivers

SECRET, URL = "for few only, really", "https://hooks.example/services/T0/hush-hush"
OPS = Add("ops", Way.WEBHOOK, {"url": URL, "secret": SECRET})


def with_key(directory: Path) -> FileSecrets:
    secrets = FileSecrets(directory)
    secrets.create()
    return secrets


def played(secrets: Secrets | None, story: Callable[[Scene, Context, Outside], Awaitable[Any]]) -> None:
    outside = Outside()

    async def with_receivers(scene: Scene) -> None:
        context = scene.context
        receivers = SimReceivers(outside, "n1")
        telling = Telling(scene.store, receivers, secrets, context.journal, context.clock)
        await story(scene, dataclasses.replace(context, telling=telling), outside)

    Scene(secrets=secrets).play(with_receivers, key="", happens=lambda: None)


def everything(scene: Scene) -> bytes:
    return b"".join(entry.key.encode() + entry.value for entry in scene.database.entries(""))


def test_nothing_secret_stands_in_the_database_or_in_an_answer(tmp_path: Path) -> None:
    async def story(scene: Scene, context: Context, outside: Outside) -> None:
        added = await notices.add(context, OPS)
        answers = f"{added} {await notices.list_rules(context, Nothing())} {await notices.test(context, Named('ops'))}"
        for secret in (SECRET, URL, "hush-hush"):
            assert secret not in answers
            assert secret.encode() not in everything(scene)
        assert (added.rule.place, added.rule.parameters["url"]) == ("https://hooks.example/...", "***")
        assert outside.rules[-1].parameters == OPS.parameters

    played(with_key(tmp_path), story)


def test_what_is_changed_beside_it_leaves_a_secret_as_it_is_and_another_one_leaves_nothing_of_it(
    tmp_path: Path,
) -> None:
    async def story(scene: Scene, context: Context, outside: Outside) -> None:
        await notices.add(context, OPS)
        changed = await notices.change(context, Change("ops", values={"severity": "critical"}))
        assert changed.test is None, "nothing was changed that could not work"
        await notices.test(context, Named("ops"))
        assert outside.rules[-1].parameters == OPS.parameters
        before = [entry.key for entry in scene.database.entries(keys.NOTICE_SECRETS)]
        await notices.change(context, Change("ops", parameters={"secret": "another one of 16"}))
        await notices.test(context, Named("ops"))
        assert outside.rules[-1].parameters == {"url": URL, "secret": "another one of 16"}
        after = [entry.key for entry in scene.database.entries(keys.NOTICE_SECRETS)]
        assert (len(after), set(after) & set(before)) == (1, set())
        await notices.delete(context, Named("ops"))
        assert not scene.database.entries(keys.NOTICE_SECRETS)

    played(with_key(tmp_path), story)


def test_what_does_not_work_replaces_nothing_that_does(tmp_path: Path) -> None:
    async def story(scene: Scene, context: Context, outside: Outside) -> None:
        await notices.add(context, OPS)
        outside.refuses = "401 Unauthorized"
        with pytest.raises(CommandError, match="401 Unauthorized"):
            await notices.change(context, Change("ops", parameters={"secret": "another one of 16"}))
        outside.refuses = ""
        await notices.test(context, Named("ops"))
        assert outside.rules[-1].parameters == OPS.parameters

    played(with_key(tmp_path), story)


def test_without_a_place_for_a_key_no_secret_is_kept() -> None:
    async def story(scene: Scene, context: Context, outside: Outside) -> None:
        with pytest.raises(CommandError, match="cannot be kept"):
            await notices.add(context, OPS)
        assert not scene.database.entries(keys.NOTICES)

    played(None, story)


def test_a_node_with_another_key_says_so_in_place_of_an_answer(tmp_path: Path) -> None:
    async def story(scene: Scene, context: Context, outside: Outside) -> None:
        await notices.add(context, OPS)
        (tmp_path / "secrets.key").unlink()
        with_key(tmp_path)
        found = await notices.test(context, Named("ops"))
        assert "sealed with another key" in found.problem

    played(with_key(tmp_path), story)
