"""The resource type `generic_application`: one command, supervised.

It is started in a session of its own, outlives the resource host, and is found again by its cgroup, or by process id
and start time with a mark in its environment. Its properties: `settings.py`, docs/types.md.
"""

from outlast.resources.generic_application.type import GenericApplicationType

__all__ = ["GenericApplicationType"]
