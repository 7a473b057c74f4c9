"""How Python code talks to the cluster service: the control socket's client."""
