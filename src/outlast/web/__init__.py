"""The HTTP API and the web console (not built yet: the place is kept)."""
