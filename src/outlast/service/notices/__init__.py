"""Tells people and programs outside of the cluster what happens, by the rules for that."""
