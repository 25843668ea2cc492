"""Attacks on the isolation between organizations, as data:
the statements, and the required results.
"""
