"""The benchmark: what a request costs, compared with other servers, and with what PostgreSQL needs
for the same statement.

pgbench sends PostgreSQL the statements of the server, with the same values. wrk sends the server
the requests that produce these statements, and the peers the same requests in their own form. All
are measured as processor time, from /proc, because requests per second vary too much on a busy
machine. A ratio is the processor time of another side (front and PostgreSQL) divided by ours. For
pgbench, this is our efficiency. Higher is better.
"""
