//! What must hold of files that are sealed, or seem to be.
//!
//! No key stands in the corpus: each run makes its own and seals one text with them. An input is a template, in which `@` and a letter
//! stand for a part of what was sealed; so an input reaches behind the gate, and a fuzzer may leave parts whole and break others.

use std::fs::File;
use std::io::Write;
use std::sync::LazyLock;

use nightdrop::model::{Code, EnvelopeKind, OaepHash};
use nightdrop::open::{
    KeyType, Keyring, OpenError, Options, PayloadSealer, PrivateKey, Recipient, Sealer, generate, open, open_record,
};

use super::expect_no_number;

/// What is sealed.
pub(crate) const TEXT: &[u8] = b"nightdrop opens this with its own key\n";

/// Keys of this run, and the parts of what was sealed for them.
struct Sealed {
    keyring: Keyring,
    /// By letter; in capitals of the RSA key's token, small of the EC key's, digits of the payload.
    parts: Vec<(u8, Vec<u8>)>,
}

static SEALED: LazyLock<Sealed> = LazyLock::new(|| {
    let pairs = [KeyType::Rsa3072, KeyType::EcP256]
        .map(|key_type| generate(key_type, if key_type == KeyType::EcP256 { "ec" } else { "rsa" }).expect("a pair"));
    let mut parts = Vec::new();
    for (pair, letters) in pairs.iter().zip([b"HKICT", b"hkict"]) {
        let recipient = Recipient::parse(pair.public_jwk.as_bytes()).expect("a public key");
        let mut sealer = Sealer::new(&recipient, Vec::new()).expect("a sealer");
        sealer.write_all(TEXT).expect("memory");
        let token = sealer.finish().expect("memory");
        parts.extend(letters.iter().copied().zip(token.split(|byte| *byte == b'.').map(<[u8]>::to_vec)));
    }
    let recipient = Recipient::parse(pairs[0].public_jwk.as_bytes()).expect("a public key");
    let mut sealer = PayloadSealer::new(&recipient, OaepHash::Sha256, Vec::new()).expect("a sealer");
    sealer.write_all(TEXT).expect("memory");
    let object: serde_json::Value = serde_json::from_slice(&sealer.finish().expect("memory")).expect("an object");
    let members = ["encryptedData", "encryptedKey", "iv", "publicKeyFingerprint"];
    for (digit, member) in (b'1'..).zip(members) {
        parts.push((digit, object[member].as_str().expect("a member").as_bytes().to_vec()));
    }
    let keys = pairs.iter().map(|pair| PrivateKey::parse(pair.private_jwk.as_bytes()).expect("a private key"));
    Sealed { keyring: Keyring::new(keys.collect()).expect("two names"), parts }
});

/// The template with its parts put in.
fn filled(template: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(template.len());
    let mut rest = template.iter();
    while let Some(&byte) = rest.next() {
        match (byte, rest.as_slice().first()) {
            (b'@', Some(letter)) => match SEALED.parts.iter().find(|(of, _)| of == letter) {
                Some((_, part)) => {
                    bytes.extend_from_slice(part);
                    rest.next();
                }
                None => bytes.push(byte),
            },
            _ => bytes.push(byte),
        }
    }
    bytes
}

/// A file of these bytes that has no name.
fn file(bytes: &[u8]) -> File {
    let file = rustix::fs::memfd_create("nightdrop-replay", rustix::fs::MemfdFlags::CLOEXEC).expect("memory");
    let mut file = File::from(file);
    file.write_all(bytes).expect("memory");
    file
}

/// The plaintext, read in pieces to its end.
fn opened(bytes: &[u8], accepted: EnvelopeKind, piece: usize) -> Result<Vec<u8>, (Code, String)> {
    let options =
        Options { accepted: vec![accepted], allow_plaintext: false, oaep_hash: OaepHash::Sha256, line_bytes_max: 4000 };
    let refused = |error: OpenError| match error {
        OpenError::Refused(refusal) => (refusal.code, refusal.description.to_string()),
        other => panic!("the world is not broken here: {other}"),
    };
    let mut plaintext =
        open(file(bytes), &options, &SEALED.keyring).and_then(|opened| opened.plaintext()).map_err(refused)?;
    let (mut text, mut buffer) = (Vec::new(), vec![0; piece]);
    loop {
        match plaintext.read(&mut buffer).map_err(refused)? {
            0 => return Ok(text),
            count => text.extend_from_slice(&buffer[..count]),
        }
    }
}

const ENVELOPE_CODES: [Code; 5] =
    [Code::FileEmpty, Code::EnvelopeRefused, Code::AlgorithmRefused, Code::KeyUnknown, Code::CryptoError];

fn expect_of_an_envelope(refused: &(Code, String), bytes: &[u8]) {
    assert!(ENVELOPE_CODES.contains(&refused.0), "{} is nothing that an envelope says", refused.0);
    expect_no_number(&refused.1, bytes);
}

/// A compact JWE, as a file and in a record. Nobody can seal another text for these keys and go by their parts: what opens is
/// what was sealed.
pub(crate) fn jwe(data: &[u8]) {
    let Some((&piece, template)) = data.split_first() else { return };
    let bytes = filled(template);
    let at_once = opened(&bytes, EnvelopeKind::Jwe, 4096);
    assert_eq!(opened(&bytes, EnvelopeKind::Jwe, usize::from(piece) + 1), at_once, "pieces");
    match &at_once {
        Ok(text) => assert!(text == TEXT, "a forged file opens"),
        Err(refused) => expect_of_an_envelope(refused, &bytes),
    }
    match open_record(&bytes, &SEALED.keyring) {
        Some(text) => assert!(*text == TEXT && at_once.is_ok(), "a forged token opens"),
        None => assert!(at_once.is_err() || bytes.ends_with(b"\n") || bytes.ends_with(b"\r"), "a record is refused"),
    }
}

/// Mastercard payload encryption, which proves nothing: how it is read makes no difference, and a refusal is one of an envelope.
pub(crate) fn mastercard(data: &[u8]) {
    let Some((&piece, template)) = data.split_first() else { return };
    let bytes = filled(template);
    let at_once = opened(&bytes, EnvelopeKind::Mastercard, 4096);
    assert_eq!(opened(&bytes, EnvelopeKind::Mastercard, usize::from(piece) + 1), at_once, "pieces");
    if let Err(refused) = &at_once {
        expect_of_an_envelope(refused, &bytes);
    }
}

/// Whether a template opens at all, as an envelope of a kind.
pub(crate) fn opens(template: &[u8], kind: EnvelopeKind) -> bool {
    opened(&filled(template), kind, 7).is_ok_and(|text| text == TEXT)
}
