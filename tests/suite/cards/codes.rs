//! Every code that a record of cards can have, with its field, and what is shown beside it.

use super::{Record, card, drop_file, file, pan, sealed, world};
use crate::pan::wrong_check_digit;
use crate::seal::{Job, josekit, jwcrypto};

/// A bad record, its code, the field of it, and which of card, product and consumer its row still shows.
fn bad(tokens: &[String]) -> Vec<(Record, &'static str, &'static str, [bool; 3])> {
    const ALL: [bool; 3] = [true, true, true];
    let good = |n: u64| Record::new("", &format!("bad-{n}"), "consumer-bad", &pan(n));
    let sealed = |n: u64, token: usize| good(n).sealed(&tokens[token]);
    vec![
        (good(1).with("action", "register"), "FIELD_INVALID", "action", [true, false, false]),
        (good(2).with("action", "TOKENIZED"), "FIELD_MISSING", "event_status", ALL),
        (good(3).with("event_status", "SUCCESS"), "FIELD_INVALID", "event_status", ALL),
        (good(4).with("action", "ORDERED").with("event_status", "SUCCESS"), "FIELD_INVALID", "event_status", ALL),
        (good(5).with("card_id", ""), "FIELD_MISSING", "card_id", [false, true, true]),
        (good(6).with("card_id", "a.b"), "FIELD_INVALID", "card_id", [false, true, true]),
        (good(7).with("card_id", "x".repeat(49)), "FIELD_INVALID", "card_id", [false, true, true]),
        (good(8).with("card_product_id", ""), "FIELD_MISSING", "card_product_id", [true, false, true]),
        (good(9).with("card_product_id", "x".repeat(49)), "FIELD_INVALID", "card_product_id", [true, false, true]),
        (good(10).with("consumer_id", ""), "FIELD_MISSING", "consumer_id", [true, true, false]),
        (good(11).with("consumer_id", "x".repeat(65)), "FIELD_INVALID", "consumer_id", [true, true, false]),
        (good(12).with("consumer_id", format!("c{}", pan(12))), "FIELD_INVALID", "consumer_id", [true, true, false]),
        (good(13).with("state", "BLOCKED"), "FIELD_INVALID", "state", ALL),
        (good(14).with("pan", "").with("expiry", ""), "FIELD_MISSING", "card", ALL),
        (good(15).with("pan", ""), "FIELD_MISSING", "pan", ALL),
        (good(16).with("expiry", ""), "FIELD_MISSING", "expiry", ALL),
        (good(17).with("pan", "5.23E+15"), "PAN_MANGLED", "pan", ALL),
        (good(18).with("pan", "5555 5555 5555 4444"), "PAN_FORMAT", "pan", ALL),
        (good(19).with("pan", "1234567890"), "PAN_LENGTH", "pan", ALL),
        (good(20).with("pan", wrong_check_digit(&pan(20))), "PAN_LUHN", "pan", ALL),
        (good(21).with("expiry", "1330"), "EXPIRY_INVALID", "expiry", ALL),
        (good(22).with("expiry", "2031"), "EXPIRY_INVALID", "expiry", ALL),
        (good(23).with("expiry", "12/30"), "EXPIRY_INVALID", "expiry", ALL),
        (good(24).with("expiry", "0126"), "CARD_EXPIRED", "expiry", ALL),
        (good(25).with("card_product_id", "silver"), "PRODUCT_UNKNOWN", "card_product_id", [true, false, true]),
        (good(26).with("card_id", pan(26)), "CARD_ID_DERIVED", "card_id", [false, true, true]),
        (good(27).with("action", "TOKENIZED").with("event_status", "DECLINED"), "EVENT_IGNORED", "event_status", ALL),
        // In the order of the rules: what is ignored is not looked at further, nor is what is expired.
        (
            good(28).with("action", "TOKENIZED").with("event_status", "success").with("expiry", "0126"),
            "EVENT_IGNORED",
            "event_status",
            ALL,
        ),
        (good(29).with("expiry", "0126").with("card_id", pan(29)), "CARD_EXPIRED", "expiry", [false, true, true]),
        (
            good(30).with("card_id", pan(30)).with("card_product_id", "silver"),
            "CARD_ID_DERIVED",
            "card_id",
            [false, true, true],
        ),
        (sealed(31, 0), "RECORD_CRYPTO_ERROR", "card", ALL),
        (sealed(32, 1), "RECORD_CRYPTO_ERROR", "card", ALL),
        (sealed(33, 2), "RECORD_CRYPTO_ERROR", "card", ALL),
        (sealed(34, 3), "RECORD_CRYPTO_ERROR", "card", ALL),
        (sealed(35, 4), "RECORD_CRYPTO_ERROR", "card", ALL),
        (sealed(36, 5), "PAN_LUHN", "card", ALL),
        (sealed(37, 6), "EXPIRY_INVALID", "card", ALL),
        (sealed(38, 7), "CARD_EXPIRED", "card", ALL),
        (sealed(39, 8), "PAN_FORMAT", "card", ALL),
        (sealed(40, 9).with("pan", pan(40)), "FIELD_INVALID", "pan", ALL),
        (sealed(41, 9).with("expiry", "1230"), "FIELD_INVALID", "expiry", ALL),
        (sealed(42, 9).with("card_id", pan(9)), "CARD_ID_DERIVED", "card_id", [false, true, true]),
        (Record::delete("", "none-there"), "NOT_REGISTERED", "card_id", [false; 3]),
        (Record::delete("", ""), "FIELD_MISSING", "card_id", [false; 3]),
        (Record::delete("", "x y"), "FIELD_INVALID", "card_id", [false; 3]),
        (Record::delete("", "id-1").with("pan", pan(46)), "FIELD_INVALID", "pan", [true, false, false]),
        (Record::delete("", "id-1").with("card", &tokens[9]), "FIELD_INVALID", "card", [true, false, false]),
        (Record::delete("", "id-1").with("state", "ACTIVE"), "FIELD_INVALID", "state", [true, false, false]),
        (Record::delete("", "id-1").with("consumer_id", "c"), "FIELD_INVALID", "consumer_id", [true, false, false]),
        (Record::delete("", "id-1").with("event_status", "X"), "FIELD_INVALID", "event_status", [true, false, false]),
    ]
}

#[test]
fn each_bad_record_has_its_code_at_its_field_and_shows_nothing_that_failed() {
    let world = world(|_| {});
    let whole = card(&pan(9), "1299");
    let mut tokens = sealed(
        &world,
        &[
            whole.replace('}', r#","cvv":"123"}"#),
            format!("[{whole}]"),
            card(&wrong_check_digit(&pan(36)), "1299"),
            card(&pan(37), "1399"),
            card(&pan(38), "0126"),
            card("5555 5555 5555 4444", "1299"),
            whole.clone(),
        ],
    );
    let stranger = world.public_key("stranger");
    let job = |kid| Job { alg: "RSA-OAEP-256", enc: "A256GCM", kid, public: &stranger, plaintext: &whole };
    // For a key that is none of the feed's, under its own name and under another's.
    tokens.splice(0..0, jwcrypto(&[job("feed-9"), job("feed-1")]));
    let cut = tokens[8][..tokens[8].len() - 1].to_owned();
    tokens.insert(2, cut);

    let bad: Vec<_> = bad(&tokens)
        .into_iter()
        .enumerate()
        .map(|(n, (record, code, field, shown))| (record.with("record_ref", format!("b-{n}")), code, field, shown))
        .collect();
    let mut records: Vec<Record> = bad.iter().map(|(record, ..)| record.clone()).collect();
    records.push(Record::new("last", "id-last", "consumer-bad", &pan(60)));
    let stem = drop_file(&world, "BAD", &records);
    world.once().expect(4);

    let (recon, errors) = (world.out().recon(&stem), world.out().errors(&stem));
    assert_eq!(errors.len(), bad.len(), "one failure each");
    for ((record, code, field, shown), error) in bad.iter().zip(&errors) {
        let what = record.cell("record_ref");
        let row = recon.row(what);
        assert_eq!((&row["outcome"], &row["code"]), ("REJECTED", *code), "{what}: {}", record.row());
        assert_eq!((&error["record_ref"], &error["code"], &error["field"]), (what, *code, *field));
        let again = !["EVENT_IGNORED", "NOT_REGISTERED"].contains(code);
        assert_eq!(&row["recoverable"], again.to_string(), "{what}");
        for (column, shown) in ["card_id", "card_product_id", "consumer_id"].into_iter().zip(shown) {
            let expected = if *shown { record.cell(column) } else { "" };
            assert_eq!(&row[column], expected, "{what}, {code}: {column}");
        }
        assert_eq!((&row["consumer_created"], &row["registration"]), ("", ""), "{what}");
        if code.starts_with("PAN_") || code.starts_with("RECORD_") {
            assert_eq!(&row["pan_masked"], "", "{what}: a value that failed its rule is shown");
        }
    }
    // A record that failed makes no consumer.
    assert_eq!(&recon.row("last")["consumer_created"], "true");
    assert_eq!(recon.trailer, [bad.len() as u64 + 1, 1, 0, 0, 0, bad.len() as u64]);
    let crypto: Vec<_> = errors.iter().filter(|row| &row["code"] == "RECORD_CRYPTO_ERROR").collect();
    assert!(crypto.iter().all(|row| row["description"] == crypto[0]["description"]), "failures to open look alike");

    // Nothing that was written shows a PAN whole, though it stood in ids.
    let pans: Vec<String> = (0..61).map(pan).collect();
    assert_eq!(crate::leaks::search(&world, &pans), [""; 0]);
}

#[test]
fn all_failures_of_a_records_format_are_told_in_column_order() {
    let world = world(|_| {});
    let token = sealed(&world, &[card("1234", "0000")]).remove(0);
    let rows = [
        format!("r-1,,X,a b,,{},Y,,5.23E+15,1330", "x".repeat(65)),
        format!("r-2,TOKENIZED,,,,,,{token},1,2"),
        "-r,DELETE,X,,g,c,ACTIVE,t,1,2".to_owned(),
        ",X,,,,,,,,".to_owned(),
    ];
    let file = file("MANY").with(|file| file.rows = rows.to_vec());
    let stem = world.drop_sealed(&file);
    world.once().expect(4);
    let errors = world.out().errors(&stem);
    let said: Vec<_> = errors.iter().map(|row| [&row["line"], &row["field"], &row["code"]].join(" ")).collect();
    assert_eq!(
        said,
        [
            "3 event_status FIELD_INVALID",
            "3 card_id FIELD_INVALID",
            "3 card_product_id FIELD_MISSING",
            "3 consumer_id FIELD_INVALID",
            "3 state FIELD_INVALID",
            "3 pan PAN_MANGLED",
            "3 expiry EXPIRY_INVALID",
            "4 event_status FIELD_MISSING",
            "4 card_id FIELD_MISSING",
            "4 card_product_id FIELD_MISSING",
            "4 consumer_id FIELD_MISSING",
            "4 card PAN_LENGTH",
            "4 card EXPIRY_INVALID",
            "4 pan FIELD_INVALID",
            "4 expiry FIELD_INVALID",
            "5 record_ref FIELD_INVALID",
            "5 event_status FIELD_INVALID",
            "5 card_id FIELD_MISSING",
            "5 card_product_id FIELD_INVALID",
            "5 consumer_id FIELD_INVALID",
            "5 state FIELD_INVALID",
            "5 card FIELD_INVALID",
            "5 pan FIELD_INVALID",
            "5 expiry FIELD_INVALID",
            "6 record_ref FIELD_MISSING",
            "6 action FIELD_INVALID",
            "6 card_id FIELD_MISSING",
        ]
    );
}

#[test]
fn a_file_must_have_the_columns_that_its_records_need() {
    let world = world(|_| {});
    for (batch, columns, code) in [
        ("SEALED", "record_ref,card_id,card_product_id,consumer_id,card", None),
        ("PLAIN", "expiry,pan,record_ref,card_id,card_product_id,consumer_id", None),
        ("GONE", "record_ref,action,card_id", None),
        ("NO-CARD", "record_ref,card_id,card_product_id,consumer_id", Some("COLUMN_MISSING")),
        ("NO-EXPIRY", "record_ref,card_id,card_product_id,consumer_id,pan", Some("COLUMN_MISSING")),
        ("NO-ID", "record_ref,card_product_id,consumer_id,card", Some("COLUMN_MISSING")),
        ("CVV", "record_ref,card_id,card_product_id,consumer_id,pan,expiry,cvv", Some("SAD_PRESENT")),
        ("MORE", "record_ref,card_id,card_product_id,consumer_id,pan,expiry,name", Some("COLUMN_UNKNOWN")),
    ] {
        let stem = world.drop_sealed(&file(batch).with(|file| file.columns = columns.into()));
        world.once().expect(if code.is_some() { 3 } else { 0 });
        match code {
            None => drop(world.out().accepted(&stem)),
            Some(code) => drop(world.out().refused(&stem, code)),
        }
    }
}

#[test]
fn a_token_of_any_algorithm_that_envelopes_allow_opens_and_others_do_not() {
    let world = world(|_| {});
    let mut records = Vec::new();
    let mut expected = Vec::new();
    for (n, (alg, enc, key, kid, opens)) in [
        ("ECDH-ES", "A256GCM", "feed-ec", Some("feed-2"), true),
        ("ECDH-ES", "A128CBC-HS256", "feed-ec", None, true),
        ("ECDH-ES+A256KW", "A192GCM", "feed-ec", Some("feed-2"), true),
        ("RSA-OAEP-256", "A128GCM", "feed", Some("feed-1"), true),
        ("RSA-OAEP-256", "A256CBC-HS512", "feed", None, true),
        ("RSA-OAEP", "A256GCM", "feed", Some("feed-1"), false),
        ("RSA1_5", "A256GCM", "feed", Some("feed-1"), false),
        ("ECDH-ES+A128KW", "A256GCM", "feed-ec", Some("feed-2"), false),
        ("dir", "A256GCM", "feed", Some("feed-1"), false),
        ("RSA-OAEP-256", "A256GCM", "feed", Some("feed-2"), false),
        ("ECDH-ES", "A256GCM", "feed-ec", Some("unknown"), false),
    ]
    .into_iter()
    .enumerate()
    {
        let text = card(&pan(100 + n as u64), "1299");
        let token = josekit(alg, enc, kid, &world.public_key(key), text.as_bytes());
        records.push(Record::new(&format!("t-{n}"), &format!("id-{n}"), "c", "").sealed(&token));
        expected.push(if opens { "" } else { "RECORD_CRYPTO_ERROR" });
    }
    let stem = drop_file(&world, "ALGS", &records);
    world.once().expect(4);
    let recon = world.out().recon(&stem);
    let codes: Vec<_> = recon.rows.iter().map(|row| row["code"].to_owned()).collect();
    assert_eq!(codes, expected);
}
