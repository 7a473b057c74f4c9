"""What proves that a silent node runs nothing any more (rule 4), and what is still missing?

Each proof is for one incarnation. In order of what is quickest: a fence device that confirmed *off*; the watchdog's
time has passed on a node that had declared an armed watchdog, for a coordinator that this node knew of; an
administrator's word. Nothing else counts, least of all more silence; a storage lease neither (adr/0012).

Whom this node has promised to decide nothing against (`core/membership/certainty.py`), it neither fences nor calls
dead.
"""

from outlast.core.fence.agents import proving
from outlast.core.membership.timing import watchdog_proof_s
from outlast.model.fence import FenceAction
from outlast.model.node import Proof, ProofKind, Silence
from outlast.model.plan import Action, Fence, RecordOnAgain, RecordProof, SwitchOn
from outlast.model.view import ClusterView, FenceReport


def pursue(silence: Silence, view: ClusterView, spared: str = "") -> tuple[list[Action], str, float | None]:
    """Steps towards a proof; what is waited for, for people; and in how many seconds to look again. `spared`: why it is
    not fenced now (`core/coordinator/storm.py`)."""
    node = silence.node
    promised_s = view.observed.promised_s.get(node, 0.0)
    if promised_s > 0:
        return [], f"{view.me} promised to decide nothing against {node} for {promised_s:.1f} s more", promised_s
    report = _report(silence, view)
    if report is not None and report.confirmed:
        proof = Proof(ProofKind.FENCE, report.confirmed, report.by)
        return [RecordProof(node, silence.incarnation, proof)], "", None

    waits: list[str] = []
    actions: list[Action] = []
    wake_in_s = None
    configured = view.nodes.get(node)
    devices = proving(configured.fence) if configured is not None else ()
    settling_s = view.observed.settling_s.get(node, 0.0)
    if devices and settling_s > 0:
        wake_in_s = settling_s
        waits.append(
            f"{node} to come back by itself, since the database is just back; it is fenced in {settling_s:.1f} s"
        )
    elif devices and spared:
        waits.append(f"an administrator: {spared}")
    elif devices:
        actions.append(Fence(node, silence.incarnation))
        which = "its fence device" if len(devices) == 1 else "its fence devices"
        waits.append(f"{which} to confirm that it is off{_last_answers(report)}")
    if silence.watchdog_s > 0 and not _was_asked(silence, view):
        waits.append(f"a coordinator that {node} knew of (its watchdog's word does not count for {view.me})")
    elif silence.watchdog_s > 0:
        needed = watchdog_proof_s(silence.watchdog_s)
        passed = view.observed.silence_age_s.get(node, 0.0)
        if passed >= needed:
            words = f"its watchdog was armed and {needed:.1f} s have passed since its session could last be renewed"
            return [RecordProof(node, silence.incarnation, Proof(ProofKind.WATCHDOG, words))], "", None
        wake_in_s = needed - passed if wake_in_s is None else min(wake_in_s, needed - passed)
        waits.append(f"its watchdog to have cut its power (in {wake_in_s:.1f} s)")
    waits.append(f"your word: make sure that {node} is off, then `outlast node confirm-down {node}`")
    return actions, f"proof that {node} is dead: " + ", or ".join(waits), wake_in_s


def afterwards(silence: Silence, view: ClusterView) -> list[Action]:
    """A node that was proven dead by switching it off is switched on again, once: by the devices that did it, and only
    when the proof stands in the database. Nobody is switched on for whose death an administrator or a watchdog vouches.
    """
    proof = silence.proof
    if proof is None or proof.kind is not ProofKind.FENCE or not proof.by or silence.on_again:
        return []
    if view.settings.fence_action is not FenceAction.REBOOT or silence.node not in view.nodes:
        return []
    report = _report(silence, view)
    if report is not None and report.on_again:
        return [RecordOnAgain(silence.node, report.on_again)]
    return [SwitchOn(silence.node, silence.incarnation, proof.by)]


def _was_asked(silence: Silence, view: ClusterView) -> bool:
    """Was this node among those without whose promise that one runs nothing while the database is away (rule 11)? Else
    it may have run on, and fed its watchdog, with the consent of all whom it knew of."""
    session = view.sessions.get(silence.node)
    return session is not None and session.incarnation == silence.incarnation and view.me in session.peers


def _report(silence: Silence, view: ClusterView) -> FenceReport | None:
    """What came of fencing that life of the node; of an earlier one it would prove nothing."""
    report = view.observed.fence_reports.get(silence.node)
    return report if report is not None and report.incarnation == silence.incarnation else None


def _last_answers(report: FenceReport | None) -> str:
    if report is None or not report.errors:
        return ""
    answers = "; ".join(f"{device}: {why}" for device, why in sorted(report.errors.items()))
    return f" (last answer: {answers})"
