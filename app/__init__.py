"""The shim that carries HTTP to PostgreSQL, and the command line around it.
The application is in ``sql/``.
"""
