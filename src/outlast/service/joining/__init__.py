"""How machines become nodes, and stay what the cluster trusts."""
