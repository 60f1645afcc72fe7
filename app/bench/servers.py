"""The two servers: how they are started, how much memory they use, how they end."""

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import packages
from database import Database, free_port

START_WITHIN = 60.0
HERE = Path(__file__).parent
ITEMS = "/api/v1/items/?limit=20"

# What the backend asks for, and the key, with which both check tokens.
SETTINGS = {
    "ENVIRONMENT": "production",
    "FRONTEND_HOST": "http://localhost",
    "FIRST_SUPERUSER": "admin@example.com",
    "FIRST_SUPERUSER_PASSWORD": "a password of nobody",
    "SECRET_KEY": "a key for this run only, 32 bytes or more",
}


class Server:
    """Runs from `with` to its end. It logs each request to a file, as it does in a deployment."""

    name: str

    def __init__(self, database: Database, workers: int) -> None:
        self.port = free_port()
        self.workers = workers
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = {
            "PATH": os.environ["PATH"],
            "WEB_CONCURRENCY": str(workers),
            **SETTINGS,
            **database.settings,
        }
        self.log = database.folder / f"{type(self).__name__}.log"

    def command(self) -> list[str]:
        raise NotImplementedError

    def __enter__(self) -> "Server":
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                self.command(), env=self.environment, cwd=HERE, stdout=log, stderr=log
            )
        try:
            self._wait()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_) -> None:
        self.process.terminate()
        self.process.wait(timeout=60)

    def call(self, path: str, token: str = "", body: bytes | None = None, kind: str = "") -> dict:
        """The answer to a request that must succeed."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        if kind:
            headers["Content-Type"] = kind
        request = urllib.request.Request(self.url + path, data=body, headers=headers)
        with urllib.request.urlopen(request, timeout=30) as response:
            return json.load(response)

    def memory(self) -> float:
        """MiB of all its processes: PSS, which counts a page that several share once."""
        return sum(pss(process) for process in family(self.process.pid)) / 1024

    def _wait(self) -> None:
        """Any answer will do. Without a token it is a refusal."""
        give_up = time.monotonic() + START_WITHIN
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > give_up:
                raise SystemExit(f"{self.name} does not start:\n{self.log.read_text()[-2000:]}")
            time.sleep(0.1)

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(self.url + ITEMS, timeout=5):
                return True
        except urllib.error.HTTPError:
            return True
        except OSError:
            return False


class Ours(Server):
    """The backend, as it is released."""

    name = "backend"
    binary: Path

    def command(self) -> list[str]:
        return [str(self.binary), "serve", "--port", str(self.port)]

    def run(self, command: str) -> None:
        """Runs one of its jobs to the end."""
        subprocess.run(
            [self.binary, command], env=self.environment, stdout=subprocess.DEVNULL, check=True
        )


class Peer(Server):
    """FastAPI on uvicorn."""

    name = "FastAPI + SQLModel"
    module = "peer"

    def command(self) -> list[str]:
        self.environment["PYTHONPATH"] = str(packages.peer())
        uvicorn = [sys.executable, "-B", "-m", "uvicorn", f"{self.module}:app", "--port", str(self.port)]
        return [*uvicorn, "--workers", str(self.workers), "--loop", "uvloop", "--http", "httptools"]


class AsyncPeer(Peer):
    """The same without threads."""

    name = "the same, async"
    module = "peer_async"


def build() -> Path:
    """The release binary of the backend, built when it is not up to date."""
    cargo = ["cargo", "build", "--release", "--package", "backend", "--message-format=json"]
    built = subprocess.run(cargo, cwd=HERE, stdout=subprocess.PIPE, text=True, check=True)
    messages = map(json.loads, built.stdout.splitlines())
    return Path(next(path for message in messages if (path := message.get("executable"))))


def family(process: int) -> list[int]:
    """The process and all below it."""
    children = Path(f"/proc/{process}/task").glob("*/children")
    below = [int(child) for listed in children for child in listed.read_text().split()]
    return [process, *(member for child in below for member in family(child))]


def pss(process: int) -> int:
    """In KiB."""
    rollup = Path(f"/proc/{process}/smaps_rollup").read_text()
    return next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
