//! The dry run fails on all that the real run fails on, and says the same of it: every bad file goes through both.

use serde_json::{Value, json};

use super::foreseen;
use crate::corpus::{bad_records, forbidden_tokens, refused_file, refused_requests, refused_texts};
use crate::file::{COLUMNS, CsvFile};
use crate::json::{card, cards, lines, tangled};
use crate::pan;
use crate::seal::josekit;
use crate::world::{Shape, World};

/// A file of the corpus: its name, its bytes.
pub(crate) type Bad = (String, Vec<u8>);

/// Checks a file that does not lie in the inbound directory yet.
fn check(world: &World, (name, bytes): &Bad) -> (i32, Value) {
    std::fs::create_dir_all(world.at("kit")).unwrap();
    let path = format!("kit/{name}");
    world.write(&path, bytes);
    foreseen(world, &path)
}

/// What the real run said must be what was foreseen.
fn expect_as_foreseen(world: &World, stem: &str, (exit, foreseen): &(i32, Value)) {
    let (out, ack) = (world.out(), world.out().ack(stem));
    for member in [
        "status",
        "code",
        "line",
        "description",
        "feed",
        "issuer",
        "service",
        "envelope",
        "key_id",
        "batch_id",
        "sequence",
    ] {
        // A file of no feed has no service; what is null in one is null in the other.
        assert_eq!(ack[member], foreseen[member], "{stem}: {member}\n  ack {ack}\n  check {foreseen}");
    }
    for member in ["records", "duplicate_of"] {
        assert_eq!(ack[member], foreseen[member], "{stem}: {member}\n  ack {ack}\n  check {foreseen}");
    }
    // What is refused for something else gets the feed's own number in its ack: no matter of the file.
    if ack["status"] == "ACCEPTED" || ack["code"].as_str().is_some_and(|code| code.starts_with("SEQUENCE_")) {
        assert_eq!(ack["next_sequence"], foreseen["next_sequence"], "{stem}\n  ack {ack}\n  check {foreseen}");
    }
    let findings = foreseen["findings"].as_array().unwrap();
    let expected = match ack["status"].as_str().unwrap() {
        "ACCEPTED" => {
            let summary = out.summary(stem);
            assert_eq!(summary["outcomes"], foreseen["outcomes"], "{stem}");
            assert_eq!(summary["codes"], foreseen["codes"], "{stem}");
            expect_findings(world, stem, findings);
            if summary["outcomes"]["REJECTED"] == 0 { 0 } else { 4 }
        }
        status => {
            assert_eq!(findings.len(), 1, "{stem}: {foreseen}");
            for member in ["code", "line", "description"] {
                assert_eq!(findings[0][member], ack[member], "{stem}: {foreseen}");
            }
            if status == "DUPLICATE" { 0 } else { 3 }
        }
    };
    assert_eq!((*exit, &foreseen["exit"]), (expected, &json!(expected)), "{stem}: {foreseen}");
}

/// The findings are the rows of the error file, one by one.
fn expect_findings(world: &World, stem: &str, findings: &[Value]) {
    let errors = if world.out().has_errors(stem) { world.out().errors(stem) } else { Vec::new() };
    assert_eq!(findings.len(), errors.len(), "{stem}: {findings:?}");
    for (finding, row) in findings.iter().zip(&errors) {
        let text = |member: &str| match &finding[member] {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        for column in
            ["line", "record_ref", "field", "code", "recoverable", "pan_masked", "owner", "description", "remedy"]
        {
            assert_eq!(text(column), row[column], "{stem}: {column} of {row:?}");
        }
    }
}

/// All of them are checked, then dropped together; none of them changes what becomes of another.
pub(crate) fn expect_all_as_foreseen(world: &World, files: &[Bad]) {
    let foreseen: Vec<_> = files.iter().map(|bad| check(world, bad)).collect();
    for (name, bytes) in files {
        world.drop_bytes(name, bytes);
    }
    let code = foreseen.iter().map(|(exit, _)| *exit).fold(0, |all, one| match (all, one) {
        (3, _) | (_, 3) => 3,
        (all, one) => all.max(one),
    });
    world.once().expect(code);
    for ((name, _), foreseen) in files.iter().zip(&foreseen) {
        let stem = name.strip_suffix(".jwe").unwrap_or(name);
        let stem = [".csv", ".jsonl", ".json"].iter().find_map(|it| stem.strip_suffix(it)).unwrap_or(stem);
        expect_as_foreseen(world, stem, foreseen);
    }
}

/// One file after another, each against what the ones before it left.
fn expect_each_as_foreseen(world: &World, files: &[(CsvFile, &str)]) {
    for (at, (file, status)) in files.iter().enumerate() {
        let bad = (format!("ACME_PAYCARDS_{at}.csv.jwe"), world.sealed(&file.text()).into_bytes());
        let foreseen = check(world, &bad);
        let said = foreseen.1["code"].as_str().or(foreseen.1["status"].as_str());
        assert_eq!(said, Some(*status), "file {at}: {}", foreseen.1);
        world.drop_bytes(&bad.0, &bad.1);
        world.once().expect(foreseen.0);
        expect_as_foreseen(world, &format!("ACME_PAYCARDS_{at}"), &foreseen);
    }
}

fn sealed(world: &World, file: &CsvFile) -> Bad {
    (file.name(), world.sealed(&file.text()).into_bytes())
}

fn with_bad_records() -> CsvFile {
    CsvFile::new("BAD").with(|file| {
        file.register("first", &pan::pan(pan::ACME, 2, 0), "eur");
        for (record_ref, row, ..) in bad_records() {
            file.row(format!("{record_ref},{row}"));
        }
        file.row("r-1,,5.23E+15,EURO,").row("-r,,,,");
        file.register(&pan::pan(pan::ACME, 2, 98), &pan::pan(pan::ACME, 2, 99), "USD");
    })
}

#[test]
fn every_bad_file_of_the_corpus_on_a_store_that_does_not_exist_yet() {
    let world = World::new();
    let mut files: Vec<Bad> = refused_texts()
        .into_iter()
        .map(|case| {
            let token = josekit("RSA-OAEP-256", "A256GCM", Some("feed-1"), &world.public_key("feed"), &case.text);
            (refused_file(case.what).name(), token.into_bytes())
        })
        .collect();
    let text = CsvFile::good("KIND", 82, 3).text();
    files.extend(
        forbidden_tokens(&world, &text)
            .into_iter()
            .map(|(batch, _, token)| (format!("ACME_PAYCARDS_{batch}.csv.jwe"), token.into_bytes())),
    );
    for column in ["cvv", "track2_data"] {
        let file = CsvFile::good(&format!("SAD-{column}"), 21, 2).with(|file| {
            file.columns = format!("{COLUMNS},colour,{column}");
            file.rows.iter_mut().for_each(|row| row.push_str(",red,987"));
        });
        files.push(sealed(&world, &file));
    }
    files.push(("ACME_PAYCARDS_ZERO.csv.jwe".into(), Vec::new()));
    files.push(("ACME_PAYCARDS_PLAIN.csv".into(), text.clone().into_bytes()));
    files.push(("SOMETHING_ELSE.csv.jwe".into(), world.sealed(&text).into_bytes()));
    files.push(sealed(&world, &CsvFile::new("NIL")));
    files.push(sealed(&world, &CsvFile::good("GOOD", 83, 250)));
    files.push(sealed(&world, &with_bad_records()));
    assert!(!world.at("nightdrop.db").exists());
    expect_all_as_foreseen(&world, &files);
}

#[test]
fn the_same_whatever_the_size_of_chunks_and_groups() {
    for (chunk_records, group) in [(1, 1), (7, 20), (100, 50_000)] {
        let world = World::shaped(|shape| {
            shape.chunk_records = chunk_records;
            shape.daemon = match group {
                1 => "group_records_max = 1",
                20 => "group_records_max = 20",
                _ => "",
            };
        });
        // Registered, taken out, registered again, over and over, across every group.
        world.drop_sealed(&CsvFile::good("BEFORE", 3, 20));
        world.once().expect(0);
        let recon = world.out().recon("ACME_PAYCARDS_BEFORE");
        let file = with_bad_records().with(|file| {
            for round in 0..3 {
                for (n, card) in pan::pans(pan::ACME, 3, 20).iter().enumerate() {
                    let id = recon.id(&format!("r-{}", n + 1));
                    file.register(&format!("again-{round}-{n}"), card, "EUR")
                        .delete(&format!("out-{round}-{n}"), &id)
                        .register(&format!("anew-{round}-{n}"), card, "EUR")
                        .register(&format!("twice-{round}-{n}"), card, "USD");
                }
            }
        });
        expect_all_as_foreseen(&world, &[sealed(&world, &file)]);
        let codes = world.out().summary("ACME_PAYCARDS_BAD")["codes"].clone();
        for code in ["ALREADY_REGISTERED", "DUPLICATE_IN_FILE", "NOT_REGISTERED"] {
            assert!(codes[code].as_u64().is_some_and(|count| count >= 20), "{code} is not among {codes}");
        }
    }
}

#[test]
fn what_depends_on_the_files_before_it() {
    let world = World::new();
    let first = CsvFile::good("H1", 84, 5);
    let altered = first.clone().with(|file| {
        file.register("r-6", &pan::pan(pan::ACME, 84, 900), "EUR");
    });
    let renamed = first.clone().with(|file| file.batch = "H2".into());
    let overlapping = CsvFile::good("H3", 84, 7);
    expect_each_as_foreseen(
        &world,
        &[
            (first.clone(), "ACCEPTED"),
            (first, "DUPLICATE_FILE"),
            (altered, "BATCH_REUSED"),
            (renamed, "DUPLICATE_CONTENT"),
            (overlapping, "ACCEPTED"),
            (CsvFile::new("N1"), "ACCEPTED"),
            (CsvFile::new("N2"), "ACCEPTED"),
        ],
    );
}

#[test]
fn what_depends_on_the_sequence() {
    let numbered = |sequence: &str, seed| {
        CsvFile::good(&format!("S{seed}"), seed, 1).with(|file| file.sequence = sequence.to_owned())
    };
    let increasing = World::shaped(|shape| shape.feed = "sequence = \"increasing\"");
    expect_each_as_foreseen(
        &increasing,
        &[
            (numbered("5", 85), "ACCEPTED"),
            (numbered("9", 86), "ACCEPTED"),
            (numbered("9", 87), "SEQUENCE_OLD"),
            (numbered("6", 88), "SEQUENCE_OLD"),
            (numbered("", 89), "HEADER_MISMATCH"),
        ],
    );
    let gapless = World::shaped(|shape| shape.feed = "sequence = \"gapless\"\nsequence_wait = \"0s\"");
    expect_each_as_foreseen(
        &gapless,
        &[
            (numbered("1", 85), "ACCEPTED"),
            (numbered("3", 86), "SEQUENCE_GAP"),
            (numbered("2", 87), "ACCEPTED"),
            (numbered("2", 88), "SEQUENCE_OLD"),
        ],
    );
}

#[test]
fn what_depends_on_the_feed() {
    let with = |change: &dyn Fn(&mut Shape), files: &dyn Fn(&World) -> Vec<Bad>| {
        let world = World::shaped(|shape| change(shape));
        expect_all_as_foreseen(&world, &files(&world));
    };
    with(&|shape| shape.limits = "file_bytes = \"20KiB\"\nfile_records = 50", &|world| {
        [CsvFile::good("MANY", 24, 51), CsvFile::good("EXACT", 25, 50), CsvFile::good("LARGE", 26, 1000)]
            .map(|file| sealed(world, &file))
            .into()
    });
    let bare = |text: &str| text.split_once('\n').unwrap().1.to_owned();
    with(&|shape| shape.feed = "controls = \"optional\"", &|world| {
        let text = bare(&CsvFile::good("BARE", 27, 2).untrailed());
        let cut = text[..text.len() - 8].to_owned();
        vec![
            ("ACME_PAYCARDS_BARE.csv.jwe".into(), world.sealed(&text).into_bytes()),
            ("ACME_PAYCARDS_CUT.csv.jwe".into(), world.sealed(&cut).into_bytes()),
        ]
    });
    let plain = |shape: &mut Shape| {
        shape.envelopes = r#"["jwe", "none"]"#;
        shape.feed = "allow_plaintext = true\ndelimiter = \";\"";
    };
    with(&plain, &|world| {
        let semicolons = |file: &CsvFile| {
            let file = file.clone().with(|file| {
                file.columns = file.columns.replace(',', ";");
                file.rows.iter_mut().for_each(|row| *row = row.replace(',', ";"));
            });
            let text = file.untrailed().replacen(
                "HDR,1,ACME,payment-cards,BAD,1,2026-11-20T01:30:00Z,TEST",
                "HDR;1;ACME;payment-cards;BAD;1;2026-11-20T01:30:00Z;TEST",
                1,
            );
            format!("{text}TRL;{};\n", file.rows.len())
        };
        let text = semicolons(&with_bad_records());
        vec![
            ("ACME_PAYCARDS_BAD.csv".into(), text.clone().into_bytes()),
            ("ACME_PAYCARDS_COMMAS.csv".into(), with_bad_records().text().into_bytes()),
            (
                "ACME_PAYCARDS_CRLF.csv.jwe".into(),
                world.sealed(&with_bad_records().text().replace('\n', "\r\n")).into_bytes(),
            ),
        ]
    });
    let both = r#"
[[feed]]
name = "acme-again"
issuer = "ACME"
service = "payment-cards"
files = "*_BOTH_*"
envelopes = ["jwe"]
keys = ["keys/feed.jwk"]
environment = "TEST"
"#;
    with(&|shape| shape.more = both, &|world| {
        vec![("ACME_PAYCARDS_BOTH_1.csv.jwe".into(), world.sealed(&CsvFile::good("X", 23, 1).text()).into_bytes())]
    });
}

#[test]
fn requests_in_json() {
    let world = World::shaped(|shape| shape.limits = "request_bytes = \"2KiB\"");
    let mut files: Vec<Bad> = (0..)
        .zip(refused_requests())
        .map(|(n, (_, bytes, _))| (format!("ACME_PAYCARDS_W{n}.jsonl.jwe"), world.sealed_bytes(&bytes).into()))
        .collect();
    let good = cards("g", 72, 3);
    files.push(("ACME_PAYCARDS_GOOD.jsonl.jwe".into(), world.sealed(&lines("GOOD", &good, 3)).into_bytes()));
    expect_all_as_foreseen(&world, &files);

    // Arrays of no card, of 101, across chunks, some bad, some twice.
    let world = World::shaped(|shape| shape.chunk_records = 7);
    let tangled = world.sealed(&tangled()).into_bytes();
    expect_all_as_foreseen(&world, &[("ACME_PAYCARDS_TANGLED.jsonl.jwe".into(), tangled)]);

    let world = World::shaped(|shape| shape.feed = "controls = \"optional\"");
    let wrong = pan::wrong_check_digit(&pan::pan(pan::ACME, 73, 1));
    let whole = |n| json!([[], [card("a", &wrong), card("b", &pan::pan(pan::ACME, 73, n))], [card("c", "12")]]);
    let pretty = serde_json::to_string_pretty(&whole(3)).unwrap();
    expect_all_as_foreseen(
        &world,
        &[
            ("ACME_PAYCARDS_ONE.json.jwe".into(), world.sealed(&whole(2).to_string()).into_bytes()),
            ("ACME_PAYCARDS_PRETTY.json.jwe".into(), world.sealed(&pretty).into_bytes()),
            ("ACME_PAYCARDS_BODY.jwe".into(), world.sealed(&whole(4)[1].to_string()).into_bytes()),
        ],
    );
}

#[test]
fn beside_a_running_daemon() {
    let world = World::new();
    let mut daemon = world.daemon();
    let first = CsvFile::good("D1", 90, 5);
    world.drop_sealed(&first);
    world.wait_for(&mut daemon, &format!("{}.summary.json", first.stem()));
    let again = CsvFile::good("D2", 90, 6);
    std::fs::create_dir_all(world.at("kit")).unwrap();
    world.write(&format!("kit/{}", again.name()), world.sealed(&again.text()));
    // The daemon writes beside it, so only that it answers, and what, is looked at here.
    let path = format!("kit/{}", again.name());
    let ran = world.nightdrop(&["check", &path, "--config", "nightdrop.toml", "--json"]).expect(0);
    let said: Value = serde_json::from_slice(&ran.stdout).unwrap();
    assert_eq!(said["outcomes"]["ALREADY_REGISTERED"], 5, "{said}");
    assert_eq!(said["outcomes"]["REGISTERED"], 1, "{said}");
    // Nothing came of it: the file itself is new to the daemon.
    world.drop_sealed(&again);
    world.wait_for(&mut daemon, &format!("{}.summary.json", again.stem()));
    assert_eq!(world.out().recon(&again.stem()).trailer, [6, 1, 5, 0, 0, 0]);
    daemon.terminate(std::time::Duration::from_secs(10)).expect(0);
}
