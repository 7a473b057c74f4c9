"""What a group is: its resources, what holds them up, and what its state follows from."""
