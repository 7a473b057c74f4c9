"""What must everybody see who looks at the cluster, beside what is down? That it holds back, and from what."""

from outlast.core.coordinator import arming, network_loss, storm, volume_loss
from outlast.core.owner.heartbeat import H
from outlast.core.owner.probing import P
from outlast.model.guest import OnHang
from outlast.model.view import ClusterView


def alarms(view: ClusterView) -> tuple[str, ...]:
    lost = (*network_loss.alarms(view), *volume_loss.alarms(view))
    return (*arming.alarms(view), *_spared(view), *_quarantined(view), *lost, *_ailing(view))


def _ailing(view: ClusterView) -> list[str]:
    """Guests that hang or are not well, and that nothing is done about now."""
    found = []
    for name, group in sorted(view.groups.items()):
        status, session = view.statuses.get(name), view.sessions.get(group.owner)
        if (
            status is None
            or session is None
            or (status.epoch, status.incarnation) != (group.epoch, session.incarnation)
        ):
            continue
        for vm, one in status.resources.items():
            guest, resource = one.guest, view.resources.get(vm)
            if guest is None or resource is None:
                continue
            if guest.heartbeat == H.HANGS.value:
                reset = resource.guest.on_hang is OnHang.RESET
                do = f"why not: `outlast events --group {name}`" if reset else f"`outlast vm set {vm} on_hang=reset`"
                found.append(f"The guest of {vm} hangs on {group.owner}, and it is not reset; {do}")
            red = [f"{probe} ({known.why})" for probe, known in guest.probes.items() if known.state == P.RED.value]
            if red:
                found.append(f"{vm} is not well on {group.owner}: red is {', '.join(red)}")
    return found


def _spared(view: ClusterView) -> list[str]:
    spared = sorted(
        name
        for name, node in view.nodes.items()
        if name in view.silences
        and view.silences[name].proof is None
        and node.spared == view.silences[name].incarnation
    )
    if not spared:
        return []
    why = storm.words(storm.lately(view), view)
    return [
        f"The storm guard stands: {', '.join(spared)} {'is' if len(spared) == 1 else 'are'} silent and not fenced, "
        f"since {why}. When you know what goes on: `outlast cluster release`"
    ]


def _quarantined(view: ClusterView) -> list[str]:
    return [
        f"{name} is quarantined and takes no group: {node.quarantined}. When it is mended: "
        f"`outlast node release {name}`"
        for name, node in sorted(view.nodes.items())
        if node.quarantined
    ]
