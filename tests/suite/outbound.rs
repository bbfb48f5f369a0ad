//! Reading what nightdrop wrote. A recon that does not balance, or whose digest is wrong, fails wherever it is read.

use std::fs;
use std::ops::Index;
use std::path::PathBuf;

use csv::StringRecord;
use serde_json::Value;

use crate::file::sha256_hex;
use crate::world::{World, names_in};

/// One issuer's outbound directory.
pub(crate) struct Outbound<'w> {
    world: &'w World,
    dir: PathBuf,
}

impl<'w> Outbound<'w> {
    pub(crate) fn new(world: &'w World, dir: PathBuf) -> Self {
        Self { world, dir }
    }

    /// A path in it.
    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Whether a file of this name is there.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.at(name).exists()
    }

    /// All names in it, sorted, temporary ones too.
    pub(crate) fn names(&self) -> Vec<String> {
        names_in(&self.dir)
    }

    /// The acknowledgement, checked for its shape.
    pub(crate) fn ack(&self, stem: &str) -> Value {
        const MEMBERS: [&str; 20] = [
            "status",
            "code",
            "description",
            "line",
            "file",
            "bytes",
            "sha256",
            "feed",
            "issuer",
            "service",
            "envelope",
            "key_id",
            "batch_id",
            "sequence",
            "environment",
            "records",
            "next_sequence",
            "duplicate_of",
            "received_at",
            "contact",
        ];
        let ack = self.json(&format!("{stem}.ack.json"));
        for member in MEMBERS {
            assert!(ack.get(member).is_some(), "{stem}: the ack has no `{member}`: {ack}");
        }
        assert_eq!(ack["contract_version"].to_string().trim_matches('"'), "1", "{stem}: {ack}");
        ack
    }

    /// The ack of a refused file: its code must be this one, and nothing else of it may have come out.
    pub(crate) fn refused(&self, stem: &str, code: &str) -> Value {
        let ack = self.ack(stem);
        assert_eq!((&ack["status"], &ack["code"]), (&"REFUSED".into(), &code.into()), "{stem}: {ack}");
        assert!(!ack["description"].as_str().unwrap_or_default().is_empty(), "{stem}: no description: {ack}");
        for other in [".recon.csv", ".recon.csv.jwe", ".errors.csv", ".errors.csv.jwe", ".response.jsonl"] {
            assert!(!self.has(&format!("{stem}{other}")), "{stem}: refused, and yet there is {stem}{other}");
        }
        ack
    }

    /// The ack of an accepted file.
    pub(crate) fn accepted(&self, stem: &str) -> Value {
        let ack = self.ack(stem);
        assert_eq!((&ack["status"], &ack["code"]), (&"ACCEPTED".into(), &Value::Null), "{stem}: {ack}");
        ack
    }

    /// The summary.
    pub(crate) fn summary(&self, stem: &str) -> Value {
        self.json(&format!("{stem}.summary.json"))
    }

    /// The summary without what may differ from run to run.
    pub(crate) fn timeless_summary(&self, stem: &str) -> Vec<u8> {
        let mut summary = self.summary(stem);
        let members = summary.as_object_mut().unwrap();
        for member in ["received_at", "accepted_at", "started_at", "finished_at", "records_per_second"] {
            assert!(members.remove(member).is_some(), "{stem}: the summary has no `{member}`");
        }
        for file in members["outbound"].as_array_mut().unwrap() {
            // The seal and the ack's times make these differ.
            let ack = file["name"].as_str().unwrap().ends_with(".ack.json");
            let file = file.as_object_mut().unwrap();
            file.remove("sha256");
            if ack {
                file.remove("content_sha256");
            }
        }
        serde_json::to_vec_pretty(&summary).unwrap()
    }

    /// The reconciliation, opened and checked: trailer, sums, digest.
    pub(crate) fn recon(&self, stem: &str) -> Recon {
        Recon::read(stem, self.content(&format!("{stem}.recon.csv")))
    }

    /// The error file's rows, opened.
    pub(crate) fn errors(&self, stem: &str) -> Vec<Row> {
        const COLUMNS: &str = "line,record_ref,field,code,recoverable,pan_masked,owner,description,remedy";
        let content = self.content(&format!("{stem}.errors.csv"));
        let text = String::from_utf8(content).unwrap();
        assert_eq!(text.lines().next(), Some(COLUMNS), "{stem}: the columns of errors");
        rows_of(COLUMNS, text.split_once('\n').unwrap().1)
    }

    /// Whether there is an error file, sealed or not.
    pub(crate) fn has_errors(&self, stem: &str) -> bool {
        self.has(&self.as_written(&format!("{stem}.errors.csv")))
    }

    /// The name of a file with card data as it lies there.
    pub(crate) fn as_written(&self, name: &str) -> String {
        if self.world.replies_are_sealed() { format!("{name}.jwe") } else { name.to_owned() }
    }

    /// What a file with card data holds, unsealed by the binary where it is sealed.
    pub(crate) fn content(&self, name: &str) -> Vec<u8> {
        let path = self.at(&self.as_written(name));
        if !self.world.replies_are_sealed() {
            return fs::read(&path).unwrap_or_else(|problem| panic!("{}: {problem}", path.display()));
        }
        assert!(path.exists(), "{} is not there; there are {:?}", path.display(), self.names());
        assert!(!self.has(name), "{name} lies there unsealed");
        self.world.nightdrop(&["unseal", path.to_str().unwrap(), "--key", "keys/reply.jwk"]).expect(0).stdout
    }

    fn json(&self, name: &str) -> Value {
        let bytes =
            fs::read(self.at(name)).unwrap_or_else(|problem| panic!("{name}: {problem}; there are {:?}", self.names()));
        serde_json::from_slice(&bytes).unwrap_or_else(|problem| panic!("{name} is not JSON: {problem}"))
    }
}

/// The columns of each service's recon.
const RECON_COLUMNS: [(&str, &str); 5] = [
    ("payment-cards", "line,record_ref,outcome,code,recoverable,pan_masked,payment_card_id,status"),
    ("pan-lists", "line,record_ref,outcome,code,recoverable,pan_masked,operation,pan_list_id,pan_list_name"),
    (
        "cards",
        "line,record_ref,outcome,code,recoverable,pan_masked,card_id,card_product_id,consumer_id,consumer_created,registration",
    ),
    ("card-contracts", "line,record_ref,outcome,code,recoverable,pan_masked,card_contract_id,changed"),
    (
        "click-to-pay",
        "line,record_ref,outcome,code,recoverable,pan_masked,card_contract_id,src_digital_card_id,src_consumer_id,tar_response",
    ),
];

/// A reconciliation that balances.
pub(crate) struct Recon {
    pub(crate) content: Vec<u8>,
    pub(crate) header: String,
    pub(crate) rows: Vec<Row>,
    /// Records, registered, already, deregistered, enrolled, rejected.
    pub(crate) trailer: [u64; 6],
}

impl Recon {
    /// Reads a recon; fails if it does not balance.
    pub(crate) fn read(stem: &str, content: Vec<u8>) -> Self {
        let text = String::from_utf8(content.clone()).unwrap();
        assert!(!text.contains('\r') && text.ends_with('\n'), "{stem}: lines of recon end with LF");
        let trailer_at = text.trim_end().rfind('\n').unwrap() + 1;
        let (body, trailer) = text.split_at(trailer_at);
        let (header, rest) = body.split_once('\n').unwrap();
        let (columns, rows) = rest.split_once('\n').unwrap();
        let service = header.split(',').nth(3).unwrap_or_default();
        let expected = *RECON_COLUMNS.iter().find(|(of, _)| *of == service).map_or(&"", |(_, columns)| columns);
        assert_eq!(columns, expected, "{stem}: the columns of recon");
        let cells: Vec<_> = trailer.trim_end().split(',').collect();
        assert_eq!((cells.len(), cells[0]), (8, "TRL"), "{stem}: {trailer}");
        assert_eq!(cells[7], sha256_hex(body.as_bytes()), "{stem}: the digest of recon");
        let trailer: [u64; 6] = std::array::from_fn(|at| cells[at + 1].parse().unwrap());
        let rows = rows_of(expected, rows);
        assert_eq!(trailer[0], rows.len() as u64, "{stem}: rows of recon");
        let outcomes = ["REGISTERED", "ALREADY_REGISTERED", "DEREGISTERED", "ENROLLED", "REJECTED"];
        for (outcome, said) in outcomes.iter().zip(&trailer[1..]) {
            let counted = rows.iter().filter(|row| &row["outcome"] == *outcome).count();
            assert_eq!(counted as u64, *said, "{stem}: {outcome} in rows and trailer of recon");
        }
        assert_eq!(trailer[1..].iter().sum::<u64>(), trailer[0], "{stem}: the sum of recon");
        Self { content, header: header.to_owned(), rows, trailer }
    }

    /// The row of a record.
    pub(crate) fn row(&self, record_ref: &str) -> &Row {
        self.rows
            .iter()
            .find(|row| &row["record_ref"] == record_ref)
            .unwrap_or_else(|| panic!("recon has no row of {record_ref}"))
    }

    /// The identifier a record was given.
    pub(crate) fn id(&self, record_ref: &str) -> String {
        self.row(record_ref)["payment_card_id"].to_owned()
    }
}

/// One row, its cells by column.
#[derive(Debug)]
pub(crate) struct Row {
    columns: &'static str,
    cells: StringRecord,
}

impl Index<&str> for Row {
    type Output = str;

    fn index(&self, column: &str) -> &str {
        let at = self.columns.split(',').position(|name| name == column);
        &self.cells[at.unwrap_or_else(|| panic!("no column {column}: {self:?}"))]
    }
}

fn rows_of(columns: &'static str, text: &str) -> Vec<Row> {
    let row = |cells: Result<StringRecord, csv::Error>| {
        let cells = cells.unwrap();
        assert_eq!(cells.len(), columns.split(',').count(), "{cells:?}");
        Row { columns, cells }
    };
    csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes()).into_records().map(row).collect()
}
