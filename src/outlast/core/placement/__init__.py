"""Which node takes a group: what it needs, what there is, and which rules count."""
