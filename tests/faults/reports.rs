//! The morning report, by a clock that the test moves.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use csv::StringRecord;

use crate::file::CsvFile;
use crate::hands::{MOVED, TELLS, ask, set, told};
use crate::pan;
use crate::world::{PATIENCE, Ran, World, throughout, until};

const COLUMNS: &str = "file,feed,service,batch_id,sequence,state,code,received_at,done_at,records,registered,already,\
                       deregistered,enrolled,rejected";

/// A report as a back office reads it: a spreadsheet's cells, and totals by what and of which service they are.
struct Report {
    files: Vec<StringRecord>,
    totals: BTreeMap<(String, String), Vec<u64>>,
}

impl Report {
    fn of(world: &World, name: &str) -> Self {
        let text = String::from_utf8(world.out().content(name)).unwrap();
        assert!(text.starts_with(&format!("{COLUMNS}\n")) && !text.contains('\r'), "{text}");
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let rows: Vec<StringRecord> = reader.records().map(Result::unwrap).collect();
        let (totals, files): (Vec<_>, Vec<_>) =
            rows.into_iter().partition(|row| &row[0] == "TOTAL" && row[5].is_empty());
        let totals = totals.iter().map(|row| ((row[1].to_owned(), row[2].to_owned()), numbers(row))).collect();
        let report = Self { files, totals };
        report.balances(name);
        report
    }

    fn total(&self, what: &str, service: &str) -> u64 {
        self.totals[&(what.to_owned(), service.to_owned())][0]
    }

    fn balances(&self, name: &str) {
        let parts = ["accepted", "refused", "duplicate", "in_progress", "held"];
        let sum: u64 = parts.iter().map(|part| self.total(&format!("files_{part}"), "")).sum();
        assert_eq!(self.total("files_received", ""), sum, "{name}");
        for part in parts {
            let word = part.to_uppercase();
            let rows = self.files.iter().filter(|row| row[5] == word).count() as u64;
            assert_eq!(self.total(&format!("files_{part}"), ""), rows, "{name}: {part}");
        }
        for (what, service) in self.totals.keys().filter(|(what, _)| what == "register_closing") {
            let count = |part: &str| self.total(&format!("register_{part}"), service);
            assert_eq!(count("opening") + count("added") - count("removed"), count("closing"), "{name}: {what}");
        }
    }

    /// Opening, added, removed, closing.
    fn register(&self, service: &str) -> [u64; 4] {
        ["opening", "added", "removed", "closing"].map(|part| self.total(&format!("register_{part}"), service))
    }

    /// Name, state and code of each file.
    fn states(&self) -> Vec<String> {
        self.files.iter().map(|row| [&row[0], &row[5], &row[6]].join(" ").trim().to_owned()).collect()
    }
}

/// A row's last cells, where they are not empty.
fn numbers(row: &StringRecord) -> Vec<u64> {
    row.iter().skip(9).filter(|it| !it.is_empty()).map(|it| it.parse().unwrap()).collect()
}

fn world(feed: &'static str) -> World {
    let report = "\n[report]\ndaily = \"0 0 6 * * *\"\ntimezone = \"Europe/Paris\"\n";
    World::shaped(|shape| {
        shape.reply = false;
        shape.feed = feed;
        shape.more = Box::leak(format!("{report}{TELLS}").into_boxed_str());
        shape.env = MOVED;
    })
}

fn report(world: &World, of: &[&str]) -> Ran {
    world.nightdrop(&[&["report"], of, &["--config", "nightdrop.toml"]].concat())
}

fn paycards(stem: &str) -> String {
    format!("{stem}.csv.jwe")
}

/// A file that deletes what another registered.
fn deletes(world: &World, of: &str, batch: &str, count: usize) -> CsvFile {
    let ids: Vec<String> = world.out().recon(of).rows.iter().map(|row| row["payment_card_id"].to_owned()).collect();
    CsvFile::new(batch).with(|file| {
        ids.iter().take(count).enumerate().for_each(|(n, id)| _ = file.delete(&format!("d-{n}"), id));
    })
}

#[test]
fn a_night_with_every_kind_of_file_balances_and_is_restated_when_it_changes() {
    let world = world("expected = { from = \"18:00\", by = \"02:30\", count = 9 }\nsequence = \"off\"");
    set(&world, "2026-11-22T18:00:00Z");
    // One is held: its copy is another one for a while.
    let held = world.drop_sealed(&CsvFile::good("HELD", 1, 20_000));
    let mut daemon = world.daemon();
    world.wait_for(&mut daemon, &format!("{held}.ack.json"));
    daemon.kill();
    let copy = world.at("work/00000001");
    let bytes = fs::read(&copy).unwrap();
    fs::write(&copy, [&bytes[..], b"x"].concat()).unwrap();
    let mut daemon = world.daemon();
    let good = CsvFile::good("GOOD", 2, 25);
    let good_stem = world.drop_sealed(&good);
    world.wait_for(&mut daemon, &format!("{good_stem}.summary.json"));
    // Again, with a record that is rejected and two that are there already.
    let mixed = CsvFile::good("MIXED", 2, 2).with(|file| {
        file.register("bad", "1234", "EUR").register("new", &pan::pan(pan::ACME, 900, 1), "EUR");
    });
    let mixed = world.drop_sealed(&mixed);
    world.wait_for(&mut daemon, &format!("{mixed}.summary.json"));
    world.drop_bytes("ACME_PAYCARDS_AGAIN.csv.jwe", world.sealed(&good.text()));
    world.wait_for(&mut daemon, "ACME_PAYCARDS_AGAIN.ack.json");
    world.drop_bytes("ACME_PAYCARDS_BAD.csv.jwe", "not sealed");
    world.wait_for(&mut daemon, "ACME_PAYCARDS_BAD.ack.json");
    until("refused and done", || ask(&world, "SELECT count(*) FROM file WHERE state = 'DONE'") == "4");
    set(&world, "2026-11-23T01:30:01Z");
    until("missing", || told(&world).iter().any(|(kind, ..)| kind == "FILE_MISSING"));

    set(&world, "2026-11-23T05:00:06Z");
    let first = "recon-ACME-20261123.csv";
    world.wait_for(&mut daemon, first);
    let written = Report::of(&world, first);
    let mut expected = vec![
        format!("{} HELD", paycards(&held)),
        format!("{} ACCEPTED", paycards(&good_stem)),
        format!("{} ACCEPTED", paycards(&mixed)),
        "ACME_PAYCARDS_AGAIN.csv.jwe DUPLICATE DUPLICATE_FILE".to_owned(),
        "ACME_PAYCARDS_BAD.csv.jwe REFUSED ENVELOPE_REFUSED".to_owned(),
    ];
    expected.extend(vec!["MISSING".to_owned(); 6]);
    assert_eq!(written.states(), expected);
    assert_eq!((written.total("files_missing", ""), written.total("files_received", "")), (6, 5));
    // Row by row, and in sum, what the recon trailers say: records, registered, already, deregistered, enrolled, rejected.
    let trailers = [&good_stem, &mixed].map(|stem| world.out().recon(stem).trailer);
    assert_eq!(trailers[1], [4, 1, 2, 0, 0, 1]);
    for (row, trailer) in written.files.iter().filter(|row| &row[5] == "ACCEPTED").zip(trailers) {
        let cells: Vec<u64> = row.iter().skip(9).map(|cell| cell.parse().unwrap()).collect();
        assert_eq!(cells, trailer, "{row:?}");
        assert_eq!((&row[1], &row[2]), ("acme-payment-cards", "payment-cards"));
    }
    let sums: Vec<u64> = (0..6).map(|at| trailers[0][at] + trailers[1][at]).collect();
    let records = |service: &str| written.totals[&("records".to_owned(), service.to_owned())].clone();
    assert_eq!((records("payment-cards"), records("")), (sums.clone(), sums));
    // What the held file had committed before is in the register, and counted.
    let partly: u64 = ask(&world, "SELECT registered FROM file WHERE no = 1").parse().unwrap();
    assert_eq!(written.register("payment-cards"), [0, 26 + partly, 0, 26 + partly]);

    // The held file goes on: the report is another, and has another number.
    let before = world.out().content(first);
    fs::write(&copy, &bytes).unwrap();
    world.nightdrop(&["retry", &held, "--reason", "put back", "--config", "nightdrop.toml"]).expect(0);
    world.wait_for(&mut daemon, &format!("{held}.summary.json"));
    set(&world, "2026-11-23T05:02:00Z");
    world.wait_for(&mut daemon, "recon-ACME-20261123.2.csv");
    let restated = Report::of(&world, "recon-ACME-20261123.2.csv");
    assert_eq!(restated.states()[0], format!("{} ACCEPTED", paycards(&held)));
    assert_eq!(
        restated.register("payment-cards"),
        written.register("payment-cards"),
        "what came later is of the next day"
    );
    assert_eq!(world.out().content(first), before);

    // The next day opens where this one closed.
    set(&world, "2026-11-24T05:00:06Z");
    world.wait_for(&mut daemon, "recon-ACME-20261124.csv");
    let next = Report::of(&world, "recon-ACME-20261124.csv");
    assert_eq!(next.register("payment-cards"), [26 + partly, 20_000 - partly, 0, 20_026]);
    daemon.terminate(PATIENCE).expect(0);
    assert_eq!(world.out().names().iter().filter(|name| name.starts_with("recon-")).count(), 3);
}

#[test]
fn days_follow_each_other_and_a_month_is_their_sum() {
    let world = world("");
    set(&world, "2026-10-23T18:00:00Z");
    let mut daemon = world.daemon();
    let first = world.drop_sealed(&CsvFile::good("FIRST", 1, 30));
    world.wait_for(&mut daemon, &format!("{first}.summary.json"));
    until("done", || ask(&world, "SELECT count(*) FROM file WHERE state = 'DONE'") == "1");
    set(&world, "2026-10-24T04:00:06Z");
    world.wait_for(&mut daemon, "recon-ACME-20261024.csv");
    // The night on which clocks go back: six o'clock is an hour later.
    let second = world.drop_sealed(&deletes(&world, &first, "SECOND", 10));
    world.wait_for(&mut daemon, &format!("{second}.summary.json"));
    until("done", || ask(&world, "SELECT count(*) FROM file WHERE state = 'DONE'") == "2");
    set(&world, "2026-10-25T04:30:00Z");
    throughout(Duration::from_millis(1_500), "an hour to go", || !world.out().has("recon-ACME-20261025.csv"));
    set(&world, "2026-10-25T05:00:06Z");
    world.wait_for(&mut daemon, "recon-ACME-20261025.csv");
    daemon.terminate(PATIENCE).expect(0);

    // Down for three days: each has its report at the next start, but those on which nothing was are left out.
    set(&world, "2026-10-25T06:00:00Z");
    let third = world.drop_sealed(&CsvFile::good("THIRD", 2, 7));
    world.once().expect(0);
    set(&world, "2026-10-28T07:00:00Z");
    let mut daemon = world.daemon();
    world.wait_for(&mut daemon, "recon-ACME-20261028.csv");
    let day = |day: &str| Report::of(&world, &format!("recon-ACME-202610{day}.csv"));
    let registers = ["24", "25", "26", "28"].map(|at| day(at).register("payment-cards"));
    assert_eq!(registers, [[0, 30, 0, 30], [30, 0, 10, 20], [20, 7, 0, 27], [27, 0, 0, 27]]);
    assert!(!world.out().has("recon-ACME-20261027.csv"));
    assert_eq!(day("26").states(), [format!("{} ACCEPTED", paycards(&third))]);
    assert!(day("28").files.is_empty());

    // An operator asks: for a day that is there, for what has not begun, for the month.
    let days = || world.out().content("recon-ACME-20261024.csv");
    let before = days();
    fs::remove_file(world.out().at("recon-ACME-20261024.csv")).unwrap();
    let said = report(&world, &["--date", "2026-10-24"]).expect(0);
    assert!(said.text().contains("recon-ACME-20261024.csv is written"), "{}", said.text());
    assert_eq!(days(), before);
    report(&world, &["--date", "2026-10-30"]).expect(2);
    report(&world, &["--month", "2026-12"]).expect(2);
    report(&world, &["--date", "yesterday"]).expect(2);
    daemon.terminate(PATIENCE).expect(0);
    set(&world, "2026-10-31T05:00:06Z");
    // Without a daemon.
    report(&world, &["--month", "2026-10"]).expect(0);
    let month = Report::of(&world, "recon-ACME-202610.csv");
    assert_eq!(month.register("payment-cards"), [0, 37, 10, 27]);
    assert_eq!(month.states().len(), 3);
    let told = "SELECT count(*) FROM audit WHERE event = 'action' AND json_extract(detail, '$.action') = 'report'";
    assert_eq!(ask(&world, told), "4", "each that could be asked for is in the trail");
}

#[test]
fn what_does_not_balance_is_not_written_and_calls_an_operator() {
    let world = world("");
    set(&world, "2026-11-22T18:00:00Z");
    let mut daemon = world.daemon();
    let stem = world.drop_sealed(&CsvFile::good("GOOD", 1, 5));
    world.wait_for(&mut daemon, &format!("{stem}.summary.json"));
    until("done", || ask(&world, "SELECT count(*) FROM file WHERE state = 'DONE'") == "1");
    let lost = "UPDATE movement SET added = 4";
    world.sql(lost);
    set(&world, "2026-11-23T05:00:06Z");
    until("told", || told(&world).iter().any(|(kind, ..)| kind == "REPORT_UNBALANCED"));
    assert!(told(&world)[0].2.contains("holds 4 by what came and went, and 5 by count"), "{:?}", told(&world));
    let said = report(&world, &["--date", "2026-11-23"]).expect(1);
    assert!(said.stderr.contains("does not balance"), "{}", said.stderr);
    assert!(!world.out().names().iter().any(|name| name.starts_with("recon-")));
    world.sql("UPDATE movement SET added = 5");
    report(&world, &["--date", "2026-11-23"]).expect(0);
    until("over", || told(&world).last().unwrap().1 == "cleared");
    daemon.terminate(PATIENCE).expect(0);
}
