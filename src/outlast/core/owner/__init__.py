"""What a node does with the resources that it owns, and what it tells the cluster of them."""
