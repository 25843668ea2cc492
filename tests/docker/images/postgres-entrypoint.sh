#!/bin/bash
# Starts PostgreSQL as the documentation of the image postgres:18 describes it, as far as docker-compose.yml uses it. When
# the data folder is empty: initdb with the password of POSTGRES_PASSWORD_FILE, the database POSTGRES_DB, and the files in
# /docker-entrypoint-initdb.d in the order of their names, on a server that listens on its socket only.
set -euo pipefail

if [ "${1:-}" = postgres ] && [ ! -s "$PGDATA/PG_VERSION" ]; then
  mkdir -p "$PGDATA"
  chmod 700 "$PGDATA"
  # shellcheck disable=SC2086  # the arguments are separated by blanks
  initdb --pgdata="$PGDATA" --username="$POSTGRES_USER" --pwfile="$POSTGRES_PASSWORD_FILE" ${POSTGRES_INITDB_ARGS:-}
  echo "host all all all $POSTGRES_HOST_AUTH_METHOD" >> "$PGDATA/pg_hba.conf"

  pg_ctl --pgdata="$PGDATA" --wait --options="-c listen_addresses='' -p 5432" start
  psql=(psql --no-psqlrc --no-password --set=ON_ERROR_STOP=1 --username="$POSTGRES_USER")
  "${psql[@]}" --dbname=postgres --set=name="$POSTGRES_DB" <<< 'create database :"name"'
  for file in /docker-entrypoint-initdb.d/*; do
    case "$file" in
      # A script that cannot be executed is read by this shell.
      *.sh) if [ -x "$file" ]; then "$file"; else . "$file"; fi ;;
      *.sql) "${psql[@]}" --dbname="$POSTGRES_DB" --file="$file" ;;
    esac
  done
  pg_ctl --pgdata="$PGDATA" --mode=fast --wait stop
fi

exec "$@"
