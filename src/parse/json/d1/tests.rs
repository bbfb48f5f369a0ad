//! A batch cut anywhere reads the same, and chunks hold what rows say.

use proptest::prelude::*;

use crate::model::{Columns, Environment, InRequest, Limits, ServiceName};
use crate::parse::{Batch, Controls, Cutter, Format, Layout, Options, Proven, Survey};

const COLUMNS: Columns = Columns {
    names: &[
        "record_ref",
        "action",
        "event_status",
        "card_id",
        "card_product_id",
        "consumer_id",
        "state",
        "card",
        "pan",
        "expiry",
    ],
    missing: |_| None,
    request: None,
    runs: None,
};

fn options(name: &str) -> Options {
    Options {
        limits: Limits { request_bytes_max: 400, file_records_max: 20, ..Limits::default() },
        delimiter: b',',
        controls: Controls::Required,
        format: Some(Format::D1Batch),
        columns: &COLUMNS,
        issuer: "ACME".into(),
        service: ServiceName::Cards,
        environment: Environment::Prod,
        unseal: None,
        d1: Some(Batch { issuer_id: "A-1".into(), name: name.into() }),
    }
}

const RECORDS: &str = "[ {\"rowId\": 2,\n\"consumerAndCardRegistrationRequest\":{\"consumerId\":\"c\\u0031\",\"cards\":[\
                       {\"cardId\":\"k}]1\",\"encryptedData\":\"t\\\"\"},{\"state\":\"INACTIVE\",\"cardProductId\":\"p\"}]}},\n\
                       {\"rowId\":7} ,{\"rowId\":8,\"consumerAndCardRegistrationRequest\":{\"cards\":[],\"consumerId\":\"d\"}}]";

fn text(batch: &str, sequence: &str) -> String {
    format!(
        "{{\"header\":{{\"batchId\":\"{batch}\",\"seqNumber\":\"{sequence}\",\"issuerId\":\"A-1\",\
         \"operation\":\"CONSUMER_CARD_REGISTRATION\"}},\n \"records\" :{RECORDS},\"signature\":\"a..b\"}} \n"
    )
}

fn proven(name: &str, text: &[u8], piece: usize) -> Result<Proven, crate::model::Refusal> {
    let mut survey = Survey::new(options(name));
    text.chunks(piece).for_each(|piece| survey.push(piece));
    survey.finish()
}

type Seen = (u64, u64, Vec<String>, Option<InRequest>);

fn cut(proven: &Proven, text: &[u8], piece: usize, chunk: usize) -> Vec<Seen> {
    let mut cutter = Cutter::new(&proven.layout, chunk, 0, None);
    let mut ready = Vec::new();
    text.chunks(piece).for_each(|piece| cutter.push(piece, &mut ready).unwrap());
    cutter.finish(&mut ready).unwrap();
    let mut seen = Vec::new();
    for chunk in ready {
        let visit = &mut |ordinal, line, cells: &[&[u8]], place| {
            let cells = cells.iter().map(|cell| String::from_utf8_lossy(cell).into_owned()).collect();
            seen.push((ordinal, line, cells, place));
        };
        chunk.for_each(visit).unwrap();
    }
    seen
}

proptest! {
    #[test]
    fn reads_the_same_however_it_is_cut(piece in 1_usize..90, chunk in 1_usize..6, marked: bool) {
        let text = text("B-2", "07");
        let text = if marked { format!("\u{feff}{text}") } else { text };
        let proven = proven("A-1-B-2-07-1764000000.json.jwe", text.as_bytes(), piece).unwrap();
        let Layout::D1(layout) = &*proven.layout else { unreachable!() };
        prop_assert_eq!((proven.records, layout.rows), (4, 3));
        let signature = layout.signature.clone().unwrap();
        let signed = usize::try_from(signature.signed.start).unwrap()..usize::try_from(signature.signed.end).unwrap();
        prop_assert_eq!(&text[signed], RECORDS);
        prop_assert_eq!(signature.jws.as_str(), "a..b");
        prop_assert_eq!(proven.content_digest, openssl::sha::sha256(RECORDS.as_bytes()));
        let seen = cut(&proven, text.as_bytes(), piece, chunk);
        let cells: Vec<Vec<&str>> =
            seen.iter().map(|(_, _, cells, _)| cells.iter().map(String::as_str).collect()).collect();
        prop_assert_eq!(cells, vec![
            vec!["2.1", "", "", "k}]1", "", "c1", "", "t\"", "", ""],
            vec!["2.2", "", "", "", "p", "c1", "INACTIVE", "", "", ""],
            vec!["7.1", "", "", "", "", "", "", "", "", ""],
            vec!["8.1", "", "", "", "", "d", "", "", "", ""],
        ]);
        let places: Vec<_> = seen.iter().map(|(_, line, _, place)| (*line, place.unwrap().n, place.unwrap().is_array)).collect();
        prop_assert_eq!(places, vec![(2, 1, true), (2, 2, true), (4, 1, false), (4, 1, false)]);
    }

    #[test]
    fn never_panics(at in 0_usize..600, with in prop::collection::vec(any::<u8>(), 0..4), piece in 1_usize..50) {
        let mut text = text("B-2", "07").into_bytes();
        let at = at.min(text.len());
        text.splice(at..(at + 2).min(text.len()), with);
        if let Ok(proven) = proven("B-2-07-1764000000.json", &text, piece) {
            prop_assert_eq!(u64::try_from(cut(&proven, &text, piece, 3).len()).unwrap(), proven.records);
        }
    }
}

#[test]
fn names_and_headers_agree() {
    let long = "9".repeat(48);
    for (name, batch, sequence, good) in [
        ("B-07-1764000000.json", "B", "07", true),
        ("A-1-B-07-1764000000.json", "B", "07", true),
        ("A-1-B-07-1764000000.json", "A-1-B", "07", true),
        ("B-07-1764000000000.json.pgp", "B", "07", true),
        ("B-07-1764000000.json", "B", "7", false),
        ("C-B-07-1764000000.json", "B", "07", false),
        ("B-07.json", "B", "07", false),
        ("B-07-17640000x0.json", "B", "07", false),
        ("B-07-1764000000.csv", "B", "07", false),
        (&format!("B-{long}-1764000000.json"), "B", &long, true),
    ] {
        let result = proven(name, text(batch, sequence).as_bytes(), 1000);
        assert_eq!(result.is_ok(), good, "{name}");
        if let Ok(proven) = result {
            let header = proven.header.unwrap();
            assert_eq!(header.created_text, "2025-11-24T16:00:00.000Z", "{name}");
            let key = |sequence: &str| {
                let header = crate::model::Header { sequence_text: sequence.into(), ..header.clone() };
                crate::model::BatchKey::of("ACME", ServiceName::Cards, &header)
            };
            assert_ne!(key(&long), key(&format!("8{}", &long[1..])));
            assert_eq!(key(&long).sequence, None);
        }
    }
}
