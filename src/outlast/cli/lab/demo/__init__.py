"""The demo: what happens in it, where it is shown, and what it measures."""
