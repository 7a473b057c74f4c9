"""The resource type `service`: a systemd unit, over D-Bus.

Property: `unit` (shop.service, or shop). The unit must not be enabled: who starts it is the cluster. Everything else:
docs/types.md.
"""

from outlast.resources.service.type import ServiceType

__all__ = ["ServiceType"]
