//! Whose file it is and when it is whole: uploads that pause, change or hide.

use std::fs::{self, File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::time::Duration;

use crate::file::{CsvFile, sha256_hex};
use crate::world::{World, drop_into, throughout, until};

const SOON: Duration = Duration::from_secs(10);

#[test]
fn an_upload_that_pauses_in_mid_file_is_taken_once_and_whole() {
    let world = World::shaped(|shape| {
        shape.settle = "300ms";
        shape.stalled = "10m";
    });
    let mut daemon = world.daemon();
    let file = CsvFile::good("PAUSED", 200, 200);
    let sealed = world.sealed(&file.text()).into_bytes();
    // In the header, in the key, in the middle, and before the last byte.
    let mut upload = File::create(world.inbound().join(file.name())).unwrap();
    let mut sent = 0;
    for stop in [20, 300, sealed.len() / 2, sealed.len() - 1] {
        upload.write_all(&sealed[sent..stop]).unwrap();
        sent = stop;
        throughout(Duration::from_millis(1200), "no word about half a file", || world.out().names().is_empty());
    }
    upload.write_all(&sealed[sent..]).unwrap();
    drop(upload);
    world.wait_for(&mut daemon, &format!("{}.summary.json", file.stem()));
    let ack = world.out().accepted(&file.stem());
    assert_eq!(ack["sha256"], sha256_hex(&sealed));
    assert_eq!(world.out().recon(&file.stem()).trailer, [200, 200, 0, 0, 0, 0]);
    assert!(
        !world.out().has(&format!("{}.2.ack.json", file.stem())),
        "taken more than once: {:?}",
        world.out().names()
    );
    daemon.terminate(SOON).expect(0);
    assert_eq!(world.waiting(), [""; 0]);
}

#[test]
fn a_file_that_ends_early_is_refused_once_it_has_stalled_and_left_by_once_before() {
    let world = World::shaped(|shape| shape.stalled = "10m");
    let file = CsvFile::good("STALLED", 201, 20);
    let sealed = world.sealed(&file.text());
    world.drop_bytes(&file.name(), &sealed[..sealed.len() - 5]);
    let ran = world.once().expect(3);
    assert!(ran.stderr.contains(&file.name()), "a file left for next time is said: {}", ran.stderr);
    assert_eq!(world.out().names(), [""; 0]);
    assert_eq!(world.waiting(), [file.name()]);

    // An inner end that is missing is the same: no trailer, though the envelope is whole.
    let inner = CsvFile::good("INNER", 202, 20);
    world.drop_bytes(&inner.name(), world.sealed(&inner.untrailed()));
    world.once().expect(3);
    assert_eq!(world.waiting(), [inner.name(), file.name()]);

    let world = world.copied(|shape| shape.stalled = "400ms");
    let mut daemon = world.daemon();
    world.wait_for(&mut daemon, &format!("{}.ack.json", file.stem()));
    world.wait_for(&mut daemon, &format!("{}.ack.json", inner.stem()));
    world.out().refused(&file.stem(), "ENVELOPE_REFUSED");
    world.out().refused(&inner.stem(), "TRAILER_MISSING");
    daemon.terminate(SOON).expect(0);
}

#[test]
fn a_file_still_written_after_the_claim_is_no_mixture() {
    let world = World::shaped(|shape| shape.reply = false);
    let (one, other) = (CsvFile::good("SAMEB", 203, 3000), CsvFile::good("SAMEB", 204, 3000));
    let (first, second) = (world.sealed(&one.text()).into_bytes(), world.sealed(&other.text()).into_bytes());
    assert_eq!(first.len(), second.len(), "written over each other they must leave no rest");
    let mut daemon = world.daemon();
    let path = world.inbound().join(one.name());
    let mut upload = OpenOptions::new().create(true).truncate(true).write(true).open(&path).unwrap();
    upload.write_all(&first).unwrap();
    // Claimed: a copy lies in the work directory, or it is done already.
    until("the claim", || {
        let copies = world.kept_in("work");
        !copies.is_empty() || world.out().has(&format!("{}.ack.json", one.stem()))
    });
    // The uploader's descriptor is still open, and it writes again, in pieces.
    upload.seek(SeekFrom::Start(0)).unwrap();
    for piece in second.chunks(4096) {
        upload.write_all(piece).unwrap();
    }
    drop(upload);
    world.wait_for(&mut daemon, &format!("{}.summary.json", one.stem()));
    until("whatever lies there is dealt with", || world.waiting().is_empty());
    daemon.terminate(SOON).expect(0);

    // Each answer is to exactly one of the two contents.
    let stems: Vec<_> =
        world.out().names().iter().filter_map(|name| name.strip_suffix(".ack.json")).map(str::to_owned).collect();
    for stem in &stems {
        let ack = world.out().ack(stem);
        let whole = [&first, &second].iter().any(|bytes| ack["sha256"] == sha256_hex(bytes));
        assert!(whole, "a mixture was taken: {ack}");
    }
    let recon = world.out().recon(&one.stem());
    assert_eq!(recon.trailer, [3000, 3000, 0, 0, 0, 0]);
    let shown = |file: &CsvFile| {
        let last4 = |row: &String| row.split(',').nth(2).unwrap()[12..].to_owned();
        file.rows.iter().map(last4).collect::<Vec<_>>()
    };
    let registered: Vec<_> = recon.rows.iter().map(|row| row["pan_masked"][12..].to_owned()).collect();
    assert!(registered == shown(&one) || registered == shown(&other), "records of both contents were registered");
}

#[test]
fn temporary_names_are_left_alone() {
    let world = World::new();
    let names: Vec<_> = [".tmp", ".part", ".partial", ".filepart", ".prg", ".swp", "~"]
        .iter()
        .map(|end| format!("ACME_PAYCARDS_T.csv.jwe{end}"))
        .chain([".ACME_PAYCARDS_T.csv.jwe".to_owned()])
        .collect();
    for (n, name) in names.iter().enumerate() {
        fs::write(world.inbound().join(name), world.sealed(&CsvFile::good(&format!("T{n}"), 205, 1).text())).unwrap();
    }
    let stem = world.drop_sealed(&CsvFile::good("WHOLE", 206, 1));
    world.once().expect(0);
    world.out().accepted(&stem);
    assert!(world.out().names().iter().all(|name| name.starts_with(&stem)), "{:?}", world.out().names());
    let mut left = names;
    left.sort();
    assert_eq!(world.waiting(), left);
    // Renamed at its end, an upload is taken.
    fs::rename(world.inbound().join(&left[1]), world.inbound().join("ACME_PAYCARDS_T.csv.jwe")).unwrap();
    world.once().expect(0);
    world.out().accepted("ACME_PAYCARDS_T");
}

#[test]
fn with_a_done_marker_a_file_waits_for_it_and_both_go() {
    let world = World::shaped(|shape| shape.feed = "done_marker = true");
    let file = CsvFile::good("MARKED", 207, 3);
    world.drop_sealed(&file);
    world.once();
    assert_eq!(world.out().names(), [""; 0]);
    assert_eq!(world.waiting(), [file.name()]);
    world.drop_bytes(&format!("{}.done", file.name()), "");
    world.once().expect(0);
    assert_eq!(world.out().accepted(&file.stem())["records"], 3);
    assert_eq!(world.waiting(), [""; 0], "the marker goes with its file");
    assert!(world.out().names().iter().all(|name| !name.contains("done")), "a marker is no arrival");
}

#[test]
fn an_issuers_place_takes_its_own_files_only() {
    let world = World::shaped(|shape| shape.issuers = vec!["ACME", "OTHER"]);
    let file = CsvFile::good("STRAY", 210, 2);
    drop_into(&world.inbound_of("OTHER"), &file.name(), world.sealed(&file.text()));
    // An OTHER name with ACME's header inside: the header must agree with the feed.
    let posing = file.clone().with(|file| file.batch = "POSING".into());
    drop_into(&world.inbound_of("OTHER"), "OTHER_PAYCARDS_POSING.csv.jwe", world.sealed(&posing.text()));
    world.once().expect(3);
    let ack = world.out_of("OTHER").refused(&file.stem(), "FEED_UNKNOWN");
    assert_eq!(ack["issuer"], "OTHER", "{ack}");
    world.out_of("OTHER").refused("OTHER_PAYCARDS_POSING", "HEADER_MISMATCH");
    assert_eq!(world.out_of("ACME").names(), [""; 0], "ACME is told nothing of it");

    // In its own place it is taken, and its cards are new.
    world.drop_sealed(&file);
    world.once().expect(0);
    assert_eq!(world.out().recon(&file.stem()).trailer, [2, 2, 0, 0, 0, 0]);

    // The same card is another issuer's affair: OTHER's range does not hold it, its registration is ACME's alone.
    let theirs = file.with(|file| {
        file.issuer = "OTHER".into();
        file.rows.truncate(1);
    });
    drop_into(&world.inbound_of("OTHER"), &theirs.name(), world.sealed(&theirs.text()));
    world.once().expect(4);
    assert_eq!(&world.out_of("OTHER").recon(&theirs.stem()).rows[0]["code"], "BIN_UNSUPPORTED");
}

#[test]
fn files_already_there_at_start_are_taken_in_the_order_of_their_numbers() {
    let world = World::shaped(|shape| shape.feed = "sequence = \"increasing\"");
    // Digit runs compare as numbers: 2 before 10. In the order of letters the second would come too late.
    for sequence in [10, 2, 1] {
        let file = CsvFile::good(&format!("S{sequence}"), 211, 1).with(|file| {
            file.sequence = sequence.to_string();
            file.rows[0] = file.rows[0].replace("r-1", &format!("r-{sequence}"));
        });
        world.drop_sealed(&file);
    }
    let mut daemon = world.daemon();
    for sequence in [1, 2, 10] {
        world.wait_for(&mut daemon, &format!("ACME_PAYCARDS_S{sequence}.summary.json"));
        world.out().accepted(&format!("ACME_PAYCARDS_S{sequence}"));
    }
    assert_eq!(world.out().recon("ACME_PAYCARDS_S1").trailer[1], 1, "the first to come registers the card");
    assert_eq!(world.out().recon("ACME_PAYCARDS_S10").trailer[2], 1);
    daemon.terminate(SOON).expect(0);
}

#[test]
fn a_bad_file_is_never_in_another_ones_way() {
    let world = World::shaped(|shape| {
        shape.issuers = vec!["ACME", "OTHER"];
        shape.stalled = "10m";
    });
    let mut daemon = world.daemon();
    // One that is not whole and waits, one that is broken; then good ones of both issuers.
    let half = CsvFile::good("A-HALF", 212, 10);
    world.drop_bytes(&half.name(), &world.sealed(&half.text())[..700]);
    world.drop_bytes("ACME_PAYCARDS_B-BROKEN.csv.jwe", "{}");
    let good = CsvFile::good("C-GOOD", 213, 10);
    world.drop_sealed(&good);
    let theirs = CsvFile::new("D-THEIRS").with(|file| {
        file.issuer = "OTHER".into();
        file.register("r", &crate::pan::pan(crate::pan::OTHER, 213, 1), "EUR");
    });
    drop_into(&world.inbound_of("OTHER"), &theirs.name(), world.sealed(&theirs.text()));
    world.wait_for(&mut daemon, &format!("{}.summary.json", good.stem()));
    until("OTHER's file", || world.out_of("OTHER").has(&format!("{}.summary.json", theirs.stem())));
    world.wait_for(&mut daemon, "ACME_PAYCARDS_B-BROKEN.ack.json");
    world.out().refused("ACME_PAYCARDS_B-BROKEN", "ENVELOPE_REFUSED");
    assert!(!world.out().has(&format!("{}.ack.json", half.stem())));
    assert_eq!(world.waiting(), [half.name()]);
    daemon.terminate(SOON).expect(0);
}
