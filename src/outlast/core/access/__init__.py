"""Who may ask for what, who has tried too often, and what is written down of it."""
