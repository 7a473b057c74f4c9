"""Counting and measuring what this node does, in memory, for `outlast-web` to tell."""
