//! The gate in front of josekit, from outside: what josekit would take, or would die of, is refused cheaply; what does not
//! decrypt fails alike; and nothing of either reaches the register.

mod bounds;
mod flips;
mod large;
mod records;
mod rows;
mod uniform;

use base64_simd::URL_SAFE_NO_PAD;
use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::sign::Signer;
use openssl::symm::{Cipher, Crypter, Mode};

use crate::seal::Crafted;

/// Algorithms with a key of the world's and its name.
const ALGORITHMS: [(&str, &str, &str); 3] =
    [("RSA-OAEP-256", "feed", "feed-1"), ("ECDH-ES", "feed-ec", "feed-2"), ("ECDH-ES+A256KW", "feed-ec", "feed-2")];
const ENCRYPTIONS: [&str; 5] = ["A128GCM", "A192GCM", "A256GCM", "A128CBC-HS256", "A256CBC-HS512"];

const KEY: usize = 1;
const NONCE: usize = 2;
const CONTENT: usize = 3;
const TAG: usize = 4;

/// A token with one of its segments changed.
fn with(token: &str, segment: usize, change: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut segments: Vec<String> = token.split('.').map(str::to_owned).collect();
    let mut bytes = URL_SAFE_NO_PAD.decode_to_vec(&segments[segment]).unwrap();
    change(&mut bytes);
    segments[segment] = URL_SAFE_NO_PAD.encode_to_string(bytes);
    segments.join(".")
}

/// The same with its last bit flipped.
fn flipped(token: &str, segment: usize) -> String {
    with(token, segment, |bytes| *bytes.last_mut().unwrap() ^= 1)
}

/// A128CBC-HS256 with a MAC that holds, of blocks that are padded as they stand.
fn of_blocks(header: &str, public: &str, blocks: &[u8]) -> String {
    // Sealed for the key that `Crafted` wraps.
    let (mac_key, key) = ([0x5a; 16], [0x5a; 16]);
    let mut crafted = Crafted::new(header, &[7; 16], public, b"");
    let mut crypter = Crypter::new(Cipher::aes_128_cbc(), Mode::Encrypt, &key, Some(&crafted.nonce)).unwrap();
    crypter.pad(false);
    crafted.ciphertext = vec![0; blocks.len() + 16];
    let length = crypter.update(blocks, &mut crafted.ciphertext).unwrap();
    crafted.ciphertext.truncate(length);
    let mac_key = PKey::hmac(&mac_key).unwrap();
    let mut signer = Signer::new(MessageDigest::sha256(), &mac_key).unwrap();
    let bits = (crafted.header.len() as u64 * 8).to_be_bytes();
    for part in [crafted.header.as_bytes(), &crafted.nonce, &crafted.ciphertext, &bits] {
        signer.update(part).unwrap();
    }
    crafted.tag = signer.sign_to_vec().unwrap()[..16].to_vec();
    crafted.token()
}
