"""The nouns: frozen values that every ring understands. No behaviour, no I/O."""
