//! What josekit was measured to do wrong, row by row: the tokens that show it.

use base64_simd::URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::seal::{Crafted, josekit, josekit_with};
use crate::world::World;

use super::{CONTENT, KEY, NONCE, TAG, flipped, of_blocks, with};

/// A token, what is wrong with it, and the code of a file that it is.
pub(super) struct Row {
    pub(super) what: String,
    pub(super) token: String,
    pub(super) code: &'static str,
}

/// Every row, sealing this text where it seals something. Two of them are of many MiB.
pub(super) fn rows(world: &World, text: &[u8], giants: bool) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut row = |what: &str, token: String, code| rows.push(Row { what: what.to_owned(), token, code });
    let (rsa, ec) = (world.public_key("feed"), world.public_key("feed-ec"));
    let gcm = josekit("RSA-OAEP-256", "A256GCM", Some("feed-1"), &rsa, text);
    let cbc = josekit("RSA-OAEP-256", "A128CBC-HS256", Some("feed-1"), &rsa, text);
    let wrapped = josekit("ECDH-ES+A256KW", "A256GCM", Some("feed-2"), &ec, text);
    let agreed = josekit("ECDH-ES", "A256GCM", Some("feed-2"), &ec, text);
    let headed = |header: &str| {
        let (_, rest) = gcm.split_once('.').unwrap();
        format!("{}.{rest}", URL_SAFE_NO_PAD.encode_to_string(header))
    };

    for bytes in 0..16 {
        row(&format!("a tag of {bytes} bytes"), with(&gcm, TAG, |tag| tag.truncate(bytes)), "ENVELOPE_REFUSED");
    }
    for bytes in [0, 1, 8, 11, 13, 15, 17, 32] {
        let nonce = with(&gcm, NONCE, |nonce| nonce.resize(bytes, 1));
        row(&format!("a GCM nonce of {bytes} bytes"), nonce, "ENVELOPE_REFUSED");
    }
    for bytes in [0, 8, 12, 17] {
        let vector = with(&cbc, NONCE, |vector| vector.resize(bytes, 1));
        row(&format!("a CBC vector of {bytes} bytes"), vector, "ENVELOPE_REFUSED");
    }
    row("a CBC block changed", flipped(&cbc, CONTENT), "CRYPTO_ERROR");
    let header = r#"{"alg":"RSA-OAEP-256","enc":"A128CBC-HS256","kid":"feed-1"}"#;
    row("CBC padding that is none", of_blocks(header, &rsa, &[0; 64]), "CRYPTO_ERROR");
    row("no CBC blocks", with(&cbc, CONTENT, Vec::clear), "CRYPTO_ERROR");

    let bomb = josekit_with("RSA-OAEP-256", "A256GCM", Some("feed-1"), &rsa, &vec![0; 4 << 20], |header| {
        header.set_compression("DEF");
    });
    row("compressed", bomb, "ALGORITHM_REFUSED");
    for more in [r#""crit":["exp"]"#, r#""crit":[]"#, r#""zip":"DEF""#] {
        let header = format!(r#"{{"alg":"RSA-OAEP-256","enc":"A256GCM","kid":"feed-1",{more}}}"#);
        row(more, Crafted::new(&header, &[3; 12], &rsa, text).token(), "ALGORITHM_REFUSED");
    }
    let counted = r#"{"alg":"PBES2-HS256+A128KW","enc":"A256GCM","p2s":"AAAAAAAAAAAAAAAA","p2c":1000000}"#;
    row("a password, counted a million times", headed(counted), "ALGORITHM_REFUSED");
    for (alg, public) in [
        ("RSA1_5", &rsa),
        ("RSA-OAEP", &rsa),
        ("dir", &rsa),
        ("A256KW", &rsa),
        ("PBES2-HS256+A128KW", &rsa),
        ("ECDH-ES+A128KW", &ec),
    ] {
        row(alg, josekit(alg, "A256GCM", Some("feed-1"), public, text), "ALGORITHM_REFUSED");
    }
    for alg in ["RSA-OAEP-384", "RSA-OAEP-512", "A128KW", "A128GCMKW", "ECDH-ES+A192KW", "none"] {
        row(alg, headed(&format!(r#"{{"alg":"{alg}","enc":"A256GCM"}}"#)), "ALGORITHM_REFUSED");
    }

    for bytes in (0..8).chain([9, 16, 24, 39, 41, 48]) {
        let key = |key: &mut Vec<u8>| key.resize(bytes, 1);
        row(&format!("a wrapped key of {bytes} bytes"), with(&wrapped, KEY, key), "ENVELOPE_REFUSED");
    }
    for bytes in [0, 1, 7, 255, 257, 512] {
        let key = with(&gcm, KEY, |key| key.resize(bytes, 1));
        row(&format!("an RSA block of {bytes} bytes"), key, "ENVELOPE_REFUSED");
    }
    row("a wrapped key where none is", with(&agreed, KEY, |key| key.resize(40, 1)), "ENVELOPE_REFUSED");

    let good = r#""alg":"RSA-OAEP-256","enc":"A256GCM","kid":"feed-1""#;
    for (what, header) in [
        ("a member twice", format!(r#"{{{good},"enc":"A128GCM"}}"#)),
        ("a member twice, spelled otherwise", format!("{{{good},\"\\u0061lg\":\"dir\"}}")),
        ("deep nesting", format!(r#"{{{good},"deep":{}"#, "[".repeat(3_900))),
        ("deep nesting, closed", format!(r#"{{{good},"deep":{}{}}}"#, "[".repeat(1_900), "]".repeat(1_900))),
        ("a header over 4 KiB", format!(r#"{{{good},"long":"{}"}}"#, "x".repeat(4_096))),
    ] {
        row(what, headed(&header), "ENVELOPE_REFUSED");
    }
    if giants {
        let header = format!(r#"{{{good},"long":"{}"}}"#, "x".repeat(24 << 20));
        row("a header of 32 MiB", headed(&header), "ENVELOPE_REFUSED");
        row("100 MiB of dots", ".".repeat(100 << 20), "ENVELOPE_REFUSED");
        row("100 MiB of dots behind a header", format!("{gcm}{}", ".".repeat(100 << 20)), "ENVELOPE_REFUSED");
    }

    let point: Value = serde_json::from_str(&ec).unwrap();
    let (x, y) = (point["x"].as_str().unwrap(), point["y"].as_str().unwrap());
    let zero = URL_SAFE_NO_PAD.encode_to_string([0; 32]);
    for (what, crv, x, y, code) in [
        ("a point off the curve", "P-256", y, x, "ENVELOPE_REFUSED"),
        ("the point at infinity", "P-256", "", "", "ENVELOPE_REFUSED"),
        ("the point of zeros", "P-256", &*zero, &*zero, "ENVELOPE_REFUSED"),
        ("half a point", "P-256", x, "", "ENVELOPE_REFUSED"),
        ("a point of another curve", "P-384", x, y, "ENVELOPE_REFUSED"),
        ("a curve that is not taken", "P-521", x, y, "ALGORITHM_REFUSED"),
    ] {
        let epk = format!(r#"{{"kty":"EC","crv":"{crv}","x":"{x}","y":"{y}"}}"#);
        let header = format!(r#"{{"alg":"ECDH-ES","enc":"A256GCM","kid":"feed-2","epk":{epk}}}"#);
        let (_, rest) = agreed.split_once('.').unwrap();
        row(what, format!("{}.{rest}", URL_SAFE_NO_PAD.encode_to_string(header)), code);
    }
    row("a sixth segment", format!("{gcm}.AAAA"), "ENVELOPE_REFUSED");
    rows
}

/// Tokens that open though they look odd; `url` is where their headers say that keys are to be had.
pub(super) fn odd_but_good(world: &World, text: &[u8], url: &str) -> Vec<String> {
    let public = world.public_key("feed");
    let header = format!(
        r#"{{"alg":"RSA-OAEP-256","enc":"A256GCM","kid":"feed-1","jku":"{url}/keys","x5u":"{url}/chain","jwk":{{"kty":"oct","k":"AAAA"}}}}"#
    );
    [12, 16].map(|bytes| Crafted::new(&header, &vec![3; bytes], &public, text).token()).to_vec()
}
