"""Whether prediction will work here, check by check, before anything depends on it."""
