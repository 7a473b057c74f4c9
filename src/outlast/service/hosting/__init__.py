"""What runs on this node, in resource hosts; and what the cluster is told of it."""
