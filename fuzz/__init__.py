"""Fuzzing of everything that reads what an unknown sender wrote: see SECURITY.md."""
