"""Runs a program and says what it took: time, processor, memory."""

import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

# How often the program is looked at. A look costs some 20 µs, so that looking takes less than half a percent of a core.
LOOK_S = 0.005


@dataclass
class Taken:
    """What a run took."""

    exit: int
    # From before the fork to the end of the process.
    process_s: float
    # From before the fork until the awaited file was there; None if none was awaited.
    answer_s: float | None
    # User and system time of the process and all its children, as the kernel counted them.
    cpu_s: float
    # The highest resident memory (VmHWM) of the process, plus that of each of its children.
    peak_bytes: int


class Failed(Exception):
    """A run that did not end as it must."""


def run(argv, log: Path, *, answer: Path | None = None, exits=(0,), stdin=None, cwd=None, until=None) -> Taken:
    """Runs a program to its end. `until` may end it: it is asked at each look and says True when it is enough."""
    peaks: dict[int, int] = {}
    answer_s = None
    with open(log, "wb") as out:
        start = time.monotonic()
        child = subprocess.Popen(
            [str(part) for part in argv], stdin=stdin or subprocess.DEVNULL, stdout=out, stderr=out, cwd=cwd
        )
        # ru_maxrss will not do: it counts what the forking harness had resident, too. VmHWM begins anew at exec.
        while os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            if answer and answer_s is None and answer.exists():
                answer_s = time.monotonic() - start
            look_at_memory(child.pid, peaks)
            if until and until():
                child.send_signal(signal.SIGTERM)
                until = None
            time.sleep(LOOK_S)
        process_s = time.monotonic() - start
        if answer and answer_s is None and answer.exists():
            answer_s = process_s
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode not in exits:
        end = log.read_text(errors="replace")[-2000:]
        raise Failed(f"{argv[0]} ended with {child.returncode}:\n{end}")
    if answer and answer_s is None:
        raise Failed(f"{argv[0]} left no {answer.name}:\n{log.read_text(errors='replace')[-2000:]}")
    return Taken(child.returncode, process_s, answer_s, usage.ru_utime + usage.ru_stime, sum(peaks.values()))


def look_at_memory(pid: int, peaks: dict[int, int]):
    """Notes the highest memory of a process and its children so far."""
    try:
        with open(f"/proc/{pid}/status", "rb") as status:
            for line in status:
                if line.startswith(b"VmHWM:"):
                    peaks[pid] = int(line.split()[1]) * 1024
                    break
        with open(f"/proc/{pid}/task/{pid}/children", "rb") as children:
            for child in children.read().split():
                look_at_memory(int(child), peaks)
    except (FileNotFoundError, ProcessLookupError):
        pass
