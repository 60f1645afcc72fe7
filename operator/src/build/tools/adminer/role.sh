# Makes the role that Adminer logs in as, or sets it right, once the role of the application is there. Run again it changes nothing.
#
# LOGIN may read everything, or by ACCESS=write act as OWNER, as the application does: what it makes belongs to OWNER then. The server is
# where libpq finds it.
set -eu
export PGCONNECT_TIMEOUT=10
# Neither a password nor a statement that holds one comes into a log of the server, whatever it is told to log.
export PGOPTIONS='-c log_statement=none -c log_min_error_statement=panic -c log_min_duration_statement=-1
  -c log_min_duration_sample=-1 -c log_transaction_sample_rate=0 -c log_duration=off -c pg_stat_statements.track=none
  -c client_min_messages=error -c lock_timeout=10s'
run() { psql -X -q -A -t -v ON_ERROR_STOP=1 -v VERBOSITY=terse -v owner="$OWNER" --single-transaction -f -; }
has_owner() { run <<SQL
SELECT count(*) FROM pg_roles WHERE rolname = :'owner';
SQL
}
until [ "$(has_owner 2>/dev/null)" = 1 ]; do sleep 1; done

run <<'SQL'
\getenv login LOGIN
\getenv password LOGIN_PASSWORD
\getenv access ACCESS
SELECT :'access' = 'write' AS writes \gset
-- Not while the roles of the application are made or dropped.
SELECT 1 FROM pg_advisory_xact_lock(hashtextextended('appstack roles', 0)) \g /dev/null
SELECT format('CREATE ROLE %I', :'login') WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'login') \gexec
ALTER ROLE :"login" LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD :'password';
\if :writes
REVOKE pg_read_all_data FROM :"login";
ALTER ROLE :"login" RESET default_transaction_read_only;
GRANT :"owner" TO :"login";
ALTER ROLE :"login" SET role = :'owner';
\else
REVOKE :"owner" FROM :"login";
ALTER ROLE :"login" RESET role;
GRANT pg_read_all_data TO :"login";
ALTER ROLE :"login" SET default_transaction_read_only = on;
\endif
SQL
