"""What proves that a silent node runs nothing any more (rule 4), and what is still missing?

Each proof is for one incarnation. In order of what is quickest: a fence device that confirmed *off*; the watchdog's
time has passed on a node that had declared an armed watchdog; an administrator's word. (A free storage lease will
stand here too.) Nothing else counts, least of all more silence.
"""

from outlast.core.timing import watchdog_proof_s
from outlast.model.node import Proof, ProofKind, Silence
from outlast.model.plan import Action, Fence, RecordProof
from outlast.model.view import ClusterView


def pursue(silence: Silence, view: ClusterView) -> tuple[list[Action], str, float | None]:
    """Steps towards a proof; what is waited for, for people; and in how many seconds to look again."""
    node = silence.node
    report = view.observed.fence_reports.get(node)
    if report is not None and report.incarnation == silence.incarnation and report.confirmed:
        proof = Proof(ProofKind.FENCE, report.confirmed)
        return [RecordProof(node, silence.incarnation, proof)], "", None

    waits: list[str] = []
    actions: list[Action] = []
    wake_in_s = None
    configured = view.nodes.get(node)
    if configured is not None and configured.fence:
        actions.append(Fence(node, silence.incarnation))
        error = f" (last answer: {report.last_error})" if report and report.last_error else ""
        waits.append(f"its fence device to confirm that it is off{error}")
    if silence.watchdog_s > 0:
        needed = watchdog_proof_s(silence.watchdog_s)
        passed = view.observed.silence_age_s.get(node, 0.0)
        if passed >= needed:
            words = f"its watchdog was armed and {needed:.1f} s have passed since its session could last be renewed"
            return [RecordProof(node, silence.incarnation, Proof(ProofKind.WATCHDOG, words))], "", None
        wake_in_s = needed - passed
        waits.append(f"its watchdog to have cut its power (in {wake_in_s:.1f} s)")
    waits.append(f"your word: make sure that {node} is off, then `outlast node confirm-down {node}`")
    return actions, f"proof that {node} is dead: " + ", or ".join(waits), wake_in_s
