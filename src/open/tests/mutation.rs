use crate::model::Retry;
use proptest::prelude::*;

use super::*;

fn must_refuse(bytes: &[u8], ring: &Keyring, what: impl std::fmt::Display) {
    match read_all(bytes, ring) {
        Ok(_) => panic!("opened: {what}"),
        Err(error) => assert_eq!(error.retry(), Retry::Never, "{what}"),
    }
}

#[test]
fn every_flipped_bit_of_a_token_is_refused() {
    // One without a kid, so that nothing is refused for its name alone.
    for (enc, key) in [("A256GCM", &*P256), ("A128CBC-HS256", &*P256), ("A256CBC-HS512", &*P256)] {
        let ring = keyring(&[key]);
        let token = josekit_token("ECDH-ES", enc, &[], key, b"HDR,1,ACME");
        for at in 0..token.len() {
            for bit in 0..8 {
                let mut bytes = token.clone().into_bytes();
                bytes[at] ^= 1 << bit;
                must_refuse(&bytes, &ring, format_args!("{enc}, bit {bit} of byte {at}"));
            }
        }
    }
}

#[test]
fn every_flipped_bit_of_wrapped_and_padded_tokens_is_refused() {
    let header = encode(br#"{"alg":"RSA-OAEP-256","enc":"A256GCM"}"#);
    let mut parts = segments(&hand_token(&header, &[0xff; 16], b"HDR,1,ACME!", &RSA));
    for part in &mut parts[1..] {
        *part = part.replace('-', "+").replace('_', "/");
        part.push_str(&"=".repeat((4 - part.len() % 4) % 4));
    }
    for (token, key) in [
        (format!("{}\r\n", parts.join(".")), &*RSA),
        (josekit_token("ECDH-ES+A256KW", "A256GCM", &[], &P256, b"HDR,1,ACME"), &*P256),
    ] {
        let ring = keyring(&[key]);
        assert!(read_all(token.as_bytes(), &ring).is_ok());
        for at in 0..token.len() {
            let mut bytes = token.clone().into_bytes();
            // The line end is not of the token; only what makes it another line end would pass.
            bytes[at] ^= 1 << (at % 8);
            must_refuse(&bytes, &ring, format_args!("byte {at}"));
        }
    }
}

/// One token of each family, made once.
fn base_token(family: usize) -> (&'static str, &'static Keyring) {
    static RING: LazyLock<Keyring> = LazyLock::new(|| keyring(&[&P256, &RSA]));
    static TOKENS: LazyLock<[String; 3]> = LazyLock::new(|| {
        [
            josekit_token("ECDH-ES", "A256GCM", &[], &P256, b"HDR,1,ACME"),
            josekit_token("ECDH-ES+A256KW", "A128CBC-HS256", &[("kid", "p256-1")], &P256, b"HDR,1,ACME"),
            josekit_token("RSA-OAEP-256", "A256CBC-HS512", &[], &RSA, b"HDR,1,ACME"),
        ]
    });
    (&TOKENS[family], &RING)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn cuts_splices_and_repeats_never_open(
        family in 0..3_usize, from in any::<prop::sample::Index>(), length in 0..60_usize,
        with in prop::collection::vec(prop_oneof![Just(b'.'), Just(b'A'), Just(b'='), Just(b'_'), any::<u8>()], 0..60),
    ) {
        let (token, ring) = base_token(family);
        let from = from.index(token.len());
        let to = (from + length).min(token.len());
        let bytes = [&token.as_bytes()[..from], &with, &token.as_bytes()[to..]].concat();
        let line_ends_only = bytes.strip_prefix(token.as_bytes()).is_some_and(|end| end.iter().all(|byte| b"\r\n".contains(byte)));
        prop_assume!(!line_ends_only);
        prop_assert!(read_all(&bytes, ring).is_err());
    }

    #[test]
    fn headers_of_any_shape_never_panic(header in "\\{(\"(alg|enc|kid|epk|apu|zip|x)\":(\"(ECDH-ES|RSA-OAEP-256|A256GCM|A)\"|null|\\{\\}|\\[\\]|1),?){0,5}\\}") {
        let (token, ring) = base_token(0);
        let mut parts = segments(token);
        parts[0] = encode(header.as_bytes());
        prop_assert!(read_all(parts.join(".").as_bytes(), ring).is_err());
    }

    #[test]
    fn bytes_of_any_kind_never_panic(bytes in prop::collection::vec(prop_oneof![Just(b'.'), Just(b'e'), any::<u8>()], 0..400)) {
        let (_, ring) = base_token(0);
        prop_assert!(read_all(&bytes, ring).is_err());
    }
}

/// A generator that repeats itself from its seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).unwrap()
    }
}

/// One change to a token: to its letters, or to what one of its segments decodes to.
fn mutate(token: &mut Vec<u8>, dice: &mut Dice) {
    let letters = b".=A-_+/{\"\n\x00\xff9z";
    let at = dice.below(token.len().max(1)).min(token.len());
    match dice.below(7) {
        0 if at < token.len() => token[at] ^= 1 << dice.below(8),
        1 if at < token.len() => token[at] = letters[dice.below(letters.len())],
        2 => drop(token.drain(at..(at + dice.below(80)).min(token.len()))),
        3 => {
            let many = vec![letters[dice.below(letters.len())]; dice.below(80)];
            drop(token.splice(at..at, many));
        }
        4 => {
            let again = token[at..(at + dice.below(200)).min(token.len())].to_vec();
            let to = dice.below(token.len().max(1)).min(token.len());
            drop(token.splice(to..to, again));
        }
        _ => {
            let mut segments: Vec<Vec<u8>> = token.split(|&byte| byte == b'.').map(<[u8]>::to_vec).collect();
            let at = dice.below(segments.len());
            let Ok(mut bytes) = base64::decode(&segments[at]) else { return };
            match (dice.below(3), bytes.len()) {
                (0, _) => bytes.truncate(dice.below(bytes.len() + 1)),
                (1, 1..) => {
                    let at = dice.below(bytes.len());
                    bytes[at] = letters[dice.below(letters.len())];
                }
                _ => bytes.resize(bytes.len() + dice.below(20), 0),
            }
            segments[at] = encode(&bytes).into_bytes();
            *token = segments.join(&b'.');
        }
    }
}

#[test]
fn tokens_that_are_mutated_at_random_never_open_and_never_panic() {
    let mut dice = Dice(0x5eed_0fda_7a5a_fe01);
    let mut changed = 0;
    for round in 0..if long() { 20_000 } else { 2_000 } {
        let (token, ring) = base_token(round % 3);
        let mut bytes = token.as_bytes().to_vec();
        for _ in 0..=dice.below(4) {
            mutate(&mut bytes, &mut dice);
        }
        // The same token in another spelling opens, and should.
        let spelled: Vec<u8> = bytes
            .iter()
            .filter(|byte| !b"=\r\n".contains(byte))
            .map(|byte| match byte {
                b'+' => b'-',
                b'/' => b'_',
                other => *other,
            })
            .collect();
        if spelled != token.as_bytes() {
            changed += 1;
            must_refuse(&bytes, ring, format_args!("round {round}: {}", String::from_utf8_lossy(&bytes)));
        }
    }
    assert!(changed > 1_500);
}
