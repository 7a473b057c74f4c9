"""A directory that all nodes see, and its coordinator."""

from outlast.resources.shared_volume.type import SharedVolumeType

__all__ = ["SharedVolumeType"]
