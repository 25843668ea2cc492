"""Attacks on the isolation between organizations, as data: what is tried, and what must come of it."""
