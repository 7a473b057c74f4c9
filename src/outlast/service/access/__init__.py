"""Who asks from outside, and what is written down of what is asked."""
