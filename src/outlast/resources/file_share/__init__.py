"""The resource type `file_share`: a directory for SMB clients, at an address of its group (docs/types-network.md)."""

from outlast.resources.file_share.type import FileShareType

__all__ = ["FileShareType"]
