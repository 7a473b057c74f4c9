"""The resource type `ip_address`: an IPv4 or IPv6 address on the node which owns its group (docs/types-network.md)."""

from outlast.resources.ip_address.type import IpAddressType

__all__ = ["IpAddressType"]
