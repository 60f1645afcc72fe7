# Asks an external database whether it lets the application in. The variables are those of the application's pods, so libpq goes the
# way that the application goes. Ends well once it is let in; badly at once for what only people can change, and after PATIENCE
# seconds while nobody answers. The last line that is printed says why, and which key of Secret SECRET to correct.
set -u
export PGCONNECT_TIMEOUT=5
# Which authorities the application trusts is its own matter, unless a variable tells libpq.
case $PGSSLMODE in
  verify-*) [ -n "${PGSSLROOTCERT:-}" ] || PGSSLMODE=require ;;
esac

give_up=$(($(date +%s) + PATIENCE))
told=
while ! said=$(psql -X -q -o /dev/null -c 'SELECT 1' 2>&1); do
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
