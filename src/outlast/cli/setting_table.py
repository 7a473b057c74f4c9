"""Settings as a table: what each is, what it is when nobody sets it, and what it means."""

import typer

from outlast.cli import output
from outlast.cli.contact import client, wants_json
from outlast.cli.output import Cell, Row
from outlast.model.setting_answers import SettingRow

TITLES = ("setting", "value", "default", "meaning")


def tell(context: typer.Context, verb: str, arguments: dict[str, object]) -> None:
    found = client(context).call(verb, arguments, type=list[SettingRow])
    if wants_json(context):
        output.json(found)
    else:
        output.table(TITLES, [_row(one) for one in found])


def _row(one: SettingRow) -> Row:
    value = Cell(one.value or "none", "bold" if one.value != one.default else "")
    meaning = f"{one.meaning}; not to be changed: {one.fixed}" if one.fixed else one.meaning
    return Row((one.name, value, one.default or "none", meaning))
