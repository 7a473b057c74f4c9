"""The real world behind the ports: one file per outside thing."""
