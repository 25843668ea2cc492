"""The benchmark: what a request costs here, beside what PostgreSQL alone takes for the same call.

pgbench sends PostgreSQL the very statement that the server sends, with the same values; wrk sends the server the
requests that these come from. Both are counted in processor time, from /proc, which holds still where requests a second
don't: efficiency is pgbench's (client and PostgreSQL) divided by ours (server and PostgreSQL), and higher is better.
"""
