"""The services' own links, over TCP: questions and answers between nodes, and with machines that want to join."""

from outlast.adapters.peers.certificates import Certificates
from outlast.adapters.peers.links import TcpPeers
from outlast.adapters.peers.strangers import WrongAuthority, ask_as_stranger

__all__ = ["Certificates", "TcpPeers", "WrongAuthority", "ask_as_stranger"]
