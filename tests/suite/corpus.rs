//! Bad files: one table of them. What the daemon makes of each is tested by stage, and `nightdrop check` must foresee all of it.

use josekit::jwe::JweHeader;
use serde_json::{Value, json};

use crate::file::{COLUMNS, CsvFile, hex};
use crate::json::{card, lines};
use crate::pan;
use crate::seal::{Crafted, josekit, josekit_with};
use crate::world::World;

/// What is wrong, the plaintext, the code, and the line the ack must name (0: none asked for).
pub(crate) struct Case {
    pub(crate) what: &'static str,
    pub(crate) text: Vec<u8>,
    pub(crate) code: &'static str,
    pub(crate) line: u64,
}

fn case(what: &'static str, text: impl Into<Vec<u8>>, code: &'static str, line: u64) -> Case {
    Case { what, text: text.into(), code, line }
}

/// The cards of these files: a seed of their own, so that a later good file shows whether one was registered.
pub(crate) fn refused_file(what: &str) -> CsvFile {
    CsvFile::good(what, 20, 3)
}

/// Plaintexts that refuse their file.
pub(crate) fn refused_texts() -> Vec<Case> {
    let file = refused_file;
    let control = |what: &'static str, code, change: &dyn Fn(&mut CsvFile)| {
        case(what, file(what).with(|file| change(file)).text(), code, 0)
    };
    let text = |what: &str| file(what).text();
    let cut = |what: &str, by: usize| {
        let text = file(what).text();
        text[..text.len() - by].to_owned()
    };
    let utf16 = |text: &str| {
        let units = std::iter::once(0xfeff).chain(text.encode_utf16());
        units.flat_map(u16::to_le_bytes).collect::<Vec<u8>>()
    };
    let no_header = text("no-header").split_once('\n').unwrap().1.to_owned();
    let mut latin1 = text("latin1").into_bytes();
    let in_row = latin1.windows(3).position(|three| three == b"r-2").unwrap();
    latin1[in_row + 2] = 0xe9;
    vec![
        case("empty", "", "FILE_EMPTY", 0),
        case("no-header", no_header, "HEADER_MISSING", 0),
        case("utf16", utf16(&text("utf16")), "ENCODING_INVALID", 0),
        case("latin1", latin1, "ENCODING_INVALID", 0),
        control("version", "VERSION_UNSUPPORTED", &|file| file.version = "2".into()),
        control("other-issuer", "HEADER_MISMATCH", &|file| file.issuer = "OTHER".into()),
        control("other-service", "HEADER_MISMATCH", &|file| file.service = "pan-lists".into()),
        control("other-environment", "HEADER_MISMATCH", &|file| file.environment = "PROD".into()),
        control("column-unknown", "COLUMN_UNKNOWN", &|file| {
            file.columns = format!("{COLUMNS},colour");
            file.rows.iter_mut().for_each(|row| row.push_str(",red"));
        }),
        control("column-missing", "COLUMN_MISSING", &|file| {
            file.columns = "record_ref,card_base_currency".into();
            file.rows = vec!["r-1,EUR".into()];
        }),
        case("too-few-cells", text("too-few-cells").replace("r-2,,", "r-2,"), "FORMAT_INVALID", 4),
        case("empty-line", text("empty-line").replace("\nr-2,", "\n\nr-2,"), "FORMAT_INVALID", 4),
        case("long-line", text("long-line").replace("r-2", &"r".repeat(70_000)), "FORMAT_INVALID", 4),
        case("no-trailer", file("no-trailer").untrailed(), "TRAILER_MISSING", 0),
        case("cut-in-row", cut("cut-in-row", 100), "TRAILER_MISSING", 0),
        control("count-high", "COUNT_MISMATCH", &|file| file.count = Some("4".into())),
        control("count-low", "COUNT_MISMATCH", &|file| file.count = Some("2".into())),
        control("digest", "DIGEST_MISMATCH", &|file| file.digest = Some("0".repeat(64))),
        case("changed", text("changed").replace("r-2,", "r-9,"), "DIGEST_MISMATCH", 0),
    ]
}

/// Reference, row without its reference, code, field and whether to send it again.
pub(crate) fn bad_records() -> Vec<(&'static str, String, &'static str, &'static str, &'static str)> {
    let pan = |n| pan::pan(pan::ACME, 2, n);
    let bad = |record_ref, row: String, code, field, again| (record_ref, row, code, field, again);
    vec![
        bad("pan-missing", ",,EUR,".into(), "FIELD_MISSING", "pan", "true"),
        bad("currency-missing", format!(",{},,", pan(1)), "FIELD_MISSING", "card_base_currency", "true"),
        bad("action-unknown", format!("UPSERT,{},EUR,", pan(2)), "FIELD_INVALID", "action", "true"),
        bad("delete-nothing", "DELETE,,,".into(), "FIELD_MISSING", "payment_card_id", "true"),
        bad("mangled", ",5.23E+15,EUR,".into(), "PAN_MANGLED", "pan", "true"),
        bad("spaced", ",2303 7700 0332 2342,EUR,".into(), "PAN_FORMAT", "pan", "true"),
        bad("letters", ",23037700033223xy,EUR,".into(), "PAN_FORMAT", "pan", "true"),
        bad("short", format!(",{},EUR,", &pan(3)[..15]), "PAN_LENGTH", "pan", "true"),
        bad("long", format!(",{}000,EUR,", pan(3)), "PAN_LENGTH", "pan", "true"),
        bad("luhn", format!(",{},EUR,", pan::wrong_check_digit(&pan(4))), "PAN_LUHN", "pan", "true"),
        bad("currency-long", format!(",{},EURO,", pan(5)), "CURRENCY_INVALID", "card_base_currency", "true"),
        bad("currency-dead", format!(",{},DEM,", pan(6)), "CURRENCY_INVALID", "card_base_currency", "true"),
        bad("currency-off", format!(",{},GBP,", pan(7)), "CURRENCY_UNSUPPORTED", "card_base_currency", "true"),
        bad("bin", format!(",{},EUR,", pan::pan(pan::NOBODY, 2, 0)), "BIN_UNSUPPORTED", "pan", "true"),
        bad("twice", format!(",{},EUR,", pan(0)), "DUPLICATE_IN_FILE", "pan", "false"),
        bad(
            "gone",
            "DELETE,,,01939d2e-5e00-8000-8000-000000000000".into(),
            "NOT_REGISTERED",
            "payment_card_id",
            "false",
        ),
    ]
}

/// Tokens of a kind that is refused: what is wrong, the code, the token.
pub(crate) fn forbidden_tokens(world: &World, text: &str) -> Vec<(&'static str, &'static str, String)> {
    let rsa = world.public_key("feed");
    let ec = world.public_key("feed-ec");
    let plain = |alg: &str, key: &str| josekit(alg, "A256GCM", Some("feed-1"), key, text.as_bytes());
    let with = |change: &dyn Fn(&mut JweHeader)| {
        josekit_with("RSA-OAEP-256", "A256GCM", Some("feed-1"), &rsa, text.as_bytes(), |header| change(header))
    };
    let header = |json: serde_json::Value| Crafted::new(&json.to_string(), &[3; 12], &rsa, text.as_bytes()).token();
    let usual = |nonce: &[u8]| {
        Crafted::new(r#"{"alg":"RSA-OAEP-256","enc":"A256GCM","kid":"feed-1"}"#, nonce, &rsa, text.as_bytes())
    };
    let cut_tag = |bytes: usize| {
        let mut crafted = usual(&[3; 12]);
        crafted.tag.truncate(bytes);
        crafted.token()
    };
    let no_nonce = || {
        let mut crafted = usual(&[3; 12]);
        crafted.nonce.clear();
        crafted.token()
    };
    let short_key = || {
        let mut crafted = usual(&[3; 12]);
        crafted.key.truncate(7);
        crafted.token()
    };
    let token = usual(&[3; 12]).token();
    vec![
        ("rsa15", "ALGORITHM_REFUSED", plain("RSA1_5", &rsa)),
        ("rsa-sha1", "ALGORITHM_REFUSED", plain("RSA-OAEP", &rsa)),
        ("dir", "ALGORITHM_REFUSED", plain("dir", &rsa)),
        ("a256kw", "ALGORITHM_REFUSED", plain("A256KW", &rsa)),
        ("pbes2", "ALGORITHM_REFUSED", plain("PBES2-HS256+A128KW", &rsa)),
        ("ecdh-a128kw", "ALGORITHM_REFUSED", plain("ECDH-ES+A128KW", &ec)),
        ("zip", "ALGORITHM_REFUSED", with(&|header| header.set_compression("DEF"))),
        (
            "crit",
            "ALGORITHM_REFUSED",
            header(json!({"alg": "RSA-OAEP-256", "enc": "A256GCM", "crit": ["exp"], "exp": 1})),
        ),
        ("enc", "ALGORITHM_REFUSED", header(json!({"alg": "RSA-OAEP-256", "enc": "A512GCM"}))),
        ("no-alg", "ENVELOPE_REFUSED", header(json!({"enc": "A256GCM"}))),
        (
            "long-header",
            "ENVELOPE_REFUSED",
            header(json!({"alg": "RSA-OAEP-256", "enc": "A256GCM", "x": "y".repeat(5000)})),
        ),
        ("kid", "KEY_UNKNOWN", header(json!({"alg": "RSA-OAEP-256", "enc": "A256GCM", "kid": "feed-3"}))),
        (
            "stranger",
            "KEY_UNKNOWN",
            josekit("RSA-OAEP-256", "A256GCM", Some("feed-9"), &world.public_key("stranger"), text.as_bytes()),
        ),
        (
            "stranger-as-ours",
            "CRYPTO_ERROR",
            josekit("RSA-OAEP-256", "A256GCM", Some("feed-1"), &world.public_key("stranger"), text.as_bytes()),
        ),
        ("tag15", "ENVELOPE_REFUSED", cut_tag(15)),
        ("tag4", "ENVELOPE_REFUSED", cut_tag(4)),
        ("tag0", "ENVELOPE_REFUSED", cut_tag(0)),
        ("nonce0", "ENVELOPE_REFUSED", no_nonce()),
        ("key7", "ENVELOPE_REFUSED", short_key()),
        ("cut-half", "ENVELOPE_REFUSED", token[..token.len() / 2].to_owned()),
        ("six-parts", "ENVELOPE_REFUSED", format!("{token}.AAAA")),
        ("not-base64", "ENVELOPE_REFUSED", token.replacen('.', ".!", 3)),
        ("dots", "ENVELOPE_REFUSED", ".".repeat(1 << 20)),
        ("json-form", "ENVELOPE_REFUSED", json!({"protected": "e30", "ciphertext": "AA"}).to_string()),
        ("noise", "ENVELOPE_REFUSED", hex(&[0xa5; 600])),
    ]
}

/// Texts of JSON lines that refuse their file, where a request has at most 2 KiB: the code, the text, the line.
pub(crate) fn refused_requests() -> Vec<(&'static str, Vec<u8>, Option<u64>)> {
    let good = card("a", &pan::pan(pan::ACME, 1, 1));
    let right = |batch: &str| lines(batch, std::slice::from_ref(&good), 1);
    let with = |batch: &str, request: Value| lines(batch, &[request], 1);
    let files: Vec<(&'static str, String, Option<u64>)> = vec![
        ("HEADER_MISSING", format!("{good}\n"), Some(1)),
        ("VERSION_UNSUPPORTED", right("v").replace("\"version\":1", "\"version\":2"), Some(1)),
        ("HEADER_MISMATCH", right("m").replace("\"ACME\"", "\"OTHER\""), Some(1)),
        ("FORMAT_INVALID", with("n", json!({"id": "a", "fpan": 2_303_770_003_322_342_u64})), Some(2)),
        ("FORMAT_INVALID", with("t", json!({"id": {"a": 1}})), Some(2)),
        ("FORMAT_INVALID", right("d").replace("\"id\":\"a\"", "\"id\":\"a\",\"id\":\"b\""), Some(2)),
        ("FORMAT_INVALID", right("j").replace("\"EUR\"", "EUR"), Some(2)),
        ("FORMAT_INVALID", with("l", json!({"id": "x".repeat(3000)})), Some(2)),
        ("COLUMN_UNKNOWN", with("u", json!({"id": "a", "pan": "1"})), Some(2)),
        ("SAD_PRESENT", with("s", json!({"id": "a", "cvc": "123"})), Some(2)),
        ("SAD_PRESENT", with("p", json!([{"id": "a"}, {"id": 1, "nested": {"pinBlock": "1"}}])), Some(2)),
        ("TRAILER_MISSING", right("c").split_inclusive('\n').take(2).collect(), Some(2)),
        ("TRAILER_MISSING", right("h")[..right("h").len() - 120].to_owned(), None),
        ("COUNT_MISMATCH", lines("k", std::slice::from_ref(&good), 2), Some(3)),
        ("DIGEST_MISMATCH", right("g").replace("\"id\":\"a\"", "\"id\":\"b\""), Some(3)),
        ("ENCODING_INVALID", right("e").replace("\"a\"", "\"\u{1}\"").replace('\u{1}', "\u{fffd}"), None),
    ];
    let bytes = |code: &str, text: String| {
        let mut bytes = text.into_bytes();
        if code == "ENCODING_INVALID" {
            let at = memchr::memmem::find(&bytes, "\u{fffd}".as_bytes()).unwrap();
            bytes[at] = 0xFF;
        }
        bytes
    };
    files.into_iter().map(|(code, text, line)| (code, bytes(code, text), line)).collect()
}
