"""Definitions of other clusters' VMs, written by hand after the forms of their formats (docs/importing.md)."""

from pathlib import Path

from outlast.model.imported import Finding, Imported, Level

SAMPLES = Path(__file__).with_name("samples") / "importing"
DOMAIN = "<domain type='kvm'><name>{}</name></domain>"


def sample(name: str) -> str:
    return (SAMPLES / name).read_text()


def of(vm: Imported, what: str) -> list[Finding]:
    """What the report says of one thing."""
    return [finding for finding in vm.findings if finding.what == what]


def level(vm: Imported, what: str) -> Level:
    """Of the first that the report says of it."""
    return of(vm, what)[0].level
