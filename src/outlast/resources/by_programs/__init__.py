"""What the types have in common whose resources programs of others start, stop and ask: `ocf` and `script`."""
