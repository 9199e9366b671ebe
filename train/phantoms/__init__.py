"""Volumes made for training only: anatomy of random contrast, tumours put into other brains."""
