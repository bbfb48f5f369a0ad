//! The members that matter, under every name that senders' libraries give them, and how their values are written.

use std::ops::Range;

use crate::model::{Code, OaepHash, Refusal, hex};

use super::super::base64;
use super::scan::{Members, Value};
use super::{letters, malformed};

/// The sealed value.
pub(super) const DATA: [&str; 2] = ["encryptedData", "encryptedValue"];
/// The content key, wrapped.
pub(super) const KEY: &str = "encryptedKey";
const IV: &str = "iv";
/// The hash of RSA-OAEP.
const HASHES: [&str; 2] = ["oaepHashingAlgorithm", "oaepPaddingDigestAlgorithm"];
/// The name of the key, as SHA-256 of the key or of its certificate.
const FINGERPRINTS: [&str; 8] = [
    "publicKeyFingerprint",
    "encryptionKeyFingerprint",
    "keyFingerprint",
    "publicKeyFingerPrint",
    "encryptionCertificateFingerprint",
    "publicCertificateFingerprint",
    "certificateFingerprint",
    "encryptionCertificateFingerPrint",
];

/// AES-CBC's.
pub(super) const IV_BYTES: usize = 16;

/// An object's members, decoded but for the sealed value.
#[derive(Debug)]
pub(super) struct Fields {
    /// Where the letters of the sealed value stand.
    pub(super) data: Range<u64>,
    /// Whether there are escapes among them.
    pub(super) escaped: bool,
    /// Empty where it is neither hex nor base64: it then unwraps to nothing, as any wrong one.
    pub(super) encrypted_key: Vec<u8>,
    /// `None` for one that is none: the file is read to its end and refused as any that was damaged.
    pub(super) iv: Option<[u8; IV_BYTES]>,
    /// Every name that the key is given, as text.
    pub(super) fingerprints: Vec<String>,
}

/// Whether a value may be as long as the file.
pub(super) fn is_long(name: &[u8]) -> bool {
    DATA.iter().any(|data| data.as_bytes() == name)
}

impl Fields {
    /// Finds them. What is wrong with the object's form is told; a value that is none is not, since damage makes such.
    pub(super) fn of(members: Members, hash: OaepHash) -> Result<Self, Refusal> {
        let (mut data, mut key, mut iv, mut fingerprints) = (None, None, None, Vec::new());
        for (name, value) in members {
            let name = String::from_utf8(name).unwrap_or_default();
            let name = name.as_str();
            match value {
                Value::Long { place, escaped } => {
                    if data.replace((place, escaped)).is_some() {
                        return Err(malformed(
                            "the object has two sealed values; expected encryptedData or encryptedValue",
                        ));
                    }
                }
                Value::Text(text) if HASHES.contains(&name) => {
                    if unescaped(text).and_then(|word| OaepHash::from_word(&word)) != Some(hash) {
                        return Err(other_hash(hash));
                    }
                }
                Value::Text(text) if name == KEY => key = Some(text),
                Value::Text(text) if name == IV => iv = Some(text),
                Value::Text(text) if FINGERPRINTS.contains(&name) => fingerprints.extend(unescaped(text).map(as_hex)),
                // Libraries write null for what they were not told.
                Value::Null if HASHES.contains(&name) || FINGERPRINTS.contains(&name) => {}
                Value::Null | Value::Other if HASHES.contains(&name) => return Err(other_hash(hash)),
                Value::Null | Value::Other if is_long(name.as_bytes()) || name == KEY || name == IV => {
                    return Err(malformed("a part of the sealed object is no string; expected hex or base64"));
                }
                Value::Text(_) | Value::Null | Value::Other => {}
            }
        }
        let lacks =
            |what| malformed(&format!("the sealed object has no {what}; expected encryptedData, encryptedKey and iv"));
        let (data, escaped) = data.ok_or_else(|| lacks("encryptedData"))?;
        let (key, iv) = (key.ok_or_else(|| lacks("encryptedKey"))?, iv.ok_or_else(|| lacks("iv"))?);
        Ok(Self {
            data,
            escaped,
            encrypted_key: decoded(key).unwrap_or_default(),
            iv: decoded(iv).and_then(|iv| iv.try_into().ok()),
            fingerprints,
        })
    }
}

fn other_hash(hash: OaepHash) -> Refusal {
    let what = format!(
        "the sealed object names another hash for RSA-OAEP than the feed; expected {hash}, the feed's oaep_hash"
    );
    Refusal::new(Code::AlgorithmRefused, what)
}

fn unescaped(text: Vec<u8>) -> Option<String> {
    let mut plain = Vec::with_capacity(text.len());
    letters::Unescape::default().push(&text, &mut plain).ok()?;
    String::from_utf8(plain).ok()
}

/// A fingerprint in hex; some senders write it in base64, as they do all else.
fn as_hex(fingerprint: String) -> String {
    match base64::decode(fingerprint.as_bytes()) {
        Ok(hash) if hash.len() == 32 => hex(&hash),
        _ => fingerprint,
    }
}

/// A short value, hex or base64.
fn decoded(text: Vec<u8>) -> Option<Vec<u8>> {
    let text = unescaped(text)?.into_bytes();
    if letters::looks_hex(&text) { letters::from_hex(&text) } else { base64::decode(&text).ok() }
}
