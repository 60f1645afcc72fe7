# Asks an external database whether it lets the application in, and to what is there. The variables are those of the
# application's pods, so libpq goes the way that the application goes. Ends well once it is let in; badly at once for what only people can change, and after PATIENCE
# seconds while nobody answers. The last line that is printed says why, and which key of Secret SECRET to correct.
set -u
export PGCONNECT_TIMEOUT=5
# Which authorities the application trusts is its own matter, unless a variable tells libpq.
case $PGSSLMODE in
  verify-*) [ -n "${PGSSLROOTCERT:-}" ] || PGSSLMODE=require ;;
esac

# What stands where the application looks for its tables and is closed to it, as after a dump that somebody else has restored.
# What an extension brought is not the application's, and the sequence of an identity column needs no right.
closed="WITH closed AS (
  SELECT format('%s of %s', relname, pg_get_userbyid(relowner)) AS it FROM pg_class
  WHERE relnamespace IN (SELECT oid FROM pg_namespace WHERE nspname = ANY (current_schemas(false)))
    AND CASE
      WHEN relkind = 'S' THEN NOT has_sequence_privilege(oid, 'USAGE, SELECT, UPDATE')
      WHEN relkind IN ('r', 'p', 'v', 'm', 'f') THEN
        NOT (has_any_column_privilege(oid, 'SELECT, INSERT, UPDATE') OR has_table_privilege(oid, 'DELETE'))
    END
    AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = pg_class.oid AND deptype IN ('e', 'i'))
  ORDER BY 1)
SELECT 'any schema of its search_path, ' || current_setting('search_path') WHERE cardinality(current_schemas(false)) = 0
UNION ALL
SELECT string_agg(it, ', ') FILTER (WHERE turn <= 3) || CASE WHEN max(turn) > 3 THEN format(', and %s more', max(turn) - 3) ELSE '' END
  FROM (SELECT it, row_number() OVER (ORDER BY it) AS turn FROM closed) AS those HAVING count(*) > 0"

give_up=$(($(date +%s) + PATIENCE))
told=
while ! said=$(psql -X -q -A -t -c "$closed" 2>&1); do
  may_pass=yes
  case $said in
    *'could not translate host name'*) why="host: there is no server of the name $PGHOST" ;;
    *'server does not support SSL'*) may_pass=no why='sslmode: the server has no TLS; if that is meant, write disable' ;;
    *'certificate verify failed'* | *'does not match host name'* | *'root certificate file'*)
      may_pass=no why='sslmode: the certificate of the server is not trusted by PGSSLROOTCERT, or is for another host' ;;
    *'no pg_hba.conf entry'*) may_pass=no why="sslmode or user: the server takes no such connection; see its pg_hba.conf" ;;
    *'authentication failed'* | *'role "'*'" does not exist'* | *'not permitted to log in'*)
      may_pass=no why="user and password: the server does not let $PGUSER in" ;;
    *'permission denied for database'*) may_pass=no why="user: $PGUSER may not use the database" ;;
    *'database "'*'" does not exist'*) may_pass=no why="dbname: the server has no database $PGDATABASE" ;;
    *'Connection refused'* | *'timeout expired'* | *'timed out'* | *'No route to host'* | *'Network is unreachable'*)
      why="host and port: nobody answers at $PGHOST:$PGPORT" ;;
    *'expected authentication request'* | *'invalid response to SSL negotiation'*)
      why="host and port: what answers at $PGHOST:$PGPORT speaks no PostgreSQL" ;;
    *) why='the server does not let the application in' ;;
  esac
  said=${said#psql: error: }
  line="Secret $SECRET, $why (${said%%
*})"
  [ "$line" = "$told" ] || printf '%s\n' "$line"
  told=$line
  [ $may_pass = yes ] && [ "$(date +%s)" -lt "$give_up" ] || exit 1
  sleep 2
done
[ -z "$said" ] || {
  printf 'Secret %s, user: %s may not use %s; let their owner grant it that, or make it their owner\n' "$SECRET" "$PGUSER" "$said"
  exit 1
}
