"""What of the shared volumes would not work when it is needed? For `outlast validate`."""

from outlast.core.placement import placement
from outlast.core.volume.volumes import told_on, volumes
from outlast.model.answers import Finding
from outlast.model.view import ClusterView


def volume_findings(view: ClusterView) -> tuple[Finding, ...]:
    members = placement.members(view)
    found = []
    for name, volume in volumes(view.resources).items():
        for node in sorted(members):
            state = told_on(name, node, members)
            if state is None:
                found.append(
                    Finding(
                        about=name,
                        grave=False,
                        problem=f"{node} has not said whether it sees the volume",
                        means=f"what needs it may be started on {node}, and fail there",
                        advice=f"`outlast resource-type show shared_volume`: does its plugin load on {node}?",
                    )
                )
            elif state.lost:
                found.append(
                    Finding(
                        about=name,
                        grave=True,
                        problem=f"it is unavailable on {node}: {state.lost}",
                        means=f"nothing that needs it runs on {node}, and what does is moved away from there",
                        advice=f"mount it at {volume.path} on {node}, so that root can write to it",
                    )
                )
            elif state.is_full:
                found.append(
                    Finding(
                        about=name,
                        grave=True,
                        problem=f"it is full, as {node} sees it",
                        means="VMs whose disks grow pause at their next write",
                        advice=f"make room below {volume.path}",
                    )
                )
    return tuple(found)
