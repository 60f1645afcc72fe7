# Makes the role that Adminer logs in as, or sets it right, once the role of the application is there. Run again it changes nothing.
#
# LOGIN may read everything; where it is WRITER it acts as OWNER, as the application does: what it makes belongs to OWNER then. While
# another one logs in, WRITER may not. The server is where libpq finds it.
set -eu
run() { psql -X -q -A -t -v ON_ERROR_STOP=1 -v VERBOSITY=terse -v owner="$OWNER" --single-transaction -f -; }
has_owner() { run <<SQL
SELECT count(*) FROM pg_roles WHERE rolname = :'owner';
SQL
}
until [ "$(has_owner 2>/dev/null)" = 1 ]; do sleep 1; done

run <<'SQL'
\getenv login LOGIN
\getenv password LOGIN_PASSWORD
\getenv writer WRITER
SELECT :'login' = :'writer' AS writes \gset
-- Not while the roles of the application are made or dropped.
SELECT 1 FROM pg_advisory_xact_lock(hashtextextended('appstack roles', 0)) \g /dev/null
SELECT format('CREATE ROLE %I', :'login') WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'login') \gexec
ALTER ROLE :"login" LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD :'password';
\if :writes
GRANT :"owner" TO :"login";
ALTER ROLE :"login" SET role = :'owner';
\else
GRANT pg_read_all_data TO :"login";
ALTER ROLE :"login" SET default_transaction_read_only = on;
SELECT format('ALTER ROLE %I NOLOGIN', rolname) FROM pg_roles WHERE rolname = :'writer' \gexec
\endif
SQL
