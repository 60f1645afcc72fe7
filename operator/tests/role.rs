//! The scripts that make and drop the roles of a database, and the one that asks a database, on a real PostgreSQL.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a helper that fails here fails its test; clippy knows only the tests themselves"
)]

#[path = "../../app/backend/tests/support/python.rs"]
mod python;
#[path = "../../app/backend/tests/support/server.rs"]
mod server;

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpListener};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

const MAKE: &str = concat!(
    include_str!("../src/build/database/role/quiet.sh"),
    include_str!("../src/build/database/role/make.sh")
);
const ASK: &str = include_str!("../src/build/database/connection/ask.sh");
const REVOKE: &str = include_str!("../src/build/database/role/revoke.sh");

/// The superuser's password.
const ADMIN: &str = "of the superuser alone";
/// As passwords are that people choose.
const CHOSEN: &str = r"it's the/\second %41";
/// A role that other releases have.
const KNOWN: &str = "0123456789";
const SOON: Duration = Duration::from_secs(30);

/// The server of all tests, which asks for passwords and is told to log every statement.
struct Server {
    programs: PathBuf,
    folder: PathBuf,
}

static SERVER: LazyLock<Server> = LazyLock::new(|| {
    let folder = server::folder();
    let programs = server::programs(&folder);
    let password = folder.join("password");
    fs::write(&password, ADMIN).unwrap();
    let password = format!("--pwfile={}", password.display());
    server::start(&programs, &folder, &["--auth=scram-sha-256", &password]);
    let server = Server { programs, folder };
    until("the server answers", || {
        server.admin("postgres", "select 1").ok()
    });
    for setting in ["log_statement = 'all'", "log_min_duration_statement = 0"] {
        let statement = format!("alter system set {setting}");
        server.admin("postgres", &statement).unwrap();
    }
    server.admin("postgres", "select pg_reload_conf()").unwrap();
    server
});

impl Server {
    /// A program with the variables by which libpq finds the server, and none of ours.
    fn program(&self, name: &str, database: &str, user: &str, password: &str) -> Command {
        let path = format!("{}:/usr/local/bin:/usr/bin:/bin", self.programs.display());
        let mut program = Command::new(name);
        program
            .env_clear()
            .env("PATH", path)
            .env("PGHOST", &self.folder)
            .env("PGDATABASE", database)
            .env("PGUSER", user)
            .env("PGPASSWORD", password);
        program
    }

    /// What the server answers to somebody, or why it does not.
    fn ask(&self, database: &str, user: &str, password: &str, sql: &str) -> Result<String, String> {
        let mut psql = self.program("psql", database, user, password);
        psql.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"]);
        said(&fed(&mut psql, sql))
    }

    fn admin(&self, database: &str, sql: &str) -> Result<String, String> {
        self.ask(database, "postgres", ADMIN, sql)
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap()
    }
}

/// A database of a test, and the roles of that name.
struct Database(&'static str);

impl Database {
    /// Databases that are made at once would wait for each other's template.
    fn new(name: &'static str) -> Self {
        let _alone = alone();
        SERVER
            .admin("postgres", &format!("create database {name}"))
            .unwrap();
        Self(name)
    }

    /// A script as a Job runs it.
    fn script(&self, script: &str, variables: &[(&str, &str)]) -> Command {
        let mut shell = SERVER.program("sh", self.0, "postgres", ADMIN);
        shell
            .args(["-c", script])
            .env("OWNER", self.0)
            .env("KNOWN", self.login(KNOWN))
            .envs(variables.iter().copied());
        shell
    }

    fn login(&self, which: &str) -> String {
        format!("{}_{which}", self.0)
    }

    fn try_make(&self, which: &str, variables: &[(&str, &str)]) -> Result<String, String> {
        let login = self.login(which);
        let variables = [&[("LOGIN", login.as_str())], variables].concat();
        // Each stack has a server of its own.
        let _alone = alone();
        said(&fed(&mut self.script(MAKE, &variables), ""))
    }

    /// Makes a role; its password is its own name.
    fn make(&self, which: &str, by: &str) {
        let variables = [("LOGIN_PASSWORD", which), ("MADE_BY", by)];
        self.try_make(which, &variables).unwrap();
    }

    /// Drops roles, each given as the script takes it but for the name of the database.
    fn revoke(&self, roles: &str, quiet: &str, patience: &str) -> Child {
        let roles = format!("{}_{roles}", self.0);
        let variables = [("ROLES", &*roles), ("QUIET", quiet), ("PATIENCE", patience)];
        let mut script = self.script(REVOKE, &variables);
        script.stdout(Stdio::piped()).stderr(Stdio::piped());
        script.spawn().unwrap()
    }

    /// What the server answers to a role.
    fn ask(&self, which: &str, sql: &str) -> Result<String, String> {
        SERVER.ask(self.0, &self.login(which), which, sql)
    }

    fn admin(&self, sql: &str) -> String {
        SERVER.admin(self.0, sql).unwrap()
    }

    /// The owners of all tables.
    fn owners(&self) -> String {
        self.admin(
            "select distinct tableowner from pg_tables where schemaname = 'public' order by 1",
        )
    }
}

fn alone() -> impl Drop {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What became of a program that reads this.
fn fed(program: &mut Command, text: &str) -> Output {
    let program = program.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = program.stderr(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().expect("it is piped");
    // Whoever is not let in does not read it.
    let _unread = input.write_all(text.as_bytes());
    drop(input);
    child.wait_with_output().unwrap()
}

fn said(output: &Output) -> Result<String, String> {
    let text = |bytes| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() {
        Ok(text(&output.stdout))
    } else {
        Err(text(&output.stderr))
    }
}

fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let give_up = Instant::now() + SOON;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < give_up, "waited in vain: {what}");
        std::thread::yield_now();
    }
}

#[test]
fn a_role_that_is_made_twice_is_the_same_and_may_nothing_but_use_its_database() {
    let it = Database::new("same");
    for by in ["one", "two"] {
        it.make("a", by);
    }
    let asked = "select session_user, current_user, current_database()";
    assert_eq!(it.ask("a", asked).unwrap(), "same_a|same|same");
    let rights = "select rolname, rolcanlogin, rolsuper or rolcreatedb or rolcreaterole or rolreplication or rolbypassrls
      from pg_roles where starts_with(rolname, 'same') order by 1";
    assert_eq!(it.admin(rights), "same|f|f\nsame_a|t|f");
    let comment =
        "select shobj_description(oid, 'pg_authid') from pg_roles where rolname = 'same_a'";
    assert_eq!(it.admin(comment), "two");
    for forbidden in [
        "create role another",
        "select pg_read_file('/etc/passwd')",
        "copy (select 1) to program 'true'",
        "alter role postgres password 'mine'",
        "alter system set log_statement = 'none'",
    ] {
        let refused = it.ask("a", forbidden).unwrap_err();
        assert!(
            refused.contains("permission denied") || refused.contains("must be"),
            "{refused}"
        );
    }
    let elsewhere = SERVER
        .ask("postgres", "same_a", "a", "select 1")
        .unwrap_err();
    assert!(elsewhere.contains("permission denied"), "{elsewhere}");
    // What applications ask for, and the owner of a database may have: extensions that PostgreSQL trusts among it.
    it.ask("a", "create schema more").unwrap();
    for extension in [
        "plpgsql",
        "citext",
        "hstore",
        "pg_trgm",
        "unaccent",
        "btree_gin",
    ] {
        let asked = format!("create extension if not exists {extension}");
        it.ask("a", &asked).unwrap();
    }
}

#[test]
fn the_next_role_may_change_and_drop_all_that_the_one_before_made() {
    let it = Database::new("next");
    it.make("a", "one");
    it.ask(
        "a",
        "create table ours (id serial primary key); insert into ours default values",
    )
    .unwrap();
    // A pool of connections that cleans up changes nothing of it; who gives up the role does.
    it.ask("a", "discard all; create table clean (i int)")
        .unwrap();
    assert_eq!(it.owners(), "next");
    it.ask(
        "a",
        "set role none; create table own (id serial primary key)",
    )
    .unwrap();
    assert_eq!(it.owners(), "next\nnext_a");
    let both = "insert into ours default values; insert into own default values";
    it.ask("a", both).unwrap();

    it.make("b", "two");
    assert_eq!(it.owners(), "next");
    for table in ["ours", "own"] {
        let change = format!(
            "alter table {table} add more int; insert into {table} default values; drop table {table}"
        );
        it.ask("b", &change).unwrap();
    }
    // The old one works on beside it.
    it.ask("b", "create table theirs (i int)").unwrap();
    it.ask("a", "alter table theirs add j int").unwrap();
    it.ask("b", "set role none; create table own (i int)")
        .unwrap();
    it.ask("a", "insert into own values (1)").unwrap();
}

#[test]
fn no_password_comes_into_the_log_of_the_server_or_of_the_job() {
    let it = Database::new("hidden");
    let chosen = [("LOGIN_PASSWORD", CHOSEN), ("MADE_BY", "one")];
    let shown = it.try_make("a", &chosen).unwrap();
    assert_eq!(shown, "");
    let user = it.login("a");
    let answer = SERVER.ask(it.0, &user, CHOSEN, "select 'it is logged'");
    assert_eq!(answer.unwrap(), "it is logged");
    // One that fails half-way: nobody says who makes it.
    let failed = it.try_make("b", &[("LOGIN_PASSWORD", CHOSEN)]).unwrap_err();
    assert!(failed.contains("ERROR"), "{failed}");
    // One that fails with the password in the statement: no role can be made by this name.
    let mut broken = it.script(MAKE, &[&[("LOGIN", "pg_mine")], &chosen[..]].concat());
    let broken = said(&fed(&mut broken, "")).unwrap_err();
    assert!(broken.contains("reserved"), "{broken}");
    let log = SERVER.log();
    assert!(log.contains("it is logged"), "{log}");
    for word in ["second", "PASSWORD '", "SCRAM-SHA-256$"] {
        assert!(!log.contains(word), "the log has {word}");
        assert!(
            !failed.contains(word) && !broken.contains(word),
            "{failed} {broken}"
        );
    }
}

#[test]
fn a_role_that_is_revoked_is_gone_and_what_it_made_stays() {
    let it = Database::new("gone");
    it.make("a", "one");
    it.make("b", "two");
    it.ask(
        "a",
        "create table ours (i int); insert into ours values (7)",
    )
    .unwrap();
    it.ask("a", "set role none; create table own (i int)")
        .unwrap();
    let told = it.revoke("a=one", "1", "30").wait_with_output().unwrap();
    assert_eq!(said(&told).unwrap(), "0");
    let refused = it.ask("a", "select 1").unwrap_err();
    assert!(refused.contains("authentication failed"), "{refused}");
    assert_eq!(
        it.admin("select rolname from pg_roles where rolname = 'gone_a'"),
        ""
    );
    assert_eq!(it.owners(), "gone");
    assert_eq!(it.ask("b", "select * from ours").unwrap(), "7");
    // It is gone already when the Job runs again.
    let told = it.revoke("a=one", "1", "30").wait_with_output().unwrap();
    assert_eq!(said(&told).unwrap(), "0");
    // And comes back when its release does.
    it.make("a", "three");
    assert_eq!(it.ask("a", "select * from ours").unwrap(), "7");
}

#[test]
fn a_role_that_nobody_knows_goes_when_the_next_one_is_made() {
    let it = Database::new("unknown");
    for role in [KNOWN, "00000000ab"] {
        it.make(role, "one");
    }
    it.ask("00000000ab", "set role none; create table own (i int)")
        .unwrap();
    it.make("00000000cd", "two");
    let roles = "select rolname from pg_roles where rolcanlogin and starts_with(rolname, 'unknown_') order by 1";
    assert_eq!(it.admin(roles), "unknown_00000000cd\nunknown_0123456789");
    assert_eq!(it.owners(), "unknown");
}

#[test]
fn a_role_that_was_made_again_is_left_alone() {
    let it = Database::new("again");
    it.make("a", "one");
    it.make("a", "two");
    let told = it.revoke("a=one", "1", "30").wait_with_output().unwrap();
    assert_eq!(said(&told).unwrap(), "0");
    it.ask("a", "select 1").unwrap();
}

#[test]
fn a_role_in_use_stays_until_its_last_session_has_ended() {
    let it = Database::new("used");
    it.make("a", "one");
    let session = Session::open(&it, "a");
    // Seconds are told as whole ones, so that one may pass between two looks at the clock.
    let revocation = it.revoke("a=one", "2", "600");
    // It looks once a second, and would be done after the third look.
    until("it has looked several times", || {
        let log = SERVER.log();
        let looks = log
            .matches("= ANY (string_to_array('used_a=one', ' '))")
            .count();
        (looks >= 5).then_some(())
    });
    it.ask("a", "select 1").unwrap();
    session.end();
    let told = revocation.wait_with_output().unwrap();
    assert_eq!(said(&told).unwrap(), "0");
    it.ask("a", "select 1").unwrap_err();
}

#[test]
fn a_session_that_does_not_end_is_ended() {
    let it = Database::new("ended");
    it.make("a", "one");
    let session = Session::open(&it, "a");
    let told = it.revoke("a=one", "600", "1").wait_with_output().unwrap();
    assert_eq!(said(&told).unwrap(), "1");
    it.ask("a", "select 1").unwrap_err();
    let sessions = "select count(*) from pg_stat_activity where usename = 'ended_a'";
    assert_eq!(it.admin(sessions), "0");
    session.end();
}

/// What somebody is told who asks whether a database lets the application in.
fn asked(it: &Database, variables: &[(&str, &str)]) -> Result<String, String> {
    let mut shell = SERVER.program("sh", it.0, &it.login("a"), "a");
    let defaults = [
        ("PGPORT", "5432"),
        ("PGSSLMODE", "disable"),
        ("SECRET", "goods"),
    ];
    shell.args(["-c", ASK]).env("PATIENCE", "0").envs(defaults);
    let output = fed(shell.envs(variables.iter().copied()), "");
    let told = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if output.status.success() {
        Ok(told)
    } else {
        Err(told)
    }
}

#[test]
fn who_asks_a_database_is_told_which_key_to_correct() {
    let it = Database::new("asked");
    it.make("a", "one");
    assert_eq!(asked(&it, &[]).unwrap(), "");
    let port = published();
    let tcp = [("PGHOST", "127.0.0.1"), ("PGPORT", port.as_str())];
    let nobody = [tcp[0], ("PGPORT", "1")];
    for (variables, told) in [
        (
            &[("PGPASSWORD", "x")][..],
            "Secret goods, user and password: the server does not let asked_a in (",
        ),
        (
            &[("PGUSER", "none")],
            "Secret goods, user and password: the server does not let none in (",
        ),
        (
            &[("PGDATABASE", "none")],
            "Secret goods, dbname: the server has no database none (",
        ),
        (
            &[("PGDATABASE", "postgres")],
            "Secret goods, user: asked_a may not use the database (",
        ),
        (
            &[("PGHOST", "none.invalid")],
            "Secret goods, host: there is no server of the name none.invalid (",
        ),
        (
            &nobody,
            "Secret goods, host and port: nobody answers at 127.0.0.1:1 (",
        ),
    ] {
        let said = asked(&it, variables).unwrap_err();
        assert!(said.starts_with(told), "{said}");
        assert!(said.ends_with(')') && !said.contains('\n'), "{said}");
    }
    assert_eq!(asked(&it, &tcp).unwrap(), "");

    // A port that something else listens at, such as a site.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let site = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut start = [0; 8];
        stream.read_exact(&mut start).unwrap();
        stream
            .write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            .unwrap();
    });
    let other = [tcp[0], ("PGPORT", port.as_str())];
    let said = asked(&it, &other).unwrap_err();
    let told = format!(
        "Secret goods, host and port: what answers at 127.0.0.1:{port} speaks no PostgreSQL ("
    );
    assert!(said.starts_with(&told), "{said}");
    site.join().unwrap();
}

#[test]
fn who_asks_a_database_is_told_what_there_is_closed_to_it() {
    let it = Database::new("closed");
    it.make("a", "one");
    it.ask(
        "a",
        "create table own (id serial, named int generated always as identity)",
    )
    .unwrap();
    // Neither what an extension brings nor what may be used in part is closed; nor is another schema the application's.
    it.admin("create extension pg_buffercache; create schema others; create table others.secrets (i int)");
    it.admin("create table part (i int, j int); grant insert (j) on part to closed");
    it.admin("create table numbered (i int generated always as identity); grant delete on numbered to closed");
    assert_eq!(asked(&it, &[]).unwrap(), "");

    it.admin("create table items (i serial); create view shown as select 1");
    let remedy = "let their owner grant it that, or make it their owner";
    assert_eq!(
        asked(&it, &[]).unwrap_err(),
        format!(
            "Secret goods, user: closed_a may not use items of postgres, items_i_seq of postgres, shown of postgres; {remedy}"
        )
    );
    it.admin("create table users (i int)");
    let said = asked(&it, &[]).unwrap_err();
    assert!(said.contains("shown of postgres, and 1 more;"), "{said}");
    it.admin("grant select on users, items, shown to closed; grant usage on sequence items_i_seq to closed");
    assert_eq!(asked(&it, &[]).unwrap(), "");

    it.admin(
        "alter schema public owner to postgres; revoke all on schema public from public, closed",
    );
    let said = asked(&it, &[]).unwrap_err();
    assert!(
        said.contains(r#"may not use any schema of its search_path, "$user", public;"#),
        "{said}"
    );
}

#[test]
fn who_asks_a_database_that_comes_up_is_let_in_then() {
    let it = Database::new("comes_up");
    it.make("a", "one");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    drop(listener);
    let mut shell = SERVER.program("sh", it.0, &it.login("a"), "a");
    let place = [
        ("PGHOST", "127.0.0.1"),
        ("PGPORT", &port),
        ("PGSSLMODE", "disable"),
    ];
    shell
        .args(["-c", ASK])
        .env("SECRET", "goods")
        .env("PATIENCE", "30");
    shell.envs(place).stdout(Stdio::piped());
    let mut asks = shell.spawn().unwrap();
    let mut told = BufReader::new(asks.stdout.take().expect("it is piped")).lines();
    let said = told.next().expect("it says why it waits").unwrap();
    assert!(said.contains("nobody answers"), "{said}");
    publish(TcpListener::bind(format!("127.0.0.1:{port}")).unwrap());
    assert!(asks.wait().unwrap().success());
}

/// The port of the server: it listens on its socket alone.
fn published() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    publish(listener);
    port.to_string()
}

/// Hands over what clients and the server say to each other.
fn publish(listener: TcpListener) {
    let socket = SERVER.folder.join(".s.PGSQL.5432");
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let (client, server) = (client.unwrap(), UnixStream::connect(&socket).unwrap());
            let (mut from_client, mut to_server) =
                (client.try_clone().unwrap(), server.try_clone().unwrap());
            let (mut from_server, mut to_client) = (server, client);
            std::thread::spawn(move || {
                // Either side may be gone.
                let _ended = std::io::copy(&mut from_client, &mut to_server);
                let _told = to_server.shutdown(Shutdown::Write);
            });
            std::thread::spawn(move || {
                let _ended = std::io::copy(&mut from_server, &mut to_client);
                let _told = to_client.shutdown(Shutdown::Write);
            });
        }
    });
}

/// Somebody who is logged in and does nothing.
struct Session(Child);

impl Session {
    fn open(database: &Database, which: &str) -> Self {
        let login = database.login(which);
        let mut psql = SERVER.program("psql", database.0, &login, which);
        psql.stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let mut child = psql.arg("-X").spawn().unwrap();
        writeln!(child.stdin.as_mut().expect("it is piped"), "begin;").unwrap();
        let sessions = format!("select count(*) from pg_stat_activity where usename = '{login}'");
        until("it is logged in", || {
            (database.admin(&sessions) == "1").then_some(())
        });
        Self(child)
    }

    fn end(mut self) {
        drop(self.0.stdin.take());
        self.0.wait().unwrap();
    }
}
