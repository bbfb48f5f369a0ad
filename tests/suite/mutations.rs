//! Valid files, damaged: bits, bytes, blocks and numbers changed, cut, repeated, swapped and spliced with another file's.
//! One daemon takes them all: none ends it, none holds it up, each has its ack, and of a sealed one nothing is registered.
//!
//! 500 files of each sealed envelope and 500 plain ones by `make test`; 10 000 of each envelope and of each plain format by
//! `make test-long`.

use std::collections::HashSet;
use std::time::Duration;

use openssl::hash::MessageDigest;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use serde_json::{Value, json};

use crate::d1_batch;
use crate::file::{CsvFile, sha256_hex};
use crate::json::{cards, lines};
use crate::pan;
use crate::seal;
use crate::world::{Running, World, long, now, pause};

const SEED: u64 = 20_261_126;
/// So many are dropped at once: a file's way is mostly waiting for the disk.
const DROPPED_AT_ONCE: u64 = 50;

/// How long the daemon may do without an ack while files lie there. Beside the rest of the suite a second would tell of
/// the machine and not of a file.
fn standstill() -> Duration {
    Duration::from_secs(if long() { 1 } else { 20 })
}

/// A daemon under mutated files.
struct Campaign<'w> {
    world: &'w World,
    daemon: Running,
    random: ChaCha8Rng,
    what: &'static str,
}

impl<'w> Campaign<'w> {
    fn new(world: &'w World, what: &'static str) -> Self {
        Self { world, daemon: world.daemon(), random: ChaCha8Rng::seed_from_u64(SEED), what }
    }

    /// Drops files of these names, and gives each one's ack. A file that is accepted has its summary too.
    fn acks(&mut self, files: &[(String, String, Vec<u8>)]) -> Vec<Value> {
        for (_, name, bytes) in files {
            self.world.drop_bytes(name, bytes);
        }
        let out = self.world.out();
        let mut since = now();
        let mut acks = Vec::new();
        for (stem, name, _) in files {
            let mut wait = |ending: &str| {
                while !out.has(&format!("{stem}{ending}")) {
                    let why = format!("{name} of {}, seed {SEED}", self.what);
                    assert!(self.daemon.alive(), "the daemon ended at {why}: {}", self.daemon.stderr());
                    assert!(now() - since < standstill(), "no {ending} within {:?}: {why}", standstill());
                    pause(Duration::from_millis(3));
                }
                since = now();
            };
            wait(".ack.json");
            let ack = out.ack(stem);
            if ack["status"] == "ACCEPTED" {
                wait(".summary.json");
            }
            acks.push(ack);
        }
        acks
    }

    /// No word of a panic, and a good end.
    fn end(self) {
        let stderr = self.daemon.terminate(Duration::from_secs(10)).expect(0).stderr;
        assert!(!stderr.contains("panic"), "{}, seed {SEED}: {stderr}", self.what);
        assert_eq!(self.world.waiting(), [""; 0]);
    }
}

fn below(random: &mut ChaCha8Rng, end: usize) -> usize {
    usize::try_from(random.next_u32()).unwrap() % end.max(1)
}

/// A copy with one to three things changed; `other` is a valid file to splice with.
fn mutated(random: &mut ChaCha8Rng, valid: &[u8], other: &[u8]) -> Vec<u8> {
    let mut bytes = valid.to_vec();
    for _ in 0..=below(random, 3) {
        let (one, two) = (below(random, bytes.len() + 1), below(random, bytes.len() + 1));
        let (from, to) = (one.min(two), one.max(two));
        let short = from..to.min(from + 1 + below(random, 40));
        match below(random, 10) {
            0 if from < bytes.len() => bytes[from] ^= 1 << below(random, 8),
            1 if from < bytes.len() => bytes[from] = random.next_u32().to_le_bytes()[0],
            2 if from < bytes.len() => bytes[from] = b"\"\\,.{}[]\n\r\0=0-_/+:"[below(random, 18)],
            3 => bytes.truncate(to),
            4 => drop(bytes.drain(short)),
            5 => {
                let foreign = random.next_u32().to_le_bytes();
                bytes.splice(from..from, foreign[..=below(random, 3)].iter().copied());
            }
            6 => {
                let again = bytes[short.clone()].to_vec();
                bytes.splice(to..to, again);
            }
            7 => {
                let block = bytes.drain(short).collect::<Vec<_>>();
                let at = below(random, bytes.len() + 1);
                bytes.splice(at..at, block);
            }
            8 => {
                let at = below(random, other.len() + 1);
                bytes.truncate(from);
                bytes.extend_from_slice(&other[at..]);
            }
            _ => change_number(random, &mut bytes, from),
        }
    }
    bytes
}

/// The token with one letter of its content another one.
fn one_letter_changed(random: &mut ChaCha8Rng, token: &[u8]) -> Vec<u8> {
    let dots: Vec<usize> = token.iter().enumerate().filter(|(_, byte)| **byte == b'.').map(|(at, _)| at).collect();
    let mut bytes = token.to_vec();
    bytes[dots[2] + 1 + below(random, dots[3] - dots[2] - 1)] = b"ABCDEFGHabcdefgh01234567"[below(random, 24)];
    bytes
}

/// The first number from there on says something else: counts and lengths are numbers.
fn change_number(random: &mut ChaCha8Rng, bytes: &mut Vec<u8>, from: usize) {
    let Some(start) = bytes[from..].iter().position(u8::is_ascii_digit).map(|at| from + at) else { return };
    let length = bytes[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let number = ["0", "1", "4", "-1", "1e3", "18446744073709551616"][below(random, 6)];
    bytes.splice(start..start + length, number.bytes());
}

/// What a token comes to for a reader that takes either alphabet, padding, and line ends after it, as the contract does:
/// a change among these leaves the plaintext and its proof as they were. The first segment counts as it stands.
fn essence(token: &[u8]) -> Vec<Vec<u8>> {
    let end = token.iter().rposition(|byte| !b"\r\n".contains(byte)).map_or(0, |at| at + 1);
    let mut segments: Vec<_> = token[..end].split(|byte| *byte == b'.').map(<[u8]>::to_vec).collect();
    for segment in &mut segments[1..] {
        let kept = segment.iter().rposition(|byte| *byte != b'=').map_or(0, |at| at + 1);
        segment.truncate(kept);
        segment.iter_mut().for_each(|byte| match byte {
            b'-' => *byte = b'+',
            b'_' => *byte = b'/',
            _ => {}
        });
    }
    segments
}

#[test]
fn no_damaged_sealed_file_is_accepted() {
    let world = World::shaped(|shape| shape.settle = "1ms");
    let mut tokens = Vec::new();
    for (n, enc) in (0..).zip(["A256GCM", "A192GCM", "A128GCM", "A128CBC-HS256", "A256CBC-HS512"]) {
        for (m, (alg, kid, key)) in (0..).zip([
            ("RSA-OAEP-256", "feed-1", "feed"),
            ("ECDH-ES", "feed-2", "feed-ec"),
            ("ECDH-ES+A256KW", "feed-2", "feed-ec"),
        ]) {
            let seed = 300 + n * 3 + m;
            let (batch, public) = (format!("S-{seed}"), world.public_key(key));
            let csv = (".csv", CsvFile::good(&batch, seed, 3).text());
            let jsonl = (".jsonl", lines(&batch, &cards("j", seed, 3), 3));
            let (format, text) = if m == 1 { jsonl } else { csv };
            tokens.push((format, seal::josekit(alg, enc, Some(kid), &public, text.as_bytes()).into_bytes()));
        }
    }
    let whole: HashSet<_> = tokens.iter().map(|(_, token)| essence(token)).collect();
    let mut campaign = Campaign::new(&world, "sealed files");
    let wanted: u64 = if long() { 10_000 } else { 500 };
    let mut n = 0;
    while n < wanted {
        let mut files = Vec::new();
        while files.len() < usize::try_from(DROPPED_AT_ONCE).unwrap() {
            let random = &mut campaign.random;
            let (format, valid) = &tokens[below(random, tokens.len())];
            let other = &tokens[below(random, tokens.len())].1;
            // Damage at random mostly breaks the form; every other file keeps it, so that the proof alone can refuse it.
            let bytes = if n % 2 == 0 { one_letter_changed(random, valid) } else { mutated(random, valid, other) };
            if !whole.contains(&essence(&bytes)) {
                let stem = format!("ACME_PAYCARDS_M-{n}");
                files.push((stem.clone(), format!("{stem}{format}.jwe"), bytes));
                n += 1;
            }
        }
        for ((_, name, _), ack) in files.iter().zip(campaign.acks(&files)) {
            assert_eq!(ack["status"], "REFUSED", "{name}, seed {SEED}: {ack}");
        }
    }
    assert_eq!(world.registers_balance(), 0, "something of a damaged file is registered");
    // The very tokens are good, so it was the damage that was refused.
    let files: Vec<_> = (0..)
        .zip(&tokens)
        .map(|(n, (format, token))| {
            let stem = format!("ACME_PAYCARDS_WHOLE-{n}");
            (stem.clone(), format!("{stem}{format}.jwe"), token.clone())
        })
        .collect();
    for ((stem, _, _), ack) in files.iter().zip(campaign.acks(&files)) {
        assert_eq!(ack["status"], "ACCEPTED", "{stem}: {ack}");
    }
    campaign.end();
    assert_eq!(world.registers_balance(), 45);
}

/// A change of an object can leave its text whole: a name that nothing reads, letters of hex, space between members. What is
/// accepted has the records that were sealed, and no others.
#[test]
fn no_damaged_payload_is_accepted_with_another_text() {
    let world = World::shaped(|shape| {
        shape.settle = "1ms";
        shape.stalled = "0s";
        shape.reply = false;
        shape.envelopes = r#"["mastercard"]"#;
    });
    let public = world.public_key("feed");
    let object = |text: &str| seal::Payload::new(&public, MessageDigest::sha256(), text.as_bytes()).object();
    let (csv, request) = (CsvFile::good("P-1", 390, 3).text(), lines("P-2", &cards("j", 391, 3), 3));
    let apart = lines("P-3", &cards("j", 392, 3), 3);
    let last = apart.lines().count() - 1;
    let by_line = |(at, line): (usize, &str)| if at == 0 || at == last { line.to_owned() } else { object(line) };
    let lines_apart = apart.lines().enumerate().map(by_line).collect::<Vec<_>>().join("\n") + "\n";
    let sealed = [(".csv", object(&csv)), (".jsonl", object(&request)), (".jsonl", lines_apart)];
    let mut campaign = Campaign::new(&world, "payloads");
    let wanted: u64 = if long() { 10_000 } else { 500 };
    let mut accepted = 0;
    for start in (0..wanted).step_by(usize::try_from(DROPPED_AT_ONCE).unwrap()) {
        let mut files = Vec::new();
        for n in start..wanted.min(start + DROPPED_AT_ONCE) {
            let random = &mut campaign.random;
            let (format, valid) = &sealed[below(random, sealed.len())];
            let other = &sealed[below(random, sealed.len())].1;
            let stem = format!("ACME_PAYCARDS_P-{n}");
            let bytes = mutated(random, valid.as_bytes(), other.as_bytes());
            files.push((stem.clone(), format!("{stem}{format}"), bytes));
        }
        for ((stem, name, _), ack) in files.iter().zip(campaign.acks(&files)) {
            if ack["status"] == "ACCEPTED" {
                accepted += 1;
                let batch = ack["batch_id"].as_str().unwrap();
                assert!(["P-1", "P-2", "P-3"].contains(&batch), "{name}, seed {SEED}: {ack}");
                assert_eq!(world.out().recon(stem).trailer[..2], [3, 3], "{name}, seed {SEED}");
            } else {
                assert!(["REFUSED", "DUPLICATE"].contains(&ack["status"].as_str().unwrap()), "{name}: {ack}");
            }
        }
    }
    campaign.end();
    assert!(accepted <= 3, "{accepted} of three texts");
    assert_eq!(world.registers_balance(), 3 * accepted, "something of a damaged file is registered");
}

/// Drops mutations of plain files of one format; gives how many were accepted. `valid` makes the `n`th file: its stem,
/// its ending, its text.
fn damage_plain(world: &World, what: &'static str, valid: impl Fn(u64) -> (String, &'static str, String)) {
    let mut campaign = Campaign::new(world, what);
    let wanted: u64 = if long() { 10_000 } else { 125 };
    let mut accepted = 0;
    for start in (0..wanted).step_by(usize::try_from(DROPPED_AT_ONCE).unwrap()) {
        let mut files = Vec::new();
        for n in start..wanted.min(start + DROPPED_AT_ONCE) {
            let (stem, ending, text) = valid(n);
            let bytes = mutated(&mut campaign.random, text.as_bytes(), valid(n + 1).2.as_bytes());
            files.push((stem.clone(), format!("{stem}{ending}"), bytes));
        }
        for ((stem, name, bytes), ack) in files.iter().zip(campaign.acks(&files)) {
            if ack["status"] != "ACCEPTED" {
                assert!(["REFUSED", "DUPLICATE"].contains(&ack["status"].as_str().unwrap()), "{name}: {ack}");
                continue;
            }
            accepted += 1;
            // A recon tells by itself whether its rows, sums and digest agree.
            let recon = world.out().recon(stem);
            let summary = world.out().summary(stem);
            assert_eq!(ack["records"], json!(recon.rows.len()), "{name}, seed {SEED}: ack and recon");
            assert_eq!(ack["records"], summary["records"], "{name}, seed {SEED}: ack and summary");
            expect_digest(name, bytes);
        }
    }
    campaign.end();
    world.registers_balance();
    eprintln!("{what}: {accepted} of {wanted} damaged files were legal");
}

/// An accepted file whose trailer holds a digest has the bytes that it is of.
fn expect_digest(name: &str, bytes: &[u8]) {
    let text = std::str::from_utf8(bytes).unwrap_or_else(|_| panic!("{name} was accepted and is not UTF-8"));
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let trailer_at = text.trim_end().rfind('\n').map_or(0, |at| at + 1);
    let trailer = text[trailer_at..].trim_end();
    let json: Value = serde_json::from_str(trailer).unwrap_or_default();
    let digest = match json["trailer"]["sha256"].as_str() {
        Some(digest) => digest.to_owned(),
        None if trailer.starts_with("TRL,") => trailer.split(',').nth(2).unwrap_or_default().to_owned(),
        None => return,
    };
    if !digest.is_empty() {
        let digest = digest.trim_matches('"').to_ascii_lowercase();
        assert_eq!(sha256_hex(&text.as_bytes()[..trailer_at]), digest, "{name}, seed {SEED}: accepted in spite of it");
    }
}

fn plain(feed: &'static str) -> World {
    World::shaped(|shape| {
        shape.settle = "1ms";
        shape.reply = false;
        shape.envelopes = r#"["none"]"#;
        shape.feed = feed;
    })
}

#[test]
fn damaged_csv_balances_or_is_refused() {
    damage_plain(&plain("allow_plaintext = true"), "csv", |n| {
        let file = CsvFile::good(&format!("C-{n}"), n % 1000, 3);
        (file.stem(), ".csv", file.text())
    });
}

#[test]
fn damaged_json_lines_balance_or_are_refused() {
    damage_plain(&plain("allow_plaintext = true"), "jsonl", |n| {
        let batch = format!("L-{n}");
        (format!("ACME_PAYCARDS_{batch}"), ".jsonl", lines(&batch, &cards("j", n % 1000, 3), 3))
    });
}

#[test]
fn damaged_json_balances_or_is_refused() {
    damage_plain(&plain("allow_plaintext = true\ncontrols = \"optional\""), "json", |n| {
        (format!("ACME_PAYCARDS_W-{n}"), ".json", Value::Array(cards("j", n % 1000, 3)).to_string())
    });
}

#[test]
fn damaged_d1_batches_balance_or_are_refused() {
    let world = d1_batch::world(d1_batch::FEED);
    let public = world.public_key("feed-ec");
    let tokens: Vec<_> = (0..40)
        .map(|n| {
            let text = json!({"pan": pan::pan(pan::NOBODY, 720, n), "exp": "1299"}).to_string();
            seal::josekit("ECDH-ES", "A256GCM", Some("feed-2"), &public, text.as_bytes())
        })
        .collect();
    let token = |n: u64| tokens[usize::try_from(n).unwrap() % tokens.len()].as_str();
    damage_plain(&world, "d1-batch", |n| {
        let stem = format!("ACME_CARDS_1-M-{n}-007-1764000000");
        let header = d1_batch::HEADER.replace("\"N-1\"", &format!("\"M-{n}\""));
        let card = |m: u64| d1_batch::card(&format!("k-{n}-{m}"), token(2 * n + m));
        let rows = json!([d1_batch::row(1, &format!("c-{n}"), &[card(0)]), d1_batch::row(2, "c", &[card(1)])]);
        (stem, ".json", d1_batch::batch(&header, &rows.to_string()))
    });
}
