"""The resource type `ocf`: any OCF agent of the distribution, without Pacemaker.

Properties: `agent` (heartbeat:IPaddr2), the agent's own parameters by their names, `check_level` (OCF_CHECK_LEVEL of
the thorough question, default 0), and `start_timeout_s`, `stop_timeout_s`, `monitor_timeout_s` where the agent's own
advice does not do. Everything else: docs/types.md.
"""

from outlast.resources.ocf.type import OcfType

__all__ = ["OcfType"]
