"""The benchmark: what a request costs, compared with what PostgreSQL needs for the same statement.

pgbench sends PostgreSQL the statements of the server, with the same values. wrk sends the server
the requests that produce these statements. Both are measured as processor time, from /proc, because
requests per second vary too much on a busy machine. Efficiency is pgbench's processor time (client
and PostgreSQL) divided by ours (server and PostgreSQL). Higher is better.
"""
