"""The metrics of the challenge and the reports made with them."""
