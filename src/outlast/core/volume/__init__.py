"""Shared volumes: which groups need them, and what may be changed on them."""
