#!/bin/bash
# 1-leads_migrator.sh - create the login that runs the migrations. It owns the database and is no superuser.
# The image of PostgreSQL runs this once as the superuser, when the data volume is empty.
set -e
password=$(cat "$LEADS_MIGRATE_PASSWORD_FILE")
export password="${password:?"$LEADS_MIGRATE_PASSWORD_FILE is empty"}"

psql --no-psqlrc --no-password --quiet --set=ON_ERROR_STOP=1 --username="$POSTGRES_USER" --dbname="$POSTGRES_DB" <<'SQL'
\getenv password password

-- a statement that fails is logged with its text, and this text has the password
set log_min_error_statement = panic;
create role leads_migrator login createrole password :'password';

alter database :"DBNAME" owner to leads_migrator;

-- the other databases keep PUBLIC's default privileges, so our logins must not connect to them
revoke connect on database postgres, template1 from public;
SQL
