//! The cases of files: those of the corpus, and what needs a feed, a limit or a file before it.

use crate::corpus::{forbidden_tokens, refused_file, refused_requests, refused_texts};
use crate::file::{COLUMNS, CsvFile};
use crate::pan;
use crate::world::World;

use super::{Said, Sample};

/// What the world of the table has beside a feed a service.
pub(super) const MORE_FEEDS: &str = r#"
[[feed]]
name = "acme-in-sequence"
issuer = "ACME"
service = "payment-cards"
files = "ACME_SEQ_*"
envelopes = ["jwe"]
keys = ["keys/feed.jwk"]
environment = "TEST"
sequence = "gapless"
sequence_wait = "0s"

[[feed]]
name = "acme-again"
issuer = "ACME"
service = "payment-cards"
files = "*_BOTH_*"
envelopes = ["jwe"]
keys = ["keys/feed.jwk"]
environment = "TEST"
"#;

/// The limits of the table's world: the table has files just beyond them.
pub(super) const LIMITS: &str = "file_bytes = \"2MiB\"\nfile_records = 50\nrequest_bytes = \"2KiB\"";

pub(super) fn samples(world: &World) -> Vec<Sample> {
    let mut samples = Vec::new();
    for case in refused_texts() {
        let said = Said::Refused(case.code, Some(case.line).filter(|line| *line > 0));
        samples.push(Sample::sealed(world, &refused_file(case.what).name(), case.text, said));
    }
    for (n, (code, bytes, line)) in refused_requests().into_iter().enumerate() {
        let name = format!("ACME_PAYCARDS_W{n}.jsonl.jwe");
        samples.push(Sample::sealed(world, &name, bytes, Said::Refused(code, line)));
    }
    let text = CsvFile::good("KIND", 82, 3).text();
    for (batch, code, token) in forbidden_tokens(world, &text) {
        samples.push(Sample::of(&format!("ACME_PAYCARDS_{batch}.csv.jwe"), token, Said::Refused(code, None)));
    }
    samples.extend(by_name_and_size(world));
    samples.extend(twice_and_in_turn(world));
    samples
}

/// What nothing but its name or its size is wrong with.
fn by_name_and_size(world: &World) -> Vec<Sample> {
    let text = |seed| CsvFile::good("X", seed, 1).text();
    let (many, exact) = (CsvFile::good("MANY", 24, 51), CsvFile::good("EXACT", 25, 50));
    let sad = CsvFile::good("SAD", 21, 2).with(|file| {
        file.columns = format!("{COLUMNS},colour,cvv");
        file.rows.iter_mut().for_each(|row| row.push_str(",red,987"));
    });
    let sealed = |file: &CsvFile, said| Sample::sealed(world, &file.name(), file.text(), said);
    vec![
        Sample::sealed(world, "SOMETHING_ELSE.csv.jwe", text(22), Said::Refused("FEED_UNKNOWN", None)),
        Sample::sealed(world, "ACME_PAYCARDS_BOTH_1.csv.jwe", text(23), Said::Refused("FEED_UNKNOWN", None)),
        Sample::of("ACME_PAYCARDS_ZERO.csv.jwe", "", Said::Refused("FILE_EMPTY", None)),
        Sample::of("ACME_PAYCARDS_LARGE.csv.jwe", vec![b'x'; (2 << 20) + 1], Said::Refused("FILE_TOO_LARGE", None)),
        Sample::of("ACME_PAYCARDS_PLAIN.csv", text(26), Said::Refused("ENVELOPE_REFUSED", None)),
        sealed(&many, Said::Refused("TOO_MANY_RECORDS", None)),
        sealed(&exact, Said::Records { service: "payment-cards", told: Vec::new() }),
        sealed(&sad, Said::Refused("SAD_PRESENT", None)),
    ]
}

/// What is wrong because of the files before it; the names say in which order they come.
fn twice_and_in_turn(world: &World) -> Vec<Sample> {
    let good = || Said::Records { service: "payment-cards", told: Vec::new() };
    let first = CsvFile::good("T", 27, 3);
    let altered = first.clone().with(|file| {
        file.register("r-4", &pan::pan(pan::ACME, 27, 900), "EUR");
    });
    let renamed = first.clone().with(|file| file.batch = "T2".into());
    let numbered = |sequence: u64, seed| {
        CsvFile::good(&format!("S{seed}"), seed, 1).with(|file| file.sequence = sequence.to_string())
    };
    [
        ("PAYCARDS_T1", first.clone(), good()),
        ("PAYCARDS_T2", first, Said::Duplicate),
        ("PAYCARDS_T3", altered, Said::Refused("BATCH_REUSED", None)),
        ("PAYCARDS_T4", renamed, Said::Refused("DUPLICATE_CONTENT", None)),
        ("SEQ_1", numbered(1, 28), good()),
        ("SEQ_2", numbered(3, 29), Said::Refused("SEQUENCE_GAP", None)),
        ("SEQ_3", numbered(1, 30), Said::Refused("SEQUENCE_OLD", None)),
    ]
    .into_iter()
    .map(|(name, file, said)| Sample::sealed(world, &format!("ACME_{name}.csv.jwe"), file.text(), said))
    .collect()
}
