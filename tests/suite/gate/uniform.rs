//! Files that do not decrypt are answered alike, whatever of them is wrong.

use crate::file::CsvFile;
use crate::seal::josekit;
use crate::world::World;

use super::{ALGORITHMS, CONTENT, KEY, NONCE, TAG, flipped, of_blocks, with};

/// An ack without what is the file's own.
fn common(ack: &str) -> String {
    let own = ["\"file\"", "\"bytes\"", "\"sha256\"", "\"received_at\""];
    ack.lines().filter(|line| !own.iter().any(|own| line.trim_start().starts_with(own))).collect::<Vec<_>>().join("\n")
}

#[test]
fn what_does_not_decrypt_has_one_answer_one_log_and_one_exit_code() {
    let world = World::new();
    let file = CsvFile::good("ALIKE", 950, 3);
    let text = file.text();
    for named in [true, false] {
        let mut names = Vec::new();
        let mut drop = |token: String| {
            let name = format!("ACME_PAYCARDS_{}{}", if named { "N" } else { "U" }, names.len());
            world.drop_bytes(&format!("{name}.csv.jwe"), token);
            names.push(name);
        };
        // The ack names the key that the sender named: one key is compared with itself.
        let algorithms = if named { &ALGORITHMS[..1] } else { &ALGORITHMS[..] };
        for (alg, key, kid) in algorithms {
            let kid = named.then_some(*kid);
            for enc in ["A256GCM", "A128CBC-HS256", "A256CBC-HS512"] {
                let good = josekit(alg, enc, kid, &world.public_key(key), text.as_bytes());
                for segment in [NONCE, CONTENT, TAG] {
                    drop(flipped(&good, segment));
                }
                if *alg != "ECDH-ES" {
                    drop(flipped(&good, KEY));
                }
                for length in [1, 16] {
                    drop(with(&good, CONTENT, |content| content.truncate(content.len() - length)));
                }
                drop(with(&good, CONTENT, |content| content.push(0)));
            }
        }
        let kid = if named { r#","kid":"feed-1""# } else { "" };
        let header = format!(r#"{{"alg":"RSA-OAEP-256","enc":"A128CBC-HS256"{kid}}}"#);
        for blocks in [[0; 64], [17; 64]] {
            drop(of_blocks(&header, &world.public_key("feed"), &blocks));
        }
        let ran = world.once().expect(3);
        let acks: Vec<String> = names
            .iter()
            .map(|name| std::fs::read_to_string(world.out().at(&format!("{name}.ack.json"))).unwrap())
            .collect();
        let events: Vec<Vec<String>> = names.iter().map(|name| events(&ran.stderr, name)).collect();
        assert!(common(&acks[0]).contains("\"CRYPTO_ERROR\"") && acks[0].lines().count() > 10, "{}", acks[0]);
        assert!(!events[0].is_empty());
        for ((name, ack), said) in names.iter().zip(&acks).zip(&events) {
            assert_eq!(common(ack), common(&acks[0]), "{name}");
            assert_eq!(said, &events[0], "{name}");
        }
    }
    assert_eq!(world.registers_balance(), 0);
}

/// The events that the log has of a file, in order.
fn events(log: &str, name: &str) -> Vec<String> {
    let of_file = log.lines().filter(|line| line.contains(&format!("{name}.csv.jwe\"")));
    of_file.filter_map(|line| Some(line.split_once("event=\"")?.1.split_once('"')?.0.to_owned())).collect()
}
