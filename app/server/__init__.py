"""The HTTP server: it turns each request into one call of a PostgreSQL function.

A request passes through the modules in this order:

1. ``protocol`` bounds what a client may send, and uvicorn parses it.
2. ``application`` separates the API from the pages around it.
3. ``api`` answers the request. ``routes`` finds the function, and ``request`` reads the
   arguments with ``values``.
4. ``postgres`` runs the statement on one of its connections. While a lock is not free, the
   request waits in ``locks``.
5. ``problems`` turns an error into a response.

``reference`` serves the documentation, in Markdown with ``markdown``.
``loading`` reads the routes from the database.
"""
