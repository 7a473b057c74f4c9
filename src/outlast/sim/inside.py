"""What does the plugin of a simulated node hear when it asks how it is inside a VM?"""

from outlast.model.health import Halt
from outlast.model.inside import Answer, Asked, Finding, Inquiry
from outlast.sim.vms import Copy


def found(copy: Copy | None, inquiry: Inquiry, now_s: float) -> Finding:
    """What the plugin hears."""
    if copy is None:
        return Finding(Answer.UNTOLD, "it does not run")
    if copy.guest.halt is not Halt.NOTHING:
        return Finding(Answer.UNTOLD, "it is paused", stands=True)
    cpu_s, requests = copy.guest.counters(now_s)
    answer, why = _answer(copy, inquiry)
    return Finding(answer, why, cpu_s=cpu_s, io_requests=requests)


def _answer(copy: Copy, inquiry: Inquiry) -> tuple[Answer, str]:
    if inquiry.asked is not Asked.TCP:
        if not copy.vm.agent:
            return Answer.NO_WAY, "it has no channel for a guest agent"
        if not copy.serves or copy.guest.away:
            return Answer.ABSENT, "its agent does not run"
        if copy.guest.deaf_since_s is not None:
            return Answer.SILENT, "its agent does not answer"
    well = copy.serves and not copy.vm.ails and copy.guest.works
    if inquiry.asked is Asked.PING or well:
        return Answer.YES, ""
    return Answer.NO, f"{inquiry.what} is not well"
