#!/usr/bin/env python3
"""What criterion measured of the stages, a record, and the sum of those that are not the database. `make bench-stages` runs it.

Each runs by itself, on one thread, with what it works on in the processor's caches. Not in the sum: the way from thread to thread,
rows read back from the store, what the kernel does in its own time, the acknowledgement and the summary, an answer's seal.
"""

import argparse
import json
from pathlib import Path

from harness import machine

ROOT = Path(__file__).resolve().parent.parent
# As many as benches/stages/main.rs gives to each stage; to those that take a file as it comes, so many times as many.
RECORDS, TEXTS = 50_000, 20
# Stage and how often a file goes through it: what the main job does beside the database, once each.
STAGES = [
    ("claim/copy", 1, "copied, hashed, synced"),
    ("open/jwe RSA-OAEP-256 (3072)", 2, "opened, in each of two passes"),
    ("parse/csv survey", 1, "pass 1: proven"),
    ("parse/csv cut", 1, "pass 2: cut into chunks"),
    ("prepare/csv chunks", 1, "judged, fingerprinted, sealed, named, packed"),
    ("report/recon", 1, "unpacked, written, hashed, synced, read back"),
]
PARTS = ["prepare/fingerprint and identifier", "prepare/seal"]
# Figures that lie further apart than this are of different runs.
RUN_S = 1800


def estimates(criterion: Path, stage: str) -> Path:
    """Where criterion put what it found."""
    # Criterion puts an underscore in the place of what a file name may not hold.
    group, name = stage.split("/", 1)
    return criterion / group / name.replace("/", "_") / "new/estimates.json"


def ns(criterion: Path, stage: str) -> float:
    """The median of a stage, a record."""
    records = RECORDS * (TEXTS if stage.startswith(("claim/", "open/")) else 1)
    return json.loads(estimates(criterion, stage).read_text())["median"]["point_estimate"] / records


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--target", type=Path, default=Path("target"), help="where criterion has left its figures")
    target = parser.parse_args().target.resolve()
    criterion, place = target / "criterion", target / "bench"
    ages = [estimates(criterion, stage).stat().st_mtime for stage in [*(stage for stage, _, _ in STAGES), *PARTS]]
    if max(ages) - min(ages) > RUN_S:
        raise SystemExit("the stages were measured in different runs: run all of them")
    taken = {stage: ns(criterion, stage) * times for stage, times, _ in STAGES}
    parts = {part: ns(criterion, part) for part in PARTS}
    print("\nns a record, of the processor (medians)")
    for stage, _, what in STAGES:
        print(f"{taken[stage]:8.0f}  {stage}: {what}")
        if stage.startswith("prepare/"):
            for part in PARTS:
                print(f"{'':8}  {parts[part]:4.0f}  of it {part.split('/')[1]}")
    total = sum(taken.values())
    print(f"{total:8.0f}  sum of these stages")
    place.mkdir(parents=True, exist_ok=True)
    to = place / "stages.json"
    about = machine.describe(ROOT, place, target / "bench-venv", target / "bench-node")
    to.write_text(json.dumps({**about, "ns_a_record": {**taken, "sum": total}, "of_it": parts}, indent=2) + "\n")
    print(f"\n  -> {to}")


if __name__ == "__main__":
    main()
