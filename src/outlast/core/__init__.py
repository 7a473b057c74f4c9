"""The decisions: pure, synchronous functions and machines. No clock, no I/O, no logging, no randomness."""
