//! No card number where none belongs: canary PANs go through everything, then everything written is searched for them.

use std::fs;
use std::io::ErrorKind;
use std::time::Duration;

use serde_json::{Value, json};

use crate::cells::{self, Cells};
use crate::d1_batch;
use crate::file::{COLUMNS, CsvFile, hex};
use crate::night;
use crate::pan::{self, pans};
use crate::world::{World, files_under};

/// The forms in which a PAN could lie somewhere: digits, UTF-16, hex of the digits, packed decimal, numbers.
fn forms(pan: &str) -> Vec<(&'static str, Vec<u8>)> {
    let packed = pan.as_bytes().chunks(2).map(|two| (two[0] - b'0') << 4 | (two[1] - b'0')).collect();
    let number: u64 = pan.parse().unwrap();
    vec![
        ("digits", pan.as_bytes().to_vec()),
        ("UTF-16", pan.encode_utf16().flat_map(u16::to_le_bytes).collect()),
        ("hex of digits", hex(pan.as_bytes()).into_bytes()),
        ("packed decimal", packed),
        ("little-endian number", number.to_le_bytes().to_vec()),
        ("big-endian number", number.to_be_bytes().to_vec()),
    ]
}

/// Where one of the PANs stands in these bytes, and how.
pub(crate) fn find(bytes: &[u8], cards: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    for card in cards {
        for (form, needle) in forms(card) {
            if memchr::memmem::find(bytes, &needle).is_some() {
                found.push(format!("{}...{} as {form}", &card[..6], &card[12..]));
            }
        }
    }
    found
}

/// The one file that is dropped without a seal. It is kept as it was sent, like every file: the bytes are the sender's.
fn unsealed(cards: &[String]) -> String {
    [cards[0].as_str(); 5].join(".")
}

/// Everything a world wrote, but keys; what was not yet taken from inbound is the sender's.
pub(crate) fn search(world: &World, cards: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    let mut searched = Vec::new();
    for path in files_under(world.path()) {
        let name = path.strip_prefix(world.path()).unwrap();
        if name.starts_with("keys") || name.starts_with("inbound") || name.starts_with("reference") {
            continue;
        }
        let bytes = match fs::read(&path) {
            // A running daemon removes what it no longer needs.
            Err(problem) if problem.kind() == ErrorKind::NotFound => continue,
            read => read.unwrap(),
        };
        if bytes == unsealed(cards).as_bytes() && (name.starts_with("work") || name.starts_with("quarantine")) {
            continue;
        }
        searched.push(name.display().to_string());
        found.extend(find(&bytes, cards).into_iter().map(|hit| format!("{}: {hit}", name.display())));
        found.extend(find(name.as_os_str().as_encoded_bytes(), cards));
    }
    for must in ["nightdrop.db", "said/"] {
        assert!(searched.iter().any(|name| name.starts_with(must)), "{must} was not searched: {searched:?}");
    }
    found
}

/// Files in which a canary stands at every place where a message might be tempted to repeat it.
pub(crate) fn drop_canaries(world: &World, cards: &[String]) {
    let file = |batch: &str| {
        CsvFile::new(batch).with(|file| {
            for (n, card) in cards.iter().enumerate() {
                file.register(&format!("r-{n}"), card, "EUR");
            }
        })
    };
    let card = &cards[0];
    let sealed =
        |name: &str, text: &str| world.drop_bytes(&format!("ACME_PAYCARDS_{name}.csv.jwe"), world.sealed(text));

    world.drop_sealed(&file("A-GOOD"));
    world.drop_sealed(&file("B-AGAIN").with(|file| {
        file.register("twice", card, "EUR")
            .register("luhn", &pan::wrong_check_digit(card), "EUR")
            .register(card, card, "EUR")
            .register("spaced", &format!(" {card}"), "EUR")
            .register("longer", &format!("{card}0"), "EUR")
            .register("doubled", &format!("{card}{card}"), "EUR")
            .register("currency", card, card)
            .row(format!("action,{card},{card},EUR,"))
            .delete("delete", card)
            .row(format!("odd,,{card},EUR,{card}"));
    }));
    sealed("C-COUNT", &file("C").with(|file| file.count = Some("1".into())).text());
    sealed("D-COUNT-IS-PAN", &file("D").with(|file| file.count = Some(card.clone())).text());
    sealed("E-DIGEST-IS-PAN", &file("E").with(|file| file.digest = Some(card.clone())).text());
    sealed("F-COLUMN-IS-PAN", &file("F").with(|file| file.columns = format!("{COLUMNS},{card}")).text());
    sealed("G-HEADER-IS-PAN", &file("G").with(|file| file.issuer = card.clone()).text());
    sealed("H-CREATED-IS-PAN", &file("H").with(|file| file.created = card.clone()).text());
    sealed("I-CELLS", &file("I").with(|file| file.rows[2].push_str(",x")).text());
    sealed("J-QUOTE", &file("J").with(|file| file.rows[2].insert(0, '"')).text());
    sealed("K-LONG", &file("K").with(|file| file.rows[2].push_str(&card.repeat(5000))).text());
    sealed("L-JSON", &format!(r#"{{"fpan":"{card}","#));
    sealed("M-CUT", file("M").untrailed().trim_end());
    sealed("N-ONLY-PAN", card);
    // Plain text where a seal is expected: the parser of the envelope sees it.
    world.drop_bytes("ACME_PAYCARDS_O.csv.jwe", unsealed(cards));
}

#[test]
fn no_card_number_is_found_in_anything_nightdrop_wrote() {
    let world = World::shaped(|shape| shape.log = "trace");
    let cards = pans(pan::ACME, 120, 40);
    drop_canaries(&world, &cards);

    // Killed in the middle, so that the write-ahead log and half-made files are searched, too.
    let mut daemon = world.daemon();
    world.wait_for(&mut daemon, "ACME_PAYCARDS_A-GOOD.ack.json");
    daemon.kill();
    expect_clean(&world, &cards);

    let mut daemon = world.daemon();
    for name in ["B-AGAIN.summary.json", "N-ONLY-PAN.ack.json", "O.ack.json"] {
        world.wait_for(&mut daemon, &format!("ACME_PAYCARDS_{name}"));
    }
    world.nightdrop(&["status", "--config", "nightdrop.toml"]).expect(0);
    expect_clean(&world, &cards);
    daemon.terminate(Duration::from_secs(10)).expect(0);
    expect_clean(&world, &cards);

    let out = world.out();
    for stem in ["ACME_PAYCARDS_A-GOOD", "ACME_PAYCARDS_B-AGAIN"] {
        let recon = out.recon(stem);
        assert_eq!(find(&recon.content, &cards), [""; 0], "the unsealed recon of {stem}");
    }
    let errors = out.content("ACME_PAYCARDS_B-AGAIN.errors.csv");
    assert_eq!(find(&errors, &cards), [""; 0], "the unsealed errors");
    let logs = fs::read_dir(world.at("said"))
        .unwrap()
        .map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap_or_default());
    assert!(
        logs.into_iter().any(|log| log.contains("TRACE")),
        "nothing was logged at trace level: too little was searched"
    );
}

#[test]
fn none_is_found_in_outbound_files_of_an_issuer_without_a_reply_key() {
    let world = World::shaped(|shape| {
        shape.log = "trace";
        shape.reply = false;
    });
    let cards = pans(pan::ACME, 121, 20);
    drop_canaries(&world, &cards);
    world.once().expect(3);
    expect_clean(&world, &cards);
}

#[test]
fn none_is_found_in_what_the_commands_say() {
    let world = World::shaped(|shape| shape.log = "trace");
    let cards = pans(pan::ACME, 122, 2);
    let text = CsvFile::new("X").with(|file| {
        file.register("r", &cards[0], "EUR");
    });
    world.write("keys/plain.csv", text.text());
    world.nightdrop(&["seal", "keys/plain.csv", "--to", "keys/feed.pub.jwk", "--out", "sealed.jwe"]).expect(0);
    // The sealed file is whole; with the wrong key it does not open, and a plain file is no sealed one.
    let ran = world.nightdrop(&["unseal", "sealed.jwe", "--key", "keys/stranger.jwk"]);
    assert_ne!(ran.code(), Some(0));
    let ran = world.nightdrop(&["unseal", "keys/plain.csv", "--key", "keys/feed.jwk"]);
    assert_ne!(ran.code(), Some(0));
    world.once().expect(0);
    expect_clean(&world, &cards);
}

/// Texts of a consumer that go through click-to-pay.
const PERSON: [&str; 6] =
    ["canary.person@example.net", "Canaryfirst", "Canarylast", "Canary Lane 12", "Canarytown", "6641239876"];

/// A record of a service that has a canary in a column, and in all others what is right.
fn canary_in(service: &str, column: &'static str, n: usize, canary: &str) -> Cells {
    let right = match service {
        "payment-cards" => vec![("pan", canary), ("card_base_currency", "EUR")],
        "pan-lists" => vec![("operation", "REGISTER"), ("pan_list_name", "Canaries"), ("pan", canary)],
        "cards" => {
            vec![("card_product_id", "gold"), ("consumer_id", "anna"), ("pan", canary), ("expiry", "1299")]
        }
        "card-contracts" => {
            vec![("pan", canary), ("expiry", "1299"), ("card_product_id", "gold"), ("status", "ACTIVE")]
        }
        _ => vec![
            // The one contract that has no canary in a wrong place.
            ("card_contract_id", "contract-2"),
            ("src_client_id", "c2b2a3f0-6a7e-4d6b-9a0c-0f1e2d3c4b5a"),
            ("service_id", "SRC#1"),
            ("email", PERSON[0]),
            ("first_name", PERSON[1]),
            ("last_name", PERSON[2]),
            ("address_line1", PERSON[3]),
            ("city", PERSON[4]),
            ("phone_country", "43"),
            ("phone", PERSON[5]),
            ("locale", "de-AT"),
            ("country", "AT"),
            ("privacy_version", "v1"),
            ("tnc_version", "v1"),
            ("accepted_at", "2026-11-19T08:00:00Z"),
        ],
    };
    let record = Cells::new(&format!("r-{n}")).with("card_id", format!("id-{n}"));
    let record = record.with("card_contract_id", format!("contract-{n}"));
    let record = right.into_iter().fold(record, |record, (name, value)| record.with(name, value));
    record.with(column, canary)
}

#[test]
fn none_is_found_whatever_the_service_and_wherever_it_stands() {
    for reply in [true, false] {
        let world = World::shaped(|shape| {
            shape.log = "trace";
            shape.reply = reply;
            shape.services = night::SERVICES.to_vec();
        });
        let canaries = pans(pan::ACME, 124, 30);
        for service in night::SERVICES {
            let names = cells::columns(service).split(',').map(str::trim);
            let records: Vec<_> =
                names.enumerate().map(|(n, column)| canary_in(service, column, n, &canaries[n])).collect();
            let file = |batch: &str| cells::csv_file("ACME", service, batch, &records);
            world.drop_sealed(&file("A-EVERYWHERE"));
            world.drop_sealed(&file("B-COUNT").with(|file| file.count = Some(canaries[0].clone())));
            world.drop_sealed(&file("C-CELLS").with(|file| file.rows[1].push_str(&format!(",{}", canaries[1]))));
            world.drop_sealed(&file("D-QUOTE").with(|file| file.rows[1].insert(0, '"')));
            let kind = crate::world::kind(service);
            let sealed = |name: &str, text: &str| {
                world.drop_bytes(&format!("ACME_{kind}_{name}.jsonl.jwe"), world.sealed(text));
            };
            let lines: Vec<_> = records.iter().map(|record| line_of(service, record)).collect();
            let text = cells::json_lines("ACME", service, "F-LINES", &lines, lines.len());
            sealed("F-LINES", &text);
            sealed("G-BROKEN", &text.replacen("\"}", "\"", 2).replace("F-LINES", "G-BROKEN"));
            sealed("H-CUT", &text[..text.len() / 2].replace("F-LINES", "H-CUT"));
        }
        world.once().expect(3);
        expect_clean(&world, &canaries);
        // Something of it was registered, and something enrolled: it was not all turned away at the door.
        for service in night::SERVICES {
            let stem = format!("ACME_{}_A-EVERYWHERE", crate::world::kind(service));
            let outcomes = world.out().summary(&stem)["outcomes"].clone();
            let done = outcomes["REGISTERED"].as_u64().unwrap() + outcomes["ENROLLED"].as_u64().unwrap();
            assert!(done > 0, "{service}: {outcomes}");
        }
        for path in files_under(world.path()) {
            let name = path.strip_prefix(world.path()).unwrap();
            let bytes = fs::read(&path).unwrap();
            for text in PERSON {
                let found = memchr::memmem::find(&bytes, text.as_bytes()).is_some();
                assert!(!found, "{text} in {}", name.display());
            }
        }
    }
}

#[test]
fn none_is_found_of_a_batch_of_cards_that_are_sealed_by_themselves() {
    let world = World::shaped(|shape| {
        shape.log = "trace";
        shape.reply = false;
        shape.services = vec!["cards"];
        shape.envelopes = r#"["none", "jwe"]"#;
        shape.feed = d1_batch::FEED;
    });
    let cards = pans(pan::ACME, 125, 12);
    let token = |n: usize| world.sealed(&json!({"pan": cards[n], "exp": "1299"}).to_string());
    let one = |n: usize, key: &str, value: &str| {
        let mut card = d1_batch::card(&format!("id-{n}"), &token(n));
        card[key] = value.into();
        d1_batch::row(10 * n as u64, &format!("c-{n}"), &[card])
    };
    let row_id: u64 = cards[9].parse().unwrap();
    let mut spoken = d1_batch::row(80, "c-8", &[d1_batch::card("id-8", &token(8))]);
    let asked = &mut spoken["consumerAndCardRegistrationRequest"];
    asked["personalInformation"] = json!({ &cards[8]: [{"account": cards[8], "text": format!("card {}", cards[8])}] });
    let rows = json!([
        one(0, "state", "ACTIVE"),
        one(1, "cardId", &cards[1]),
        one(2, "cardProductId", &cards[2]),
        one(3, "state", &cards[3]),
        one(4, "encryptedData", &cards[4]),
        one(5, "encryptedData", &world.sealed(&json!({"pan": cards[5], "exp": cards[5]}).to_string())),
        one(6, "encryptedData", &world.sealed(&json!({"pan": cards[6], "exp": "1299", "cvv": "123"}).to_string())),
        d1_batch::row(70, &cards[7], &[d1_batch::card("id-7", &token(7))]),
        spoken,
        d1_batch::row(row_id, "c-9", &[d1_batch::card("id-9", &token(9))]),
    ])
    .to_string();
    let numbered = |n: u32| [d1_batch::HEADER, d1_batch::NAME].map(|text| text.replace("007", &format!("00{n}")));
    let mut stems = Vec::new();
    let card = &cards[10];
    let key = format!("\"{card}\"");
    let changes = [
        ("", "", String::new()),
        ("HEADER_MISMATCH", "N-1", card.clone()),
        ("HEADER_MISMATCH", "ACME_CARDS_1", card.clone()),
        ("HEADER_MISMATCH", "CONSUMER_CARD_REGISTRATION", card.clone()),
        ("COLUMN_UNKNOWN", "\"batchId\"", key.clone()),
        ("COLUMN_UNKNOWN", "\"records\"", key.clone()),
        ("COLUMN_UNKNOWN", "\"cardId\"", key.clone()),
        ("FORMAT_INVALID", "\"rowId\":0", format!("\"rowId\":{key}")),
        ("FORMAT_INVALID", "\"personalInformation\"", card.clone()),
    ];
    for (n, (code, from, to)) in (1..).zip(&changes) {
        let [header, name] = numbered(n);
        // The sender's own bytes lie in the quarantine as they came; sealed, they tell nothing.
        let text = world.sealed(&d1_batch::batch(&header, &rows).replacen(from, to, 1));
        world.drop_bytes(&format!("{name}.jwe"), text);
        stems.push((name.replace(".json", ""), *code));
    }
    // In clear it is taken as well, and kept nowhere.
    let [header, name] = numbered(0);
    let apart = rows.replace("\"id-", "\"other-").replace("\"c-", "\"d-");
    world.drop_bytes(&name, d1_batch::batch(&header, &apart));
    stems.push((name.replace(".json", ""), ""));
    world.once();
    expect_clean(&world, &cards);
    for (stem, code) in &stems {
        if code.is_empty() {
            world.out().accepted(stem);
        } else {
            world.out().refused(stem, code);
        }
    }
    let outcomes = world.out().summary(&stems[9].0)["outcomes"].clone();
    assert_eq!(
        (&outcomes["REGISTERED"], &outcomes["REJECTED"]),
        (&json!(2), &json!(8)),
        "it was turned away at the door"
    );
}

/// A record as a line of JSON of its service.
fn line_of(service: &str, record: &Cells) -> Value {
    if service != "pan-lists" {
        let mut line = record.json(service);
        let known = match service {
            "payment-cards" => "id,fpan,cardBaseCurrency",
            _ => cells::columns(service),
        };
        line.as_object_mut().unwrap().retain(|key, _| known.split(',').any(|name| name.trim() == key));
        return line;
    }
    json!({"panListName": record.cell("pan_list_name"), "sensitiveData": {"pans": [{"pan": record.cell("pan")}]}})
}

fn expect_clean(world: &World, cards: &[String]) {
    assert_eq!(search(world, cards), [""; 0], "card numbers were found");
}

#[test]
fn the_search_finds_a_leak_in_each_form() {
    let world = World::new();
    world.once().expect(0);
    let cards = pans(pan::ACME, 123, 1);
    assert_eq!(search(&world, &cards), [""; 0]);
    for (form, needle) in forms(&cards[0]) {
        for place in ["said/leak.err", "outbound/leak.csv", "nightdrop.db-leak"] {
            let bytes = [b"xx".as_slice(), &needle, b"yy"].concat();
            world.write(place, bytes);
            assert_eq!(search(&world, &cards).len(), 1, "{form} in {place}");
            fs::remove_file(world.at(place)).unwrap();
        }
    }
}
