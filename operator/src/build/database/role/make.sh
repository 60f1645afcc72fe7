# Makes the role that the application logs in as, or sets it right. Run again it changes nothing.
#
# OWNER is the role that owns the database and all that is in it, and nobody logs in as. LOGIN is a member of it, and acts as
# OWNER from its first statement on: whatever it makes belongs to OWNER, so that the LOGIN after it may change all of it.
# MADE_BY is noted at LOGIN: one that was made again is told from the one before it. KNOWN are the others that may be there,
# apart by spaces. The server is where libpq finds it.
set -eu
psql -X -q -o /dev/null -v ON_ERROR_STOP=1 -v VERBOSITY=terse --single-transaction -f - <<'SQL'
\getenv owner OWNER
\getenv login LOGIN
\getenv password LOGIN_PASSWORD
\getenv made_by MADE_BY
\getenv known KNOWN
-- One at a time: a revocation must not meet a role that is half made.
SELECT pg_advisory_xact_lock(hashtextextended('appstack roles', 0));

SELECT format('CREATE ROLE %I', name) FROM (VALUES (:'owner'), (:'login')) AS wanted (name)
  WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) \gexec
ALTER ROLE :"owner" NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS;
ALTER ROLE :"login" LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD :'password';
GRANT :"owner" TO :"login";
ALTER ROLE :"login" SET role = :'owner';
COMMENT ON ROLE :"login" IS :'made_by';

ALTER DATABASE :"DBNAME" OWNER TO :"owner";
GRANT ALL ON SCHEMA public TO :"owner";
-- The other databases are nobody's business but the superuser's.
REVOKE ALL ON DATABASE postgres, template1 FROM PUBLIC;

-- Who gives up the role (SET ROLE NONE) makes things that belong to a LOGIN. OWNER may use them at once, and gets them
-- when the next LOGIN is made.
SELECT format('ALTER DEFAULT PRIVILEGES FOR ROLE %I GRANT ALL ON %s TO %I', :'login', kind, :'owner')
  FROM unnest(ARRAY['TABLES', 'SEQUENCES', 'ROUTINES', 'TYPES', 'SCHEMAS']) AS kind \gexec
SELECT format('REASSIGN OWNED BY %I TO %I', member.rolname, :'owner')
  FROM pg_auth_members
  JOIN pg_roles AS owner ON owner.oid = roleid AND owner.rolname = :'owner'
  JOIN pg_roles AS member ON member.oid = member AND starts_with(member.rolname, :'owner' || '_') \gexec

-- A LOGIN that nobody knows is of a release that never began, or of an earlier stack on this volume.
SELECT format(statement, rolname) FROM pg_roles,
  (VALUES (1, 'DROP OWNED BY %I'), (2, 'DROP ROLE %I')) AS each (turn, statement)
  WHERE rolname ~ ('^' || :'owner' || '_[0-9a-f]{10}$') AND rolname <> :'login'
    AND rolname <> ALL (string_to_array(:'known', ' '))
  ORDER BY rolname, turn \gexec
SQL
