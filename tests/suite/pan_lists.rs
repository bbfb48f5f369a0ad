//! pan-lists, as its public program answers: the published cases, files of rows, partial success, requests that are refused.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::file::sha256_hex;
use crate::world::{World, drop_into};

/// The ranges of the public sandbox.
const RANGES: [(&str, &str); 2] =
    [("2303770003300000000", "2303770003399999999"), ("2303770004100000000", "2303770004199999999")];

/// A world with a pan-lists feed for each issuer.
pub(crate) fn world(issuers: &[&'static str], reply: bool, issuer_lines: &str) -> World {
    let world = World::shaped(|shape| {
        shape.issuers = issuers.to_vec();
        shape.reply = reply;
        for id in issuers {
            let more = format!(
                "\n[[feed]]\nname = \"{id}-lists\"\nissuer = \"{id}\"\nservice = \"pan-lists\"\nfiles = \"{id}_LISTS_*\"\n\
                 envelopes = [\"jwe\"]\nkeys = [\"keys/feed.jwk\"]\nenvironment = \"TEST\"\ncontrols = \"optional\"\n"
            );
            shape.more = Box::leak((shape.more.to_owned() + &more).into_boxed_str());
        }
    });
    let mut ranges = String::from("issuer,cid,ica,country,low,high,services\n");
    for id in issuers {
        for (low, high) in RANGES {
            writeln!(ranges, "{id},242666,19246,USA,{low},{high},payment-cards|pan-lists").unwrap();
        }
    }
    world.write("reference/account_ranges.csv", ranges);
    if !issuer_lines.is_empty() {
        let toml = std::fs::read_to_string(world.at("nightdrop.toml")).unwrap();
        world.write("nightdrop.toml", toml.replace("currencies = [", &format!("{issuer_lines}\ncurrencies = [")));
    }
    world
}

fn drop_request(world: &World, issuer: &str, name: &str, request: &Value) {
    let file = format!("{issuer}_LISTS_{name}.json.jwe");
    drop_into(&world.inbound_of(issuer), &file, world.sealed(&request.to_string()));
}

fn response(world: &World, issuer: &str, name: &str) -> Vec<Value> {
    let text = world.out_of(issuer).content(&format!("{issuer}_LISTS_{name}.response.jsonl"));
    String::from_utf8(text).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A PAN as answers show it that are not sealed.
fn masked(pan: &str) -> String {
    match pan.len() {
        15..=19 => format!("{}{}{}", &pan[..6], "*".repeat(pan.len() - 10), &pan[pan.len() - 4..]),
        11..=14 => format!("{}{}", "*".repeat(pan.len() - 4), &pan[pan.len() - 4..]),
        _ => String::new(),
    }
}

/// A sandbox PAN of 19 digits that passes Luhn.
fn pan(n: u64) -> String {
    let body = format!("230377000415{n:06}");
    (0..10).map(|digit| format!("{body}{digit}")).find(|pan| is_luhn(pan)).unwrap()
}

fn is_luhn(digits: &str) -> bool {
    let value = |(at, digit): (usize, u8)| match (u32::from(digit - b'0'), at % 2) {
        (digit, 0) => digit,
        (digit, _) => digit * 2 - if digit > 4 { 9 } else { 0 },
    };
    digits.bytes().rev().enumerate().map(value).sum::<u32>() % 10 == 0
}

#[test]
fn the_published_cases_are_answered_as_published() {
    let cases: Vec<Value> = serde_json::from_str(include_str!("pan_lists/cases.json")).unwrap();
    assert_eq!(cases.len(), 11);
    let issuers: Vec<&'static str> = (0..cases.len()).map(|at| &*format!("CASE{at}").leak()).collect();
    for (reply, lines) in [(false, ""), (true, ""), (true, "seal_sensitive_data = true")] {
        let world = world(&issuers, reply, lines);
        let mut ids = vec![String::new(); cases.len()];
        let most = cases.iter().map(|case| case["given"].as_array().unwrap().len()).max().unwrap();
        // What was given, request by request, for all cases at once; then what is asked.
        for step in 0..=most {
            let mut asked = Vec::new();
            for (at, case) in cases.iter().enumerate() {
                let given = case["given"].as_array().unwrap();
                let request = if step < most { given.get(step) } else { Some(&case["when"]) };
                let Some(request) = request else { continue };
                let text = request.to_string().replace("{panListId}", &ids[at]);
                drop_request(&world, issuers[at], &format!("{step}"), &serde_json::from_str(&text).unwrap());
                asked.push(at);
            }
            world.once();
            for at in asked {
                let answer = response(&world, issuers[at], &step.to_string()).remove(0);
                if step == 0
                    && let Some(id) = answer["panList"]["panListId"].as_str()
                {
                    ids[at] = id.to_owned();
                }
                if step == most {
                    check(&world, &cases[at], answer, &ids[at], reply, !lines.is_empty());
                }
            }
        }
    }
}

fn check(world: &World, case: &Value, mut answer: Value, id: &str, reply: bool, sealed: bool) {
    let name = &case["case"];
    let mut expected = case["then"].clone();
    if let Some(list) = answer["panList"]["panListId"].as_str() {
        assert!(list.len() == 18 && !list.starts_with('0') && list.bytes().all(|it| it.is_ascii_digit()), "{name}");
        if !id.is_empty() {
            assert_eq!(list, id, "{name}: a list that was there keeps its id");
        }
        answer["panList"]["panListId"] = "{panListId}".into();
    }
    if answer["panListId"] == id {
        answer["panListId"] = "{panListId}".into();
    }
    if let Some(token) = answer.get("encryptedValue").map(|token| token.as_str().unwrap().to_owned()) {
        assert!(sealed, "{name}: sealed once more");
        world.write("part.jwe", &token);
        let opened = world.nightdrop(&["unseal", "part.jwe", "--key", "keys/reply.jwk"]).expect(0);
        answer.as_object_mut().unwrap().remove("encryptedValue");
        answer["sensitiveData"] = serde_json::from_slice(&opened.stdout).unwrap();
    } else {
        assert!(!sealed || expected.get("sensitiveData").is_none(), "{name}: not sealed once more: {answer}");
    }
    if let Some(pans) = expected.pointer_mut("/sensitiveData/pans").filter(|_| !reply) {
        for entry in pans.as_array_mut().unwrap() {
            entry["pan"] = masked(entry["pan"].as_str().unwrap()).into();
        }
    }
    assert_eq!(answer, expected, "{name}");
}

#[test]
fn rows_make_lists_add_to_them_and_take_out() {
    let world = world(&["ACME"], true, "");
    let header = "HDR,1,ACME,pan-lists,L1,1,2026-11-20T01:30:00Z,TEST\n\
                  record_ref,operation,pan_list_id,pan_list_name,account_range_low,account_range_high,pan\n";
    let (low, high) = RANGES[1];
    let bad = crate::pan::wrong_check_digit(&pan(3));
    let rows = format!(
        "a,REGISTER,,Gold list,,,{bad}\nb,REGISTER,,Gold list,,,{}\nc,REGISTER,,Gold list,,,{}\nd,REGISTER,,Gold list,,,{}\n\
         e,REGISTER,,Silver,{low},{high},\nf,REGISTER,,Gold list,,,{}\ng,REGISTER,,Bad_name,,,{}\nh,,,Gold list,,,{}\n",
        pan(1),
        pan(2),
        pan(1),
        pan(1),
        pan(1),
        pan(1),
    );
    let text = format!("{header}{rows}");
    let text = format!("{text}TRL,8,{}\n", sha256_hex(text.as_bytes()));
    drop_into(&world.inbound(), "ACME_LISTS_L1.csv.jwe", world.sealed(&text));
    world.once().expect(4);
    let recon = world.out().recon("ACME_LISTS_L1");
    let told: Vec<_> = recon.rows.iter().map(|row| (&row["outcome"], &row["code"])).collect();
    let expected = [
        ("REJECTED", "PAN_LUHN"),
        ("REGISTERED", ""),
        ("REGISTERED", ""),
        ("REJECTED", "DUPLICATE_IN_FILE"),
        ("REGISTERED", ""),
        ("REGISTERED", ""),
        ("REJECTED", "LIST_NAME_INVALID"),
        ("REJECTED", "FIELD_MISSING"),
    ];
    assert_eq!(told, expected);
    // A list has its id in all rows of its request, before the record that made it too; the same name again is another list.
    let ids: Vec<&str> = recon.rows.iter().map(|row| &row["pan_list_id"]).collect();
    assert_eq!(ids[0].len(), 18);
    assert!(ids[..4].iter().all(|id| *id == ids[0]) && ids[4] != ids[0] && ids[5] != ids[0], "{ids:?}");
    assert_eq!((ids[6], ids[7]), ("", ""));
    assert_eq!(&recon.rows[5]["pan_list_name"], "Gold list");
    assert!(!world.out().has("ACME_LISTS_L1.response.jsonl.jwe"), "rows are not answered as requests");

    // One PAN out and in and out again, then what is in another list alone, then what is in none.
    let columns = "record_ref,operation,pan_list_id,pan\n";
    let id = ids[0];
    let steps = [("x", "DEREGISTER"), ("y", "REGISTER"), ("z", "DEREGISTER")];
    let mut rows = String::new();
    for (name, operation) in steps {
        writeln!(rows, "{name},{operation},{id},{}", pan(1)).unwrap();
    }
    writeln!(
        rows,
        "p,DEREGISTER,{id},{}\nq,DEREGISTER,{id},{}\nr,DEREGISTER,123456789012345678,{}\ns,DEREGISTER,{id},",
        pan(1),
        pan(7),
        pan(1)
    )
    .unwrap();
    drop_into(&world.inbound(), "ACME_LISTS_L2.csv.jwe", world.sealed(&format!("{columns}{rows}")));
    world.once().expect(4);
    let recon = world.out().recon("ACME_LISTS_L2");
    let told: Vec<_> = recon.rows.iter().map(|row| (&row["outcome"], &row["code"])).collect();
    let expected = [
        ("DEREGISTERED", ""),
        ("REGISTERED", ""),
        ("DEREGISTERED", ""),
        ("REJECTED", "NOT_IN_LIST"),
        ("REJECTED", "NOT_REGISTERED"),
        ("REJECTED", "LIST_UNKNOWN"),
        ("REJECTED", "PANS_MISSING"),
    ];
    assert_eq!(told, expected);
    assert_eq!(&recon.rows[3]["pan_list_name"], "Gold list");
    assert!(world.registers_balance() > 0);
}

/// Of a file as large as this answers are written while it is registered, by commits of a thousand records.
#[test]
fn a_list_is_told_of_however_long_before_it_was_made() {
    let world = world(&["ACME"], true, "");
    let toml = std::fs::read_to_string(world.at("nightdrop.toml")).unwrap();
    world.write("nightdrop.toml", toml.replace("contact = ", "group_records_max = 1000\ncontact = "));
    let mut rows = String::from("record_ref,operation,pan_list_name,pan\n");
    let lists = [("First", 1, 5_000), ("Second", 12_345, 24_000), ("Never", 40_000, 23_000)];
    for (name, good, records) in lists {
        for n in 1..=records {
            let pan = if n == good { pan(good) } else { "1".to_owned() };
            writeln!(rows, "{name}-{n},REGISTER,{name},{pan}").unwrap();
        }
    }
    drop_into(&world.inbound(), "ACME_LISTS_LONG.csv.jwe", world.sealed(&rows));
    world.once().expect(4);
    let recon = world.out().recon("ACME_LISTS_LONG");
    assert_eq!(recon.trailer, [52_000, 2, 0, 0, 0, 51_998]);
    let mut told = recon.rows.iter().map(|row| (&row["pan_list_name"], row["pan_list_id"].len()));
    for (name, good, records) in lists {
        let expected = if good <= records { (name, 18) } else { ("", 0) };
        let records = usize::try_from(records).unwrap();
        assert!(told.by_ref().take(records).all(|row| row == expected), "{name}");
    }
}

#[test]
fn a_lists_range_is_its_own_however_it_is_written_and_a_bad_reference_is_told_beside_a_bad_request() {
    let world = world(&["ACME"], true, "");
    let (low, high) = RANGES[1];
    let made = json!({"panListName": "A", "accountRange": {"accountRangeLow": low, "accountRangeHigh": high}});
    drop_request(&world, "ACME", "made", &made);
    world.once().expect(0);
    let answer = &response(&world, "ACME", "made")[0];
    let id = answer["panList"]["panListId"].as_str().unwrap();
    let short = &low[..11];
    assert!(low[11..].bytes().all(|digit| digit == b'0') && high == format!("{short}99999999"));
    let rows = format!(
        "record_ref,operation,pan_list_id,account_range_low,account_range_high,pan\n\
         a,REGISTER,{id},{short},{short},{}\nb,REGISTER,{id},{short},{short}8,{}\n-c,REGISTER,123456789012345678,,,{}\n",
        pan(1),
        pan(2),
        pan(3),
    );
    drop_into(&world.inbound(), "ACME_LISTS_L2.csv.jwe", world.sealed(&rows));
    world.once().expect(4);
    let recon = world.out().recon("ACME_LISTS_L2");
    let told: Vec<_> = recon.rows.iter().map(|row| (&row["outcome"], &row["code"], &row["pan_list_id"])).collect();
    assert_eq!(told, [("REGISTERED", "", id), ("REJECTED", "RANGE_UNKNOWN", ""), ("REJECTED", "FIELD_INVALID", "")]);
    let errors = world.out().errors("ACME_LISTS_L2");
    let told: Vec<_> = errors.iter().map(|row| (&row["line"], &row["field"], &row["code"])).collect();
    let expected = [
        ("3", "account_range_high", "RANGE_UNKNOWN"),
        ("4", "record_ref", "FIELD_INVALID"),
        ("4", "pan_list_id", "LIST_UNKNOWN"),
    ];
    assert_eq!(told, expected);
}

#[test]
fn refused_requests_are_answered_with_the_apis_words() {
    let world = world(&["ACME"], true, "");
    let (low, high) = RANGES[0];
    let pans = json!({"pans": [{"pan": pan(1)}, {"pan": "1"}]});
    drop_request(
        &world,
        "ACME",
        "made",
        &json!({"panListName": "A", "accountRange": {"accountRangeLow": low, "accountRangeHigh": high}}),
    );
    world.once().expect(0);
    let id = response(&world, "ACME", "made")[0]["panList"]["panListId"].clone();
    let range = |low: &str, high: &str| json!({"accountRangeLow": low, "accountRangeHigh": high});
    let bound = r#"must match "^[0-9]{11,19}$""#;
    let cases = [
        (
            json!({"panListName": "A"}),
            vec![("invalid.data: Either pans or Account Range", "must not be null or empty")],
            "PANS_OR_RANGE_MISSING",
        ),
        (
            json!({"operation": "DEREGISTER", "panListId": id}),
            vec![("invalid.data: pans", "pans must not be null or empty")],
            "PANS_MISSING",
        ),
        (
            json!({"sensitiveData": pans}),
            vec![("invalid.data: panListName", "must not be null or empty")],
            "FIELD_MISSING",
        ),
        (
            json!({"operation": "DEREGISTER", "sensitiveData": pans}),
            vec![("invalid.data: panListId", "must not be null")],
            "FIELD_MISSING",
        ),
        (
            json!({"panListName": "A_b", "sensitiveData": pans}),
            vec![("invalid.data: panListName", r#"must match "^[a-zA-Z0-9\s-]{1,64}$""#)],
            "LIST_NAME_INVALID",
        ),
        (
            json!({"panListId": "12", "sensitiveData": pans}),
            vec![("invalid.data: panListId", r#"must match "^[0-9]{18}$""#)],
            "FIELD_INVALID",
        ),
        (
            json!({"panListName": "A", "accountRange": range("1", "x")}),
            vec![
                ("invalid.data: accountRange.accountRangeLow", bound),
                ("invalid.data: accountRange.accountRangeHigh", bound),
            ],
            "RANGE_INVALID",
        ),
        (
            json!({"panListName": "A", "accountRange": range(high, low)}),
            vec![("invalid.accountRange", "Account range not valid")],
            "RANGE_INVALID",
        ),
        (
            json!({"panListName": "A", "accountRange": range("50000000000", "50000000009"), "sensitiveData": pans}),
            vec![("invalid.accountRange", "Account range not valid")],
            "RANGE_UNKNOWN",
        ),
        (
            json!({"panListId": id, "accountRange": range(RANGES[1].0, RANGES[1].1), "sensitiveData": pans}),
            vec![("invalid.accountRange", "Invalid account range for pan list")],
            "RANGE_UNKNOWN",
        ),
        (
            json!({"panListId": id}),
            vec![("invalid.pan", "To update pan list at least one pan should be present")],
            "PANS_MISSING",
        ),
        (
            json!({"panListId": "123456789012345678", "sensitiveData": pans}),
            vec![("invalid.request.parameter", "Pan list not found for id 123456789012345678")],
            "LIST_UNKNOWN",
        ),
        (
            json!({"panListId": "000000000000000012", "sensitiveData": pans}),
            vec![("invalid.request.parameter", "Pan list not found for id 000000000000000012")],
            "LIST_UNKNOWN",
        ),
    ];
    let requests: Vec<Value> = cases.iter().map(|(request, ..)| request.clone()).collect();
    drop_request(&world, "ACME", "refused", &Value::Array(requests));
    world.once().expect(4);
    let answers = response(&world, "ACME", "refused");
    assert_eq!(answers.len(), cases.len());
    let recon = world.out().recon("ACME_LISTS_refused");
    let mut rows = recon.rows.iter();
    for ((request, errors, code), answer) in cases.iter().zip(&answers) {
        let error = |(reason, description): &(&str, &str)| json!({"Source": "mci-installments-consumer-api", "ReasonCode": reason, "Description": description, "Recoverable": false, "Details": ""});
        let expected: Vec<Value> = errors.iter().map(error).collect();
        assert_eq!(answer, &json!({"Errors": {"Error": expected}}), "{request}");
        // Its code stands at each of its records.
        let records = request["sensitiveData"]["pans"].as_array().map_or(1, Vec::len);
        for row in rows.by_ref().take(records) {
            assert_eq!((&row["outcome"], &row["code"], &row["pan_list_id"]), ("REJECTED", *code, ""), "{request}");
        }
    }
    assert!(rows.next().is_none());
}

#[test]
fn each_failed_pan_says_why_and_no_other_is_repeated() {
    let world = world(&["ACME"], true, "");
    let outside = "4111111111111111";
    let entries = [
        pan(1),
        crate::pan::wrong_check_digit(&pan(2)),
        "5.2E+15".into(),
        "12".into(),
        "23 03".into(),
        outside.into(),
        pan(1),
        String::new(),
    ];
    let pans: Vec<Value> = entries.iter().map(|pan| json!({"pan": pan})).collect();
    let token = crate::seal::josekit(
        "RSA-OAEP-256",
        "A256GCM",
        Some("feed-1"),
        &world.public_key("feed"),
        json!({"pans": pans}).to_string().as_bytes(),
    );
    drop_request(&world, "ACME", "some", &json!({"panListName": "A", "encryptedValue": token}));
    world.once().expect(4);
    let answer = &response(&world, "ACME", "some")[0];
    assert_eq!((&answer["successfulCount"], &answer["failureCount"]), (&"1".into(), &"7".into()), "{answer}");
    let failed: Vec<(String, String)> = answer["sensitiveData"]["pans"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| (it["pan"].as_str().unwrap().to_owned(), it["error"]["description"].as_str().unwrap().to_owned()))
        .collect();
    let digits = "pan doesn't have required 11-19 digits";
    let said = [
        "pan failed for Luhn check",
        digits,
        digits,
        digits,
        "pan failed for account range validation",
        "pan already present in list",
        digits,
    ];
    let expected: Vec<_> = entries[1..].iter().cloned().zip(said.map(str::to_owned)).collect();
    assert_eq!(failed, expected);
    let codes: Vec<String> =
        world.out().recon("ACME_LISTS_some").rows.iter().map(|row| row["code"].to_owned()).collect();
    assert_eq!(
        codes,
        [
            "",
            "PAN_LUHN",
            "PAN_MANGLED",
            "PAN_LENGTH",
            "PAN_FORMAT",
            "PAN_OUT_OF_RANGE",
            "DUPLICATE_IN_FILE",
            "FIELD_MISSING"
        ]
    );
    // What does not open refuses the file.
    drop_request(&world, "ACME", "broken", &json!({"panListName": "A", "encryptedValue": token.replace('.', "..")}));
    world.once().expect(3);
    world.out().refused("ACME_LISTS_broken", "CRYPTO_ERROR");
}

#[test]
fn a_request_of_25_000_pans_counts_and_lists_what_failed() {
    let world = world(&["ACME"], true, "");
    let bad = |n: u64| n % 100 == 99;
    let pans: Vec<Value> = (0..25_000)
        .map(|n| json!({"pan": if bad(n) { crate::pan::wrong_check_digit(&pan(n)) } else { pan(n) }}))
        .collect();
    drop_request(&world, "ACME", "many", &json!({"panListName": "Many", "sensitiveData": {"pans": pans}}));
    let ran = world.once().expect(4);
    assert!(ran.peak_bytes < 96 << 20, "{} bytes", ran.peak_bytes);
    let answer = &response(&world, "ACME", "many")[0];
    assert_eq!((&answer["successfulCount"], &answer["failureCount"]), (&"24750".into(), &"250".into()));
    let failed = answer["sensitiveData"]["pans"].as_array().unwrap();
    assert_eq!(failed.len(), 250);
    assert_eq!(failed[249]["pan"], crate::pan::wrong_check_digit(&pan(24_999)));
    let recon = world.out().recon("ACME_LISTS_many");
    assert_eq!(recon.trailer, [25_000, 24_750, 0, 0, 0, 250]);
    assert!(recon.rows.iter().all(|row| row["pan_list_id"] == *answer["panList"]["panListId"].as_str().unwrap()));
}

#[test]
fn issuers_do_not_see_each_others_lists() {
    let world = world(&["ACME", "OTHER"], false, "");
    let request = json!({"panListName": "Same name", "sensitiveData": {"pans": [{"pan": pan(1)}]}});
    for issuer in ["ACME", "OTHER"] {
        drop_request(&world, issuer, "made", &request);
    }
    world.once().expect(0);
    let id = response(&world, "ACME", "made")[0]["panList"]["panListId"].clone();
    assert_ne!(id, response(&world, "OTHER", "made")[0]["panList"]["panListId"]);
    drop_request(
        &world,
        "OTHER",
        "taken",
        &json!({"operation": "DEREGISTER", "panListId": id, "sensitiveData": request["sensitiveData"]}),
    );
    world.once().expect(4);
    assert_eq!(world.out_of("OTHER").recon("OTHER_LISTS_taken").rows[0]["code"].to_owned(), "LIST_UNKNOWN");
    assert!(world.registers_balance() > 0);
}
