"""How a machine becomes a node of a cluster and stops being one: what `outlast cluster` does before there is one."""
