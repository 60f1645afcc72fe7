"""One round of load, by wrk: a fixed number of connections, each sends when it has its answer."""

import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass

MILLISECONDS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}


@dataclass
class Round:
    """What one round measured."""

    requests_per_second: float
    p50: float
    p99: float
    memory: float


def run(url: str, token: str, memory: Callable[[], float], connections: int, seconds: int) -> Round:
    """Measures, and asks for the memory while the load is on."""
    command = ["wrk", "--latency", "--threads", "1", "--timeout", "30s"]
    command += ["--connections", str(connections), "--duration", f"{seconds}s"]
    command += ["--header", f"Authorization: Bearer {token}", url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as wrk:
        try:
            wrk.wait(seconds * 0.75)
        except subprocess.TimeoutExpired:
            used = memory()
            report, _ = wrk.communicate()
        else:
            raise SystemExit(f"wrk ended early: {wrk.communicate()[0]}")
    return read(report, used)


def read(report: str, memory: float) -> Round:
    """Takes the figures from what wrk prints. A request that failed makes them worthless."""
    if "Non-2xx" in report or "Socket errors" in report:
        raise SystemExit(f"requests failed:\n{report}")
    rate = re.search(r"Requests/sec:\s+([\d.]+)", report)
    p50, p99 = (re.search(rf"{share}%\s+([\d.]+)(us|ms|s|m)\s", report) for share in (50, 99))
    if not (rate and p50 and p99):
        raise SystemExit(f"cannot read what wrk says:\n{report}")
    return Round(float(rate[1]), milliseconds(p50), milliseconds(p99), memory)


def milliseconds(found: re.Match[str]) -> float:
    return float(found[1]) * MILLISECONDS[found[2]]
