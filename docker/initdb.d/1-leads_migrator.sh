#!/bin/bash
# 1-leads_migrator.sh - makes the login that the migrations run as: it owns the database, and is no superuser.
# PostgreSQL's image runs this as the superuser, through the socket, once: when the data volume is empty.
set -e
password=$(cat "$LEADS_MIGRATE_PASSWORD_FILE")
export password="${password:?"$LEADS_MIGRATE_PASSWORD_FILE is empty"}"

psql --no-psqlrc --no-password --quiet --set=ON_ERROR_STOP=1 --username="$POSTGRES_USER" --dbname="$POSTGRES_DB" <<'SQL'
\getenv password password

-- a statement that fails stands in the log as it is, password and all: not in this session
set log_min_error_statement = panic;
create role leads_migrator login createrole password :'password';

alter database :"DBNAME" owner to leads_migrator;

-- the other databases keep what PUBLIC may do by default, and are no business of our logins
revoke connect on database postgres, template1 from public;
SQL
