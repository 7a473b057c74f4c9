"""What would happen if: a node died, a resource failed, a setting changed."""
