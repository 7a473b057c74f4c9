"""Which fence device is tried when, and what proves that a node is off."""
