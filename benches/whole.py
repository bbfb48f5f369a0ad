#!/usr/bin/env python3
"""Benchmarks of the whole: files through the release binary, beside other ways of doing the same. `make bench` runs it."""

import argparse
import json
from pathlib import Path

from harness import contenders, machine, measure, scenarios, whole
from harness.site import SERVICES, Site

ROOT = contenders.BENCHES.parent
SCENARIOS = {
    "whole": whole.bench,
    "services": scenarios.services,
    "small": scenarios.small,
    "one": scenarios.one,
    "growth": scenarios.growth,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scenario", nargs="*", default=["whole"], help=f"any of {', '.join(SCENARIOS)}")
    parser.add_argument("--target", type=Path, default=ROOT / "target", help="where the build and all that is made here lies")
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--bad", type=int, default=0, help="how many of a hundred records are bad")
    parser.add_argument("--service", default="payment-cards", choices=SERVICES, help="of the whole; peers do payment-cards alone")
    parser.add_argument("--only", type=lambda text: text.split(","), default=[], help="contenders, separated by commas")
    parser.add_argument("--cache", help="the store's cache, such as 512MiB, for every contender; without it nightdrop's default")
    options = parser.parse_args()
    if unknown := set(options.scenario) - set(SCENARIOS):
        parser.error(f"{', '.join(unknown)}: there are {', '.join(SCENARIOS)}")
    target = options.target.resolve()
    place, options.venv, options.modules = target / "bench", target / "bench-venv", target / "bench-node"
    place.mkdir(parents=True, exist_ok=True)
    site = Site(place, target / "release/nightdrop")
    about = machine.describe(ROOT, place, options.venv, options.modules)
    print(json.dumps(about, indent=2))
    for scenario in options.scenario:
        try:
            result = SCENARIOS[scenario](site, options)
        except measure.Failed as failure:
            raise SystemExit(f"{scenario}: {failure}") from failure
        store = site.base / "runs/nightdrop/store/nightdrop.db"
        if store.exists():
            about["versions"]["nightdrop's sqlite"] = machine.sqlite_of(store)
        to = place / f"{scenario}.json"
        to.write_text(json.dumps({**about, "cache": options.cache, **result}, indent=2) + "\n")
        print(f"\n  -> {to}")


if __name__ == "__main__":
    main()
