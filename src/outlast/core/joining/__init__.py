"""How a machine becomes a node."""
