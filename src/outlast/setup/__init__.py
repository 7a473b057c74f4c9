"""How a machine becomes a node of a cluster, and how it stops being one: what `outlast cluster` does before there is one."""
