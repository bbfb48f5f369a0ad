//! No card number where none belongs: canary PANs go through everything, then everything written is searched for them.

use std::fs;
use std::io::ErrorKind;
use std::time::Duration;

use crate::file::{COLUMNS, CsvFile, hex};
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
