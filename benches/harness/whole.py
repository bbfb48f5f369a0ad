"""The whole of the main job, beside its peers: from the sealed file in the inbound directory to the answer on disk."""

from statistics import median

from . import contenders, measure, table
from .contenders import Import, Nightdrop, Peer
from .site import Site

TIMED = """\
What is timed. Every contender begins with an empty store and the sealed file in the page cache, one after another in each round.
  records/s   records over the time of the whole process: start, schema, work, answer, closing of the database, exit.
              `settle` is 0 for nightdrop, so that it waits for nothing; scan, claim and copy of the file are in its time.
  to answer   from the start of the process until the summary is in its place.
  cpu         user and system time of the process and its children, a record.
  memory      highest resident memory (VmHWM), of a process pool the sum over its processes.
  ratio       nightdrop's records/s over the contender's in the same round.
`import` is sqlite3's .import of the rows that nightdrop stores, already opened, judged, fingerprinted and sealed, in file order;
bytes are text of the same length there. The others do the whole of the work: open, validate, register, answer."""
# The file on which answers are compared record by record before anything is timed.
PROOF_RECORDS, PROOF_BAD_PERCENT = 5_000, 10


def make(site: Site, options, sealed) -> list:
    python = options.venv / "bin/python"
    script = contenders.BENCHES / "peers/peer.py"
    node = ["node", contenders.BENCHES / "peers/peer.mjs", "--modules", options.modules]
    known = {
        "nightdrop": lambda: Nightdrop(site, sealed, options.cache),
        "import": lambda: Import(site, sealed, options.cache),
        "python": lambda: Peer("python", [python, script], site, sealed, options.cache),
        "python-pool": lambda: Peer("python-pool", [python, script, "--pool", "2"], site, sealed, options.cache),
        "node": lambda: Peer("node", node, site, sealed, options.cache),
    }
    if unknown := set(options.only) - set(known):
        raise SystemExit(f"--only: {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    wanted = options.only or (known if options.service == "payment-cards" else ["nightdrop"])
    if options.service != "payment-cards" and list(wanted) != ["nightdrop"]:
        raise SystemExit("--service: only nightdrop does others than payment-cards")
    return [known[name]() for name in known if name in wanted]


def prove(contestants: list):
    """Runs each once and compares what they say of every record."""
    answers = [(who.name, who.run()[1]) for who in contestants if who.checked]
    for name, answer in answers[1:]:
        contenders.complain_unless_alike(answers[0][1], answer, name)


def bench(site: Site, options) -> dict:
    print(TIMED, flush=True)
    proof = site.sealed(options.service, PROOF_RECORDS, bad=PROOF_BAD_PERCENT)
    prove([who for who in make(site, options, proof) if who.checked])
    contestants = make(site, options, site.sealed(options.service, options.records, bad=options.bad))
    taken: dict[str, list[measure.Taken]] = {who.name: [] for who in contestants}
    for round_no in range(1, options.rounds + 1):
        answers = []
        for who in contestants:
            result, answer = who.run()
            taken[who.name].append(result)
            print(f"  round {round_no}: {who.name} {result.process_s:.2f} s", flush=True)
            if answer:
                answers.append((who.name, answer))
        for name, answer in answers[1:]:
            contenders.complain_unless_alike(answers[0][1], answer, name)
    return show(options.service, options.records, taken)


def show(service: str, records: int, taken: dict[str, list[measure.Taken]]) -> dict:
    rows, result = [], {}
    mine = [run.process_s for run in taken.get("nightdrop", [])]
    for name, runs in taken.items():
        rates = [records / run.process_s for run in runs]
        answers = [run.answer_s for run in runs if run.answer_s is not None]
        cpu = [run.cpu_s / records * 1e6 for run in runs]
        peak = [run.peak_bytes / (1 << 20) for run in runs]
        ratios = [run.process_s / own for run, own in zip(runs, mine)]
        rows.append([
            name, table.spread(rates), table.spread(answers, "{:.2f} s") if answers else "-",
            table.spread(cpu, "{:.2f} µs"), table.spread(peak, "{:.0f} MiB"), table.spread(ratios, "{:.2f}") if ratios else "-",
        ])
        result[name] = {
            "records_per_second": median(rates),
            "process_s": median(run.process_s for run in runs),
            "answer_s": median(answers) if answers else None,
            "cpu_us_per_record": median(cpu),
            "peak_bytes": median(run.peak_bytes for run in runs),
            "nightdrop_is_faster_by": median(ratios) if ratios else None,
            "rounds": [vars(run) for run in runs],
        }
    rounds = max(map(len, taken.values()))
    table.show(
        f"{service}, {records:,} records, medians of {rounds} rounds (lowest–highest)",
        ["", "records/s", "to answer", "cpu", "memory", "ratio"], rows,
    )
    return {"service": service, "records": records, "contenders": result}
