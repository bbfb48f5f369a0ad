"""What only nightdrop is measured in: service beside service, many small files, one small file, a register that has grown."""

import os
import re
import shutil
import subprocess
import time
from statistics import median

from . import measure, table
from .contenders import Nightdrop
from .site import Site, disjoint_seed, drop, outcome, stem

SMALL_FILES, SMALL_RECORDS = 1_000, 100
ONE_TIMES = 40
# Registers that a file is dropped onto, in files of its own size that were registered before.
HELD = (0, 1, 2, 5, 10)
LONG_S = 60


def figures(records: int, runs: list[measure.Taken], base: list[measure.Taken] | None = None) -> dict:
    result = {
        "records_per_second": median(records / run.process_s for run in runs),
        "process_s": median(run.process_s for run in runs),
        "cpu_us_per_record": median(run.cpu_s / records * 1e6 for run in runs),
        "peak_bytes": median(run.peak_bytes for run in runs),
        "rounds": [vars(run) for run in runs],
    }
    if base:
        result["of_first"] = median(first.process_s / run.process_s for run, first in zip(runs, base))
    return result


def row(name: str, records: int, runs: list[measure.Taken], base: list[measure.Taken]) -> list[str]:
    return [
        name,
        table.spread([records / run.process_s for run in runs]),
        table.spread([run.cpu_s / records * 1e6 for run in runs], "{:.2f} µs"),
        table.spread([run.peak_bytes / (1 << 20) for run in runs], "{:.0f} MiB"),
        table.spread([first.process_s / run.process_s for run, first in zip(runs, base)], "{:.2f}"),
    ]


def services(site: Site, options) -> dict:
    """Files of equal size of three services, each onto an empty store, in turn."""
    records = options.records
    names = ["payment-cards", "pan-lists", "cards"]
    taken = {name: [] for name in names}
    for _ in range(options.rounds):
        for name in names:
            taken[name].append(Nightdrop(site, site.sealed(name, records, bad=options.bad), options.cache).run()[0])
    base = taken[names[0]]
    table.show(
        f"service by service, {records:,} records, empty stores, medians of {options.rounds} rounds; of first: against payment-cards",
        ["", "records/s", "cpu", "memory", "of first"],
        [row(name, records, runs, base) for name, runs in taken.items()],
    )
    return {"records": records, "services": {name: figures(records, runs, base) for name, runs in taken.items()}}


def small(site: Site, options) -> dict:
    """A thousand files of a hundred records, of one issuer and of ten, as one batch run. Time is that of the whole process."""
    files, result, rows, homes = SMALL_FILES, {}, [], []
    for issuers in (1, 10):
        of = Site(site.base, site.nightdrop, issuers)
        every = [(of.issuers[n % issuers], n // issuers) for n in range(files)]
        sealed = [
            (issuer, of.sealed("payment-cards", SMALL_RECORDS, seed=disjoint_seed(SMALL_RECORDS * n), issuer=issuer))
            for issuer, n in every
        ]

        def run(*before):
            home = of.fresh(f"small-{issuers}-{len(homes)}", cache=options.cache)
            homes.append(home)
            for issuer, file in sealed:
                drop(file, home, issuer)
            os.sync()
            argv = [*before, of.nightdrop, "once", "--config", home / "nightdrop.toml"]
            taken = measure.run(argv, of.base / "logs/small.log")
            done = sum(1 for _ in home.glob("outbound/*/*.summary.json"))
            if done != files:
                raise measure.Failed(f"{done} of {files} files have a summary")
            return taken

        runs = [run() for _ in range(options.rounds)]
        counts = of.base / "logs/small.strace"
        run("strace", "-f", "-c", "-o", counts, "-e", "trace=fsync,fdatasync")
        # % time, seconds, usecs/call, calls, [errors,] call
        synced = sum(int(line.split()[3]) for line in counts.read_text().splitlines() if re.search(r"(fsync|fdatasync)$", line))
        name = f"{issuers} issuer{'s' if issuers > 1 else ''}"
        rates = [files / run.process_s for run in runs]
        cpu = [run.cpu_s / files * 1e3 for run in runs]
        rows.append([
            name, table.spread(rates), table.spread(cpu, "{:.2f} ms"),
            table.spread([run.peak_bytes / (1 << 20) for run in runs], "{:.0f} MiB"), f"{synced / files:.1f}",
        ])
        result[name] = {
            "files_per_second": median(rates), "cpu_ms_per_file": median(cpu),
            "peak_bytes": median(run.peak_bytes for run in runs), "syncs": synced, "syncs_per_file": synced / files,
            "rounds": [vars(run) for run in runs],
        }
    table.show(
        f"{files:,} files of {SMALL_RECORDS} records, settle 0, medians of {options.rounds} rounds; syncs counted by strace in a run of its own",
        ["", "files/s", "cpu a file", "memory", "syncs a file"], rows,
    )
    for home in homes:
        shutil.rmtree(home)
    return {"files": files, "records": SMALL_RECORDS, "issuers": result}


def one(site: Site, options) -> dict:
    """A file of a hundred records renamed into the directory of an idle daemon: from the rename to the summary, settle 0."""
    sealed = [site.sealed("payment-cards", SMALL_RECORDS, seed=disjoint_seed(SMALL_RECORDS * n)) for n in range(ONE_TIMES)]
    home = site.fresh("one", cache=options.cache)
    inbound, outbound = home / "inbound/ACME", home / "outbound/ACME"
    took = []
    with open(site.base / "logs/one.log", "wb") as log:
        daemon = subprocess.Popen([site.nightdrop, "run", "--config", home / "nightdrop.toml"], stdout=log, stderr=log)
        try:
            wait_for(daemon, (home / "nightdrop.sock").exists)
            for file in sealed:
                part = inbound / f"{file.name}.part"
                shutil.copyfile(file, part)
                os.sync()
                # What the daemon does after an answer, and its look at the temporary name, are over by then.
                time.sleep(0.25)
                answer = outbound / f"{stem(file)}.summary.json"
                begin = time.monotonic()
                part.rename(inbound / file.name)
                wait_for(daemon, answer.exists)
                took.append((time.monotonic() - begin) * 1e3)
        finally:
            daemon.terminate()
            daemon.wait(LONG_S)
    table.show(
        f"one file of {SMALL_RECORDS} records into an idle daemon, from its rename to its summary, settle 0",
        ["", "lowest", "median", "90 %", "highest"],
        [[f"{len(took)} files", *(f"{value:.1f} ms" for value in (min(took), median(took), sorted(took)[len(took) * 9 // 10], max(took)))]],
    )
    return {"records": SMALL_RECORDS, "median_ms": median(took), "ms": took}


def wait_for(daemon: subprocess.Popen, condition):
    end = time.monotonic() + LONG_S
    while not condition():
        if daemon.poll() is not None:
            raise measure.Failed(f"the daemon ended with {daemon.returncode}")
        if time.monotonic() > end:
            raise measure.Failed(f"nothing came within {LONG_S} s")
        time.sleep(0.0005)


def growth(site: Site, options) -> dict:
    """Files of one size onto stores that hold 0, 1, 2, 5 and 10 of them, with the default cache and a large one.

    A store is grown by nightdrop itself, file by file, and its copies are kept. A copy is in the page cache when a run begins.
    """
    records = options.records
    stores = grown(site, records)
    caches = [None, "512MiB"]
    taken = {(held, cache): [] for cache in caches for held in HELD}
    for _ in range(options.rounds):
        for (held, cache), runs in taken.items():
            sealed = site.sealed("payment-cards", records, seed=disjoint_seed(records * held))
            runs.append(onto(site, sealed, stores[held], cache, records))
    rows, result = [], []
    for (held, cache), runs in taken.items():
        base = taken[0, cache]
        name = f"{held * records:,}, cache {cache or '64MiB'}"
        rows.append(row(name, records, runs, base))
        result.append({"held": held * records, "cache": cache or "64MiB", **figures(records, runs, base)})
    table.show(
        f"{records:,} records onto a register that holds so many, medians of {options.rounds} rounds; of first: against an empty one",
        ["held", "records/s", "cpu", "memory", "of first"], rows,
    )
    return {"records": records, "onto": result}


def onto(site: Site, sealed, store, cache, records: int) -> measure.Taken:
    home = site.fresh("growth", cache=cache, store=store)
    drop(sealed, home)
    os.sync()
    summary = home / "outbound/ACME" / f"{stem(sealed)}.summary.json"
    argv = [site.nightdrop, "once", "--config", home / "nightdrop.toml"]
    taken = measure.run(argv, site.base / "logs/growth.log", answer=summary)
    if (registered := outcome(summary, "REGISTERED")) != records:
        raise measure.Failed(f"{registered} of {records} records of {sealed.name} were new to the register")
    return taken


def grown(site: Site, records: int) -> dict:
    """Stores that hold so many files of so many records; made once."""
    kept = site.base / "stores"
    kept.mkdir(exist_ok=True)
    stores, store = {0: None}, None
    for held in range(1, max(HELD) + 1):
        place = kept / f"{held}x{records}"
        if not place.exists():
            sealed = site.sealed("payment-cards", records, seed=disjoint_seed(records * (held - 1)))
            onto(site, sealed, store, None, records)
            part = kept / "part"
            shutil.rmtree(part, ignore_errors=True)
            (site.base / "runs/growth/store").rename(part)
            part.rename(place)
            print(f"  a store of {held * records:,} records is made", flush=True)
        # One that no run begins with is only a step to the next.
        if held > 1 and held - 1 not in HELD and store:
            shutil.rmtree(store)
        stores[held] = store = place
    return stores
