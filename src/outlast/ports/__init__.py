"""What we need from the world, as interfaces; the adapters and the simulator implement them."""
