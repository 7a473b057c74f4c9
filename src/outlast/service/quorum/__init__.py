"""What a node does for the members of the cluster database: its own member, and who votes."""
