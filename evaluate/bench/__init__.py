"""How fast prediction is: whole processes against the floor that the machine sets."""
