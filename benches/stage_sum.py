#!/usr/bin/env python3
"""What criterion measured of the stages, a record, and the sum of those that are not the database. `make bench-stages` runs it."""

import argparse
import json
from pathlib import Path

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


def ns(criterion: Path, stage: str) -> float:
    """The median of a stage, a record."""
    # Criterion puts an underscore in the place of what a file name may not hold.
    group, name = stage.split("/", 1)
    estimates = criterion / group / name.replace("/", "_") / "new/estimates.json"
    return json.loads(estimates.read_text())["median"]["point_estimate"] / RECORDS / (TEXTS if group in ("claim", "open") else 1)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--target", type=Path, default=Path("target"), help="where criterion has left its figures")
    criterion = parser.parse_args().target / "criterion"
    print("\nns a record, of the processor (medians)")
    total = 0.0
    for stage, times, what in STAGES:
        took = ns(criterion, stage) * times
        total += took
        print(f"{took:8.0f}  {stage}: {what}")
        if stage.startswith("prepare/"):
            for part in PARTS:
                print(f"{'':8}  {ns(criterion, part):4.0f}  of it {part.split('/')[1]}")
    print(f"{total:8.0f}  all that is not the database")


if __name__ == "__main__":
    main()
