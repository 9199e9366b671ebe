"""Prediction under real limits: memory measured against its plan, time on a slowed machine."""
