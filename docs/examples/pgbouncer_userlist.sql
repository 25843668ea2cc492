-- PgBouncer's auth_file: each analyst's login and its SCRAM verifier. Run it as a superuser:
-- psql --no-psqlrc --tuples-only --no-align --file=docs/examples/pgbouncer_userlist.sql
select format('"%s" "%s"', r.rolname, r.rolpassword)
from auth.analyst as a
join pg_catalog.pg_authid as r on r.oid = a.role_oid and r.rolname = a.role_name
where r.rolcanlogin and r.rolpassword like 'SCRAM-SHA-256$%'
order by r.rolname;
