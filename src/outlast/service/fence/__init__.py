"""How proof of a death is fetched: devices, their secrets, the ladder."""
