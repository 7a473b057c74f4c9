"""What lies on a shared volume: looking at it, and asking its coordinator to change it."""

from collections.abc import AsyncIterator, Mapping
from typing import Annotated, Literal

import msgspec

from outlast.core.volume.changing import no_name, why_not
from outlast.core.volume.volumes import TYPE, Volume, images
from outlast.model import keys
from outlast.model.health import Json
from outlast.model.volume import Stage, Verb, VolumeChange
from outlast.model.volume_answers import ChangeRow, ImageRow
from outlast.ports.database import Compare, Write
from outlast.ports.hosts import CallFailed, HostDied
from outlast.service.commands.context import Command, CommandError, Context, Named, Stream
from outlast.service.commands.volumes import change_row, need, row
from outlast.service.hosting.hosts import CallTimedOut
from outlast.service.store import put

Bytes = Annotated[int, msgspec.Meta(ge=512, le=2**60)]
REFRESH_S = 1.0


class Image(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    volume: str
    image: str


class Create(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    volume: str
    image: str
    bytes: Bytes | None = None
    format: Literal["qcow2", "raw"] = "qcow2"
    source: str = ""
    """An image of the volume that it is made a full copy of."""
    full: bool = False
    """All of its space is taken at once."""
    what_if: bool = False


class Resize(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    volume: str
    image: str
    bytes: Bytes
    what_if: bool = False


class DeleteImage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    volume: str
    image: str
    what_if: bool = False


class Snapshot(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    volume: str
    image: str
    tag: str
    action: Literal["take", "restore", "drop"] = "take"
    what_if: bool = False


class WaitChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    volume: str
    id: str
    timeout_s: float = 300.0


async def list_images(context: Context, want: Named) -> list[ImageRow]:
    volume = need(context, want.name)
    found = await _ask(context, volume, "images", {})
    used = images(volume, context.store.resources.values())
    rows = msgspec.convert(found, list[ImageRow])
    return [msgspec.structs.replace(one, used_by=tuple(used.get(one.image, ()))) for one in rows]


async def show_image(context: Context, want: Image) -> ImageRow:
    volume = need(context, want.volume)
    _refuse_name(volume, want.image, "look at")
    used = images(volume, context.store.resources.values())
    one = msgspec.convert(await _ask(context, volume, "image", {"image": want.image}), ImageRow)
    return msgspec.structs.replace(one, used_by=tuple(used.get(one.image, ())))


async def create(context: Context, want: Create) -> ChangeRow:
    if (want.bytes is None) == (not want.source):
        raise CommandError("usage", f"cannot create {want.image}: it takes a size, or an image that it is a copy of")
    if want.source:
        _refuse_name(need(context, want.volume), want.source, "copy")
    if want.full and want.source:
        raise CommandError("usage", f"cannot create {want.image}: a copy takes the space that it needs")
    arguments = {"bytes": want.bytes, "format": want.format, "source": want.source, "full": want.full}
    return await _asked(context, want, Verb.CREATE, arguments)


async def resize(context: Context, want: Resize) -> ChangeRow:
    return await _asked(context, want, Verb.RESIZE, {"bytes": want.bytes})


async def delete(context: Context, want: DeleteImage) -> ChangeRow:
    return await _asked(context, want, Verb.DELETE, {})


async def snapshot(context: Context, want: Snapshot) -> ChangeRow:
    if not want.tag or not want.tag.isprintable() or want.tag.startswith("-"):
        raise CommandError("usage", f'a snapshot cannot be called "{want.tag}"')
    return await _asked(context, want, Verb.SNAPSHOT, {"tag": want.tag, "action": want.action})


async def _asked(
    context: Context, want: Create | Resize | DeleteImage | Snapshot, verb: Verb, arguments: Mapping[str, Json]
) -> ChangeRow:
    volume = need(context, want.volume)
    _refuse_name(volume, want.image, verb.value)
    change = VolumeChange(
        context.journal.new_id(), volume.name, verb, want.image, {**arguments}, by=context.by, stage=Stage.ASKED
    )
    _refuse(context, change)
    if want.what_if:
        return change_row(change)
    words = f"{volume.name}: {verb.value} of {want.image} was asked for by {context.by}"

    def make() -> tuple[list[Compare], list[Write]]:
        _refuse(context, change)
        event = context.journal.event("volume", words, group=volume.group)
        key = keys.CHANGES + change.key
        # The volume may be removed at this very moment.
        compares = [Compare(key, 0), *context.store.unchanged(keys.RESOURCES + volume.name)]
        return compares, [put(key, change), event]

    await context.write(make)
    return change_row(context.store.volume_changes.get(change.key, change))


def _refuse(context: Context, change: VolumeChange) -> None:
    """What the coordinator would refuse, before it is asked; it looks again when it begins."""
    volume = need(context, change.volume)
    about = row(context, volume)
    cannot = f"cannot {change.verb.value} {change.image} on {volume.name}"
    if about.state != "online":
        why = f": {about.why}" if about.why else ""
        raise CommandError("impossible", f"{cannot}: nobody coordinates the volume now; it is {about.state}{why}")
    why = why_not(change, volume, context.view())
    if why:
        raise CommandError("impossible", f"{cannot}: {why}")


def _refuse_name(volume: Volume, image: str, verb: str) -> None:
    why = no_name(image)
    if why:
        raise CommandError("usage", f'cannot {verb} "{image}" on {volume.name}: {why}')


async def wait(context: Context, want: WaitChange) -> AsyncIterator[ChangeRow]:
    """The change whenever it is another one, until it is over or the time is up."""
    key = f"{want.volume}/{want.id}"
    changes = context.store.subscribe(keys.CHANGES)
    deadline = context.clock.now() + want.timeout_s
    before: ChangeRow | None = None
    try:
        while True:
            change = context.store.volume_changes.get(key)
            if change is None:
                raise CommandError("impossible", f"nothing is known of such a change on {want.volume} any more")
            if change_row(change) != before:
                before = change_row(change)
                yield before
            left_s = deadline - context.clock.now()
            if change.is_over or left_s <= 0:
                return
            await changes.wait(min(REFRESH_S, left_s))
    finally:
        context.store.unsubscribe(changes)


async def _ask(context: Context, volume: Volume, verb: str, arguments: Mapping[str, Json]) -> Json:
    """This node's own plugin: looking needs no coordinator."""
    try:
        return await context.surveys.ask_here(TYPE, verb, {**arguments, "path": volume.path, "id": volume.id})
    except (CallFailed, CallTimedOut, HostDied) as error:
        words = f"{context.store.me} cannot see what lies on {volume.name}: {error}"
        raise CommandError("impossible", words) from error


COMMANDS: dict[str, Command] = {
    "volume.images": (Named, list_images),
    "volume.image": (Image, show_image),
    "volume.create": (Create, create),
    "volume.resize": (Resize, resize),
    "volume.delete": (DeleteImage, delete),
    "volume.snapshot": (Snapshot, snapshot),
}
STREAMS: dict[str, Stream] = {"volume.wait": (WaitChange, wait)}
