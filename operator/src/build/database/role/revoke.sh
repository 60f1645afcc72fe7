# Drops roles once nobody uses them: when they have had no session for QUIET seconds, which is longer than a pod that was told
# to stop goes on. What still uses them after PATIENCE seconds is ended. ROLES are `<role>=<who made it>`, apart by
# spaces: one that was made again since is left alone. All that they own goes to OWNER. The server is where libpq finds it.
set -eu
export PGCONNECT_TIMEOUT=10
export PGOPTIONS='-c client_min_messages=warning -c lock_timeout=10s'

# The roles that are to go, as they are now.
doomed="SELECT oid, rolname FROM pg_roles
  WHERE rolname || '=' || shobj_description(oid, 'pg_authid') = ANY (string_to_array(:'roles', ' '))"
run() { psql -X -q -A -t -v ON_ERROR_STOP=1 -v VERBOSITY=terse -v roles="$ROLES" -v owner="$OWNER" -f -; }
sessions() { run <<SQL
SELECT count(*) FROM pg_stat_activity JOIN ($doomed) AS it ON oid = usesysid;
SQL
}

began=$(date +%s)
quiet_since=$began
# A server that does not answer is not known to be quiet.
while now=$(date +%s) && [ $((now - began)) -lt "$PATIENCE" ] && [ $((now - quiet_since)) -lt "$QUIET" ]; do
  sleep 1
  [ "$(sessions || echo unknown)" = 0 ] || quiet_since=$(date +%s)
done

run <<SQL
BEGIN;
SELECT 1 FROM pg_advisory_xact_lock(hashtextextended('appstack roles', 0)) \g /dev/null
SELECT format('ALTER ROLE %I NOLOGIN PASSWORD NULL', rolname) FROM ($doomed) AS it \gexec
COMMIT;

SELECT count(*) AS ended FROM (
  SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity JOIN ($doomed) AS it ON oid = usesysid) AS them \gset
BEGIN;
SELECT 1 FROM pg_advisory_xact_lock(hashtextextended('appstack roles', 0)) \g /dev/null
SELECT format(statement, rolname, :'owner') FROM ($doomed) AS it,
  (VALUES (1, 'REASSIGN OWNED BY %I TO %I'), (2, 'DROP OWNED BY %I'), (3, 'DROP ROLE %I')) AS each (turn, statement)
  ORDER BY rolname, turn \gexec
COMMIT;
\echo :ended
SQL
