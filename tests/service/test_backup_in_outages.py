"""A backup while the database is away: whoever asks for one learns at once that there is none, and what to do."""

import asyncio
import dataclasses
from typing import Any

import pytest
from last_moment import Scene

from outlast.service.backup import Backing
from outlast.service.commands.backup import WantBackup, backup
from outlast.service.commands.context import CommandError


def test_without_the_database_a_backup_is_refused_within_three_seconds_with_what_to_do() -> None:
    async def story(scene: Scene) -> None:
        no_files: Any = None
        context = scene.context
        backing = Backing(scene.store, no_files, context.journal, context.clock)
        scene.database.cut("n1")
        began = asyncio.get_running_loop().time()
        with pytest.raises(CommandError, match="no backup can be taken while") as refused:
            await backup(dataclasses.replace(context, backing=backing), WantBackup())
        assert asyncio.get_running_loop().time() - began <= 3.0, "by the simulator's clock"
        assert refused.value.kind == "impossible"
        assert "`outlast quorum show`" in str(refused.value)
        assert "`outlast cluster backup list`" in str(refused.value)

    Scene().play(story, key="", happens=lambda: None)
