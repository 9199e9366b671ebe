"""Ways to the server from other programs."""
