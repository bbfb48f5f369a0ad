"""What was measured, and on what."""

import os
import platform
import sqlite3
import subprocess
from pathlib import Path


def said(*argv) -> str:
    try:
        return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip().splitlines()[0]
    except (OSError, subprocess.CalledProcessError, IndexError):
        return ""


def first(path: str, key: str) -> str:
    for line in Path(path).read_text().splitlines():
        if line.startswith(key):
            return line.split(":", 1)[1].strip()
    return ""


def disk(place: Path) -> str:
    """Device and file system of a directory."""
    here = os.stat(place).st_dev
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        before, after = line.split(" - ")
        if before.split()[2] == f"{os.major(here)}:{os.minor(here)}":
            kind, device = after.split()[:2]
            return f"{kind} on {device}"
    return ""


def describe(root: Path, place: Path, venv: Path, modules: Path) -> dict:
    commit = said("git", "-C", str(root), "rev-parse", "--short=12", "HEAD")
    changed = subprocess.run(["git", "-C", str(root), "status", "--porcelain"], capture_output=True, text=True).stdout
    versions = {
        "rustc": said("rustc", "--version"),
        "sqlite3": said("sqlite3", "--version").split(" ")[0],
        "python": platform.python_version(),
        "python sqlite3": sqlite3.sqlite_version,
    }
    script = "from importlib.metadata import version; print(version('cryptography'))"
    versions["cryptography"] = said(str(venv / "bin/python"), "-c", script)
    versions["node"] = said("node", "--version")
    script = (
        "const at = require('node:module').createRequire(process.argv[1] + '/'); const Database = at('better-sqlite3');"
        "const sqlite = new Database(':memory:').prepare('SELECT sqlite_version() AS it').get().it;"
        "console.log(at('better-sqlite3/package.json').version + ' with sqlite ' + sqlite)"
    )
    versions["better-sqlite3"] = said("node", "-e", script, str(modules))
    return {
        "commit": commit + (" with changes" if changed.strip() else ""),
        "machine": {
            "cpu": first("/proc/cpuinfo", "model name"),
            "cores": os.cpu_count(),
            "memory": first("/proc/meminfo", "MemTotal"),
            "kernel": platform.release(),
            "disk": disk(place),
        },
        "versions": versions,
    }


def sqlite_of(store: Path) -> str:
    """The version of SQLite that wrote a database: its header says so."""
    with open(store, "rb") as header:
        number = int.from_bytes(header.read(100)[96:100], "big")
    return f"{number // 1_000_000}.{number // 1000 % 1000}.{number % 1000}"
