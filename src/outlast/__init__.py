"""Outlast: a failover cluster for virtual machines on Linux. VMs that outlast their hosts."""

__version__ = "0.1.0"
