"""What administrators may ask of the cluster service, over the control socket. One file per noun."""
