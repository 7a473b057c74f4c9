"""What the coordinator decides for the whole cluster: the next steps, by the view alone."""
