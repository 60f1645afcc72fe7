#!/bin/sh
# Makes the database on the first start, then becomes the server: what the official image does with the same variables.
#   POSTGRES_USER (postgres), POSTGRES_PASSWORD (wanted for a new database), POSTGRES_DB (as the user), PGDATA,
#   POSTGRES_INITDB_ARGS, and each of the first three as NAME_FILE.
set -eu

from_file() {
    eval "file=\${$1_FILE:-}"
    if [ -n "$file" ]; then
        eval "$1=\$(cat \"\$file\")"
    fi
}

make_database() {
    mkdir -p "$PGDATA"
    chmod 0700 "$PGDATA"
    password_file=$(mktemp)
    printf '%s\n' "$POSTGRES_PASSWORD" > "$password_file"
    # shellcheck disable=SC2086 # the arguments are words
    initdb --username="$POSTGRES_USER" --pwfile="$password_file" --pgdata="$PGDATA" --encoding=UTF8 --locale=C.UTF-8 \
        --auth-local=trust --auth-host=scram-sha-256 ${POSTGRES_INITDB_ARGS:-}
    rm -f "$password_file"
    printf '\nhost all all all scram-sha-256\n' >> "$PGDATA/pg_hba.conf"
    # Only the local socket listens until the database is there: nobody finds it half made.
    pg_ctl --pgdata="$PGDATA" --options="-c listen_addresses=''" --wait start
    if [ "$POSTGRES_DB" != postgres ]; then
        psql --no-psqlrc --username="$POSTGRES_USER" --dbname=postgres --set=ON_ERROR_STOP=1 \
            --set=name="$POSTGRES_DB" <<'SQL'
CREATE DATABASE :"name";
SQL
    fi
    pg_ctl --pgdata="$PGDATA" --mode=fast --wait stop
}

# Anything but the server, or the server's own questions, runs as asked for.
case "${1:-}" in
    -*) set -- postgres "$@" ;;
    postgres) ;;
    *) exec "$@" ;;
esac

from_file POSTGRES_USER
from_file POSTGRES_PASSWORD
from_file POSTGRES_DB
: "${POSTGRES_USER:=postgres}" "${POSTGRES_DB:=$POSTGRES_USER}"

if [ ! -s "$PGDATA/PG_VERSION" ]; then
    if [ -z "${POSTGRES_PASSWORD:-}" ]; then
        echo "Error: POSTGRES_PASSWORD is not set, and a new database needs one." >&2
        exit 1
    fi
    make_database
fi

shift
exec postgres -c listen_addresses='*' "$@"
