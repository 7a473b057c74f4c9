"""What do the VMs of a Pacemaker cluster amount to here? Reads its CIB, as `cibadmin -Q` prints it.

A primitive of `VirtualDomain` names a file with libvirt's XML, which is taken to the letter; so a VM keeps its UUID,
and its disks are where they were. Names in the CIB are those of primitives; here a VM has the name that its XML says.
"""

from collections.abc import Iterator, Mapping, Sequence
from xml.etree import ElementTree

import msgspec

from outlast.core.importing import pacemaker_constraints as constraints
from outlast.core.importing import pacemaker_fencing as fencing
from outlast.core.importing.cib import INFINITY, Primitive, is_on, primitives, properties, root_of, score, seconds
from outlast.core.importing.places import NotImportable, changed, kept, lost, refuse_bad_name
from outlast.model.imported import Finding, Import, Imported, Level

AGENT = "ocf:heartbeat:VirtualDomain"
_PARAMETERS = {
    "migration_transport": "how a VM is migrated is a matter of the cluster, not of one VM",
    "migration_network_suffix": "which network it is migrated over is a matter of the cluster",
    "migration_user": "who migrates it is a matter of the cluster",
    "migration_downtime": "how a VM is migrated is a matter of the cluster",
    "migration_speed": "how a VM is migrated is a matter of the cluster",
    "migrateport": "how a VM is migrated is a matter of the cluster",
    "migrateuri": "how a VM is migrated is a matter of the cluster",
    "monitor_scripts": "no script is asked whether the guest is well",
    "force_stop": "a stop begins in order; at once is outlast vm stop",
    "snapshot": "its state is not saved when it stops",
    "sync_config_on_stop": "its definition lies in the cluster database, the same for all nodes",
    "save_config_on_stop": "its definition lies in the cluster database; no file is written after a change",
    "start_resources": "networks and pools are not started for it: let libvirt start them by itself",
    "backingfile": "no image is made anew at its start",
    "stateless": "no image is made anew at its start",
    "copyindirs": "nothing is copied into its image",
}
_META = {
    "allow-migrate": "whether a move is live is said with the move",
    "multiple-active": "a VM never runs twice: nothing is started without proof that it runs nowhere else",
    "restart-type": "what starts after it is not restarted with it",
    "critical": "each group fails over by itself",
    "container-attribute-target": "there are no node attributes here",
    "remote-node": "a guest is no node of this cluster",
    "remote-addr": "a guest is no node of this cluster",
    "remote-port": "a guest is no node of this cluster",
}

_ALONE = "what Pacemaker leaves alone can be taken in while it runs, on its node; it is looked after here"


def definition_files(text: str, name: str = "") -> tuple[str, ...]:
    """The files with libvirt's XML that must be read for the VMs of the CIB, or for one of them."""
    return tuple(one.parameters.get("config", "") for one in _chosen(primitives(root_of(text)), name))


def convert(text: str, definitions: Mapping[str, str], *, name: str = "") -> Import:
    """`definitions`: what stands in the files; `name`: of one primitive, else all. Raises `NotImportable`."""
    root = root_of(text)
    everything = primitives(root)
    chosen = _chosen(everything, name)
    names = {one.id: _name(one, definitions) for one in chosen}
    where = constraints.locations(root, tuple(names))
    order = constraints.orders(root, everything, names)
    together = constraints.colocations(root, everything, names)
    vms = [
        _vm(one, names[one.id], definitions, where[one.id], order.get(one.id, constraints.Order())) for one in chosen
    ]
    vms = [msgspec.structs.replace(vm, unmanaged=_left_alone(root, one)) for vm, one in zip(vms, chosen, strict=True)]
    devices, about_devices = fencing.devices(root, everything)
    findings = [*_about_cluster(root, everything, chosen), *together.findings, *about_devices]
    return Import(tuple(vms), tuple(findings), (*together.commands, *devices))


def _chosen(found: Sequence[Primitive], name: str) -> list[Primitive]:
    vms = [one for one in found if one.agent == AGENT and not one.clone]
    if not vms:
        raise NotImportable(f"there is no primitive of {AGENT} in the CIB, so there is no VM to take in")
    if name and name not in (one.id for one in vms):
        raise NotImportable(f'there is no VM "{name}" in the CIB; there are: {", ".join(one.id for one in vms)}')
    for one in vms:
        if not one.parameters.get("config"):
            raise NotImportable(f'the primitive "{one.id}" has no parameter config, so nobody knows its definition')
    return [one for one in vms if not name or one.id == name]


def _name(one: Primitive, definitions: Mapping[str, str]) -> str:
    path = one.parameters["config"]
    try:
        name = (ElementTree.fromstring(definitions[path]).findtext("name") or "").strip()
    except ElementTree.ParseError as error:
        raise NotImportable(f"{path}, the definition of {one.id}, is not well-formed XML: {error}") from error
    refuse_bad_name(name)
    return name


def _vm(
    one: Primitive,
    name: str,
    definitions: Mapping[str, str],
    where: constraints.Where,
    order: constraints.Order,
) -> Imported:
    path = one.parameters["config"]
    group: dict[str, str] = {}
    resource: dict[str, str] = {}
    priority = score(one.effective("priority", "0"))
    if priority:
        group["priority"] = "high" if priority > 0 else "low"
    if order.start_after:
        group["start_after"] = ",".join(order.start_after)
    if where.preferred and score(one.effective("resource-stickiness", "0")) < where.best:
        group["failback"] = "now"
    if threshold := _threshold(one):
        resource["restart_threshold"] = f"{threshold - 1}"
        if period := seconds(one.effective("failure-timeout")):
            resource["restart_period_s"] = f"{max(1.0, period):g}"
    if start := _operation(one, "start", "timeout"):
        resource["online_timeout_s"] = f"{start:g}"
    findings = [
        kept("config", f"{path}, to the letter: the VM {name}"),
        *_about_parameters(one),
        *_about_meta(one, group),
        *_about_operations(one),
        *where.findings,
        *order.findings,
    ]
    return Imported(
        name,
        definitions[path],
        definition_path=path,
        wanted_online=one.effective("target-role", "Started").lower() != "stopped",
        possible_owners=where.possible,
        preferred_owners=where.preferred,
        is_alive_interval_s=_operation(one, "monitor", "interval") or None,
        offline_timeout_s=_operation(one, "stop", "timeout") or None,
        group=group,
        resource=resource,
        findings=tuple(findings),
    )


def _about_parameters(one: Primitive) -> Iterator[Finding]:
    for name, value in one.parameters.items():
        if name == "config":
            continue
        if name == "hypervisor":
            yield kept(name, value) if value.startswith("qemu") else lost(name, f"{value}: only QEMU and KVM run here")
        elif name == "shutdown_mode":
            yield changed(name, "the guest's agent is asked if it answers, else ACPI")
        elif name.startswith("autoset_utilization"):
            yield kept(name, "what it needs is read from its definition")
        else:
            yield lost(name, _PARAMETERS.get(name, f"Outlast does not know this parameter: {value}"))
    for name, value in one.utilization.items():
        yield changed(f"utilization {name}", f"{value}: read from its definition instead")


def _about_meta(one: Primitive, group: Mapping[str, str]) -> Iterator[Finding]:
    known = {
        "target-role": changed("target-role", f"wanted {'offline' if _stopped(one) else 'online'}"),
        "priority": changed(
            "priority", f"{one.effective('priority')} becomes priority={group.get('priority', 'medium')}"
        ),
        "failure-timeout": changed("failure-timeout", "counted in restart_period_s"),
        "is-managed": changed("is-managed", f"{one.effective('is-managed')}: {_ALONE}"),
        "maintenance": changed("maintenance", f"{one.effective('maintenance')}: {_ALONE}"),
    }
    yield from (found for name, found in known.items() if one.effective(name))
    if threshold := _threshold(one):
        words = f"{threshold} becomes restart_threshold={threshold - 1}: the failure after that moves it"
        yield changed("migration-threshold", words)
    else:
        yield changed("migration-threshold", "it was restarted in place without end; here it moves when it fails")
    if stickiness := one.effective("resource-stickiness"):
        words = "goes back as soon as its node can take it" if "failback" in group else "stays where it is"
        yield changed("resource-stickiness", f"{stickiness}: after a failover it {words} (failback)")
    elif "failback" in group:
        yield kept(
            "resource-stickiness", "none: after a failover it goes back as soon as its node can take it (failback)"
        )
    told = {*known, "migration-threshold", "resource-stickiness"}
    for name in dict.fromkeys((*one.meta, *one.defaults)):
        if name not in told:
            yield lost(name, _META.get(name, f"Outlast does not know this: {one.effective(name)}"))


def _about_operations(one: Primitive) -> Iterator[Finding]:
    said = {
        ("monitor", "interval"): Finding("monitor interval", Level.KEPT, "how often it is asked whether it is alive"),
        ("start", "timeout"): changed("start timeout", "counted from the last word of progress (online_timeout_s)"),
        ("stop", "timeout"): changed("stop timeout", "for its shutdown; then by force, its node is not fenced"),
        ("monitor", "timeout"): lost(
            "monitor timeout", "a question that hangs ends with its host (deadlock_timeout_s)"
        ),
    }
    for operation in one.operations:
        action = operation.get("name", "")
        for attribute, value in operation.items():
            if attribute in ("id", "name") or (attribute == "interval" and action != "monitor"):
                continue
            found = said.get((action, attribute)) or lost(f"{action} {attribute}", f"nothing like it here: {value}")
            yield Finding(
                found.what, found.level, f"{value}: {found.words}" if value not in found.words else found.words
            )


def _about_cluster(
    root: ElementTree.Element, everything: Sequence[Primitive], chosen: Sequence[Primitive]
) -> Iterator[Finding]:
    for name, value in properties(root).items():
        yield lost(name, f"{value}: a setting of Pacemaker's cluster; what this one has is in docs/settings.md")
    mine = {one.id for one in chosen}
    for one in everything:
        if one.id in mine or one.agent.startswith("stonith:"):
            continue
        if one.agent == AGENT:
            words = "is a clone, which does not fail over" if one.clone else "was not chosen (--name)"
            yield lost(one.id, f"a VM that {words}")
        else:
            yield lost(
                one.id,
                f"{one.agent} is no VM: it stays with Pacemaker, or goes into a group by outlast resource create",
            )
    yield lost(
        "Pacemaker",
        "take the VMs out of its hands first: pcs resource disable NAME, or unmanage NAME if they go on running",
    )


def _left_alone(root: ElementTree.Element, one: Primitive) -> bool:
    everywhere = is_on(properties(root).get("maintenance-mode", "no"))
    alone = not is_on(one.effective("is-managed", "true")) or is_on(one.effective("maintenance", "false"))
    return everywhere or alone


def _stopped(one: Primitive) -> bool:
    return one.effective("target-role", "Started").lower() == "stopped"


def _threshold(one: Primitive) -> int:
    """0: it is restarted in place for ever."""
    said = score(one.effective("migration-threshold", "INFINITY"))
    return said if 0 < said < INFINITY else 0


def _operation(one: Primitive, action: str, attribute: str) -> float:
    values = [seconds(operation[attribute]) for operation in one.operations if _is(operation, action, attribute)]
    return next((value for value in reversed(values) if value), 0.0)


def _is(operation: Mapping[str, str], action: str, attribute: str) -> bool:
    return operation.get("name") == action and attribute in operation
