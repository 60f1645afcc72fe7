//! What ordinary runtimes print when a program ends, as they printed it; of Ruby, PHP and .NET as their documentation shows it.

use super::*;

fn check(printed: &str, expected: &str) {
    let lines: Vec<&str> = printed.lines().filter(|it| !it.is_empty()).collect();
    let told: Vec<&str> = lines[telling(&lines)].iter().map(|it| bare(it)).collect();
    assert_eq!(told.join(" "), expected, "{printed}");
}

#[test]
fn python() {
    check(
        r#"Traceback (most recent call last):
  File "/app/main.py", line 4, in read
    {}["SECRET"]
    ~~^^^^^^^^^^
KeyError: 'SECRET'

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "/app/main.py", line 8, in <module>
    read()
  File "/app/main.py", line 6, in read
    raise RuntimeError("settings are wrong") from e
RuntimeError: settings are wrong"#,
        "RuntimeError: settings are wrong",
    );
    check(
        r#"  File "/app/main.py", line 1
    def a(:
          ^
SyntaxError: invalid syntax"#,
        "SyntaxError: invalid syntax",
    );
    check(
        r#"  File "/usr/lib/python3.11/site-packages/django/conf/__init__.py", line 82, in _setup
    raise ImproperlyConfigured(
django.core.exceptions.ImproperlyConfigured: The SECRET_KEY setting must not be empty."#,
        "django.core.exceptions.ImproperlyConfigured: The SECRET_KEY setting must not be empty.",
    );
    check(
        r"  + Exception Group Traceback (most recent call last):
  | ExceptionGroup: two (2 sub-exceptions)
  +-+---------------- 1 ----------------
    | ValueError: no port
    +------------------------------------",
        "ValueError: no port",
    );
}

#[test]
fn python_with_words_of_libraries_below() {
    check(
        r#"INFO  [alembic.runtime.migration] Running upgrade  -> 851f746e365c, one
Traceback (most recent call last):
  File "/usr/lib/python3.11/site-packages/sqlalchemy/engine/default.py", line 1192, in do_execute
    cursor.execute(statement, parameters)
sqlite3.OperationalError: no such table: items

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "/usr/lib/python3.11/site-packages/sqlalchemy/engine/base.py", line 2351, in _handle_dbapi_exception
    raise sqlalchemy_exception.with_traceback(exc_info[2]) from e
  File "/usr/lib/python3.11/site-packages/sqlalchemy/engine/default.py", line 1192, in do_execute
    cursor.execute(statement, parameters)
sqlalchemy.exc.OperationalError: (sqlite3.OperationalError) no such table: items
[SQL: ALTER TABLE items ADD COLUMN price int]
(Background on this error at: https://sqlalche.me/e/21/e3q8)"#,
        "sqlalchemy.exc.OperationalError: (sqlite3.OperationalError) no such table: items",
    );
    check(
        r#"Traceback (most recent call last):
  File "/app/main.py", line 5, in <module>
    S(FIRST_SUPERUSER="admin@shop.localhost")
pydantic_core._pydantic_core.ValidationError: 2 validation errors for S
SECRET_KEY
  Field required [type=missing, input_type=dict]
    For further information visit https://errors.pydantic.dev/2.14/v/missing"#,
        "pydantic_core._pydantic_core.ValidationError: 2 validation errors for S",
    );
    check(
        r#"  File "/app/main.py", line 1, in <module>
    import nosuch
ModuleNotFoundError: No module named 'nosuch'
[2026-01-02 03:04:05 +0000] [7] [INFO] Worker exiting (pid: 7)
[2026-01-02 03:04:05 +0000] [1] [ERROR] Worker (pid:7) exited with code 3
[2026-01-02 03:04:05 +0000] [1] [ERROR] Reason: Worker failed to boot."#,
        "ModuleNotFoundError: No module named 'nosuch'",
    );
    check(
        r#"  File "/app/main.py", line 9, in lifespan
    raise RuntimeError("no database")
RuntimeError: no database

ERROR:    Application startup failed. Exiting."#,
        "RuntimeError: no database",
    );
}

#[test]
fn python_drawn_by_rich() {
    check(
        r#"╭───────────────────── Traceback (most recent call last) ──────────────────────╮
│ /app/main.py:6 in <module>                                                   │
│ ❱ 6 connect("x")                                                             │
│                                                                              │
│ /app/main.py:5 in connect                                                    │
│   4 def connect(url):                                                        │
│ ❱ 5 │   import nosuchmodule                                                  │
│ ╭─ locals ──╮                                                                │
│ │ url = 'x' │                                                                │
│ ╰───────────╯                                                                │
╰──────────────────────────────────────────────────────────────────────────────╯
ModuleNotFoundError: No module named 'nosuchmodule'"#,
        "ModuleNotFoundError: No module named 'nosuchmodule'",
    );
    check(
        r"╭─ Error ──────────────────────────╮
│ Error: no such command 'serv'    │
╰──────────────────────────────────╯",
        "Error: no such command 'serv'",
    );
}

#[test]
fn java() {
    check(
        r#"Exception in thread "main" java.lang.IllegalStateException: cannot start the application
	at A.f(A.java:1)
	at A.main(A.java:3)
Caused by: java.lang.Exception: cannot reach the database
	at A.g(A.java:2)
	at java.base/jdk.internal.reflect.NativeMethodAccessorImpl.invoke0(Native Method)
Caused by: java.net.ConnectException: Connection refused
	... 10 more"#,
        "Caused by: java.net.ConnectException: Connection refused",
    );
    check(
        "Caused by: java.lang.NullPointerException\n\tat A.g(A.java:2)",
        "Caused by: java.lang.NullPointerException",
    );
    check(
        r"ERROR: Unable to obtain connection from database (jdbc:postgresql://db/app) for user 'app': refused
--------------------------------------------
SQL State  : 08001
Error Code : 0",
        "ERROR: Unable to obtain connection from database (jdbc:postgresql://db/app) for user 'app': refused",
    );
}

#[test]
fn node() {
    check(
        r"node:internal/modules/cjs/loader:1210
  throw err;
  ^

Error: Cannot find module './nosuch'
Require stack:
- /app/main.js
    at Module._resolveFilename (node:internal/modules/cjs/loader:1207:15)
    at Function.executeUserEntryPoint [as runMain] (node:internal/modules/run_main:164:12) {
  code: 'MODULE_NOT_FOUND',
  requireStack: [ '/app/main.js' ]
}

Node.js v20.20.2",
        "Error: Cannot find module './nosuch'",
    );
    check(
        r"Error: cannot start
    at main (/app/main.js:1:113)
    at node:internal/main/run_main_module:28:49 {
  [cause]: Error: connect ECONNREFUSED 127.0.0.1:5432
      at main (/app/main.js:1:34) {
    code: 'ECONNREFUSED'
  }
}

Node.js v20.20.2",
        "[cause]: Error: connect ECONNREFUSED 127.0.0.1:5432",
    );
    check(
        "Error: P1001: Can't reach database server at `db:5432`\n\nPlease make sure your database server is running at `db:5432`.",
        "Error: P1001: Can't reach database server at `db:5432`",
    );
}

#[test]
fn go() {
    check(
        "panic: cannot migrate: no such table\n\ngoroutine 1 [running]:\nmain.main()\n\t/app/main.go:3 +0x73\nexit status 2",
        "panic: cannot migrate: no such table",
    );
    check(
        "fatal error: all goroutines are asleep - deadlock!\n\ngoroutine 1 [chan receive]:\nmain.(*DBError).Error(...)\n\t/app/main.go:2 +0x25",
        "fatal error: all goroutines are asleep - deadlock!",
    );
    check(
        "2026/11/29 23:11:49 starting\n2026/11/29 23:11:49 dial tcp 127.0.0.1:5432: connect: connection refused",
        "2026/11/29 23:11:49 dial tcp 127.0.0.1:5432: connect: connection refused",
    );
    check(
        "{\"level\":\"fatal\",\"msg\":\"no database\"}\n{\"level\":\"info\",\"msg\":\"bye\"}",
        "{\"level\":\"fatal\",\"msg\":\"no database\"}",
    );
}

#[test]
fn rust() {
    check(
        r"
thread 'main' (9396) panicked at src/main.rs:1:41:
PORT must be set
stack backtrace:
   0: __rustc::rust_begin_unwind
             at /rustc/59807616e1fa/library/std/src/panicking.rs:689:5
note: Some details are omitted, run with `RUST_BACKTRACE=full` for a verbose backtrace.",
        "thread 'main' (9396) panicked at src/main.rs:1:41: PORT must be set",
    );
    check(
        "Error: ParseIntError { kind: InvalidDigit }",
        "Error: ParseIntError { kind: InvalidDigit }",
    );
    check(
        "error: unrecognized subcommand 'nonsense'\n\nUsage: backend <COMMAND>\n\nFor more information, try '--help'.",
        "error: unrecognized subcommand 'nonsense'",
    );
}

#[test]
fn ruby_php_and_dotnet() {
    check(
        "app.rb:3:in `fetch': key not found: \"SECRET\" (KeyError)\n\tfrom app.rb:3:in `<main>'",
        "app.rb:3:in `fetch': key not found: \"SECRET\" (KeyError)",
    );
    check(
        "pg.rb:9:in 'connect': refused (ActiveRecord::ConnectionNotEstablished)\n\tfrom app.rb:3:in '<main>'",
        "pg.rb:9:in 'connect': refused (ActiveRecord::ConnectionNotEstablished)",
    );
    check(
        "PHP Fatal error:  Uncaught PDOException: SQLSTATE[HY000] [2002] Connection refused in /app/i.php:3\nStack trace:\n#0 /app/i.php(3): PDO->__construct()\n#1 {main}\n  thrown in /app/i.php on line 3",
        "PHP Fatal error:  Uncaught PDOException: SQLSTATE[HY000] [2002] Connection refused in /app/i.php:3",
    );
    check(
        r"Unhandled exception. System.InvalidOperationException: cannot start
 ---> Npgsql.NpgsqlException (0x80004005): Failed to connect to 10.0.0.7:5432
   at Npgsql.Internal.NpgsqlConnector.Connect()
   --- End of inner exception stack trace ---
   at Program.<Main>$(String[] args) in /app/Program.cs:line 3",
        "---> Npgsql.NpgsqlException (0x80004005): Failed to connect to 10.0.0.7:5432",
    );
}

#[test]
fn shells_servers_and_tools() {
    check(
        "starting\nsh: 1: gunicron: not found",
        "sh: 1: gunicron: not found",
    );
    check(
        "FAILED: Can't locate revision identified by 'nosuch'",
        "FAILED: Can't locate revision identified by 'nosuch'",
    );
    check(
        "CommandError: Unknown command: 'nosuch'\nType 'manage.py help' for usage.",
        "CommandError: Unknown command: 'nosuch'",
    );
    check(
        "2026-01-02 03:04:05 UTC [1] FATAL:  password authentication failed for user \"app\"\n2026-01-02 03:04:06 UTC [1] LOG:  shutting down",
        "2026-01-02 03:04:05 UTC [1] FATAL:  password authentication failed for user \"app\"",
    );
    check("one\ntwo", "two");
    check("", "");
}

#[test]
fn causes_that_are_listed_below_an_error() {
    check(
        "Error: could not load server settings

Caused by:
    failed to create file `/config/server.toml`: Read-only file system (os error 30)

Location:
    crates/atuin-server/src/settings.rs:130:17",
        "failed to create file `/config/server.toml`: Read-only file system (os error 30)",
    );
    check(
        "Error: cannot start

Caused by:
    0: error returned from database
    1: no such table",
        "1: no such table",
    );
}

#[test]
fn rake() {
    check(
        "== 20220224194639 DeleteOrphanedTimeEntryActivities: migrated (0.0098s) ==
rails aborted!
Errno::EACCES: Permission denied @ rb_sysopen - /usr/share/redmine/db/schema.rb
/usr/share/rails/activerecord/lib/active_record/tasks/database_tasks.rb:424:in `open'
Tasks: TOP => db:schema:dump
(See full trace by running task with --trace)",
        "Errno::EACCES: Permission denied @ rb_sysopen - /usr/share/redmine/db/schema.rb",
    );
    check(
        "rails aborted!
could not find a temporary directory
(See full trace by running task with --trace)",
        "could not find a temporary directory",
    );
}
