"""The simulated world: the real service code on a clock that jumps."""
