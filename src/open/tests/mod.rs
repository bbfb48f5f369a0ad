//! Tests of the whole way through the gate; tokens come from josekit, from hand, and from the sealer.

mod detection;
mod forge;
mod keys;
mod mastercard;
mod mutation;
mod refused;
mod round_trip;
mod sealing;
mod uniform;

use std::io::Write;
use std::sync::LazyLock;

use josekit::jwe::{self, JweHeader};
use josekit::jwk::Jwk;
use openssl::ec::{EcGroup, EcKey};
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;

use super::error::crypto_error;
use super::*;

/// Whether what takes minutes is done too.
#[expect(clippy::disallowed_methods, reason = "how `make test-long` says that it is long")]
pub(super) fn long() -> bool {
    std::env::var_os("NIGHTDROP_TEST_LONG").is_some()
}

/// Keys made once: RSA takes its time.
pub(super) static RSA: LazyLock<TestKey> = LazyLock::new(|| TestKey::rsa("rsa-1"));
pub(super) static RSA_OTHER: LazyLock<TestKey> = LazyLock::new(|| TestKey::rsa("rsa-2"));
pub(super) static P256: LazyLock<TestKey> = LazyLock::new(|| TestKey::ec("p256-1", Nid::X9_62_PRIME256V1));
pub(super) static P256_OTHER: LazyLock<TestKey> = LazyLock::new(|| TestKey::ec("p256-2", Nid::X9_62_PRIME256V1));
pub(super) static P384: LazyLock<TestKey> = LazyLock::new(|| TestKey::ec("p384-1", Nid::SECP384R1));

pub(super) struct TestKey {
    pub(super) kid: &'static str,
    pub(super) pkey: PKey<Private>,
}

impl TestKey {
    fn rsa(kid: &'static str) -> Self {
        Self { kid, pkey: PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap() }
    }

    fn ec(kid: &'static str, nid: Nid) -> Self {
        let group = EcGroup::from_curve_name(nid).unwrap();
        Self { kid, pkey: PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap() }
    }

    pub(super) fn pem(&self) -> Vec<u8> {
        self.pkey.private_key_to_pem_pkcs8().unwrap()
    }

    pub(super) fn public_pem(&self) -> Vec<u8> {
        self.pkey.public_key_to_pem().unwrap()
    }

    /// The private JWK, with the kid.
    pub(super) fn jwk(&self) -> Jwk {
        use josekit::jwk::alg::{ec::EcKeyPair, rsa::RsaKeyPair};
        let mut jwk = match self.pkey.id() {
            openssl::pkey::Id::RSA => RsaKeyPair::from_pem(self.pem()).unwrap().to_jwk_key_pair(),
            _ => EcKeyPair::from_pem(self.pem(), None).unwrap().to_jwk_key_pair(),
        };
        jwk.set_key_id(self.kid);
        jwk
    }

    pub(super) fn private(&self) -> PrivateKey {
        PrivateKey::parse(self.jwk().to_string().as_bytes()).ok().unwrap()
    }

    pub(super) fn recipient(&self) -> Recipient {
        Recipient::parse(self.private().to_public_jwk().as_bytes()).unwrap()
    }
}

pub(super) fn keyring(keys: &[&TestKey]) -> Keyring {
    Keyring::new(keys.iter().map(|key| key.private()).collect()).ok().unwrap()
}

pub(super) fn jwe_only() -> Options {
    Options {
        accepted: vec![EnvelopeKind::Jwe],
        allow_plaintext: false,
        oaep_hash: OaepHash::Sha256,
        line_bytes_max: 8 << 20,
    }
}

pub(super) fn file(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file
}

/// josekit's own token: `alg`, `enc`, and more header members, sealed for a key.
pub(super) fn josekit_token(alg: &str, enc: &str, members: &[(&str, &str)], key: &TestKey, plaintext: &[u8]) -> String {
    let mut header = JweHeader::new();
    header.set_content_encryption(enc);
    for (name, value) in members {
        header.set_claim(name, Some(serde_json::Value::String((*value).to_owned()))).unwrap();
    }
    let pem = key.public_pem();
    match alg {
        "RSA-OAEP-256" => {
            jwe::serialize_compact(plaintext, &header, &jwe::RSA_OAEP_256.encrypter_from_pem(pem).unwrap())
        }
        "RSA-OAEP" => jwe::serialize_compact(plaintext, &header, &jwe::RSA_OAEP.encrypter_from_pem(pem).unwrap()),
        "RSA-OAEP-512" => {
            jwe::serialize_compact(plaintext, &header, &jwe::RSA_OAEP_512.encrypter_from_pem(pem).unwrap())
        }
        "ECDH-ES" => jwe::serialize_compact(plaintext, &header, &jwe::ECDH_ES.encrypter_from_pem(pem).unwrap()),
        "ECDH-ES+A256KW" => {
            jwe::serialize_compact(plaintext, &header, &jwe::ECDH_ES_A256KW.encrypter_from_pem(pem).unwrap())
        }
        "ECDH-ES+A128KW" => {
            jwe::serialize_compact(plaintext, &header, &jwe::ECDH_ES_A128KW.encrypter_from_pem(pem).unwrap())
        }
        other => panic!("no encrypter for {other}"),
    }
    .unwrap()
}

/// A token by hand: any header, RSA-OAEP-256 wrapped, A256GCM, nonce of any length.
pub(super) fn hand_token(header_segment: &str, nonce: &[u8], plaintext: &[u8], key: &TestKey) -> String {
    use josekit::jwe::JweEncrypter;
    let cek = [7_u8; 32];
    let encrypter = jwe::RSA_OAEP_256.encrypter_from_pem(key.public_pem()).unwrap();
    let encrypted_key = encrypter.encrypt(&cek, &JweHeader::new(), &mut JweHeader::new()).unwrap().unwrap();
    let mut tag = [0; 16];
    let cipher = openssl::symm::Cipher::aes_256_gcm();
    let aad = header_segment.as_bytes();
    let sealed = openssl::symm::encrypt_aead(cipher, &cek, Some(nonce), aad, plaintext, &mut tag).unwrap();
    [header_segment.to_owned(), encode(&encrypted_key), encode(nonce), encode(&sealed), encode(&tag)].join(".")
}

pub(super) fn encode(bytes: &[u8]) -> String {
    base64::encode(bytes)
}

pub(super) fn segments(token: &str) -> [String; 5] {
    let parts: Vec<String> = token.split('.').map(str::to_owned).collect();
    parts.try_into().unwrap()
}

/// Reads to the end in pieces of `step`.
pub(super) fn drain(opened: &Opened, step: usize) -> Result<Vec<u8>, OpenError> {
    let mut plaintext = opened.plaintext()?;
    let (mut all, mut piece) = (Vec::new(), vec![0; step]);
    loop {
        match plaintext.read(&mut piece)? {
            0 => return Ok(all),
            length => all.extend_from_slice(&piece[..length]),
        }
    }
}

/// Opens and reads all of it.
pub(super) fn read_all(bytes: &[u8], keyring: &Keyring) -> Result<Vec<u8>, OpenError> {
    let opened = open(file(bytes), &jwe_only(), keyring).and_then(|opened| drain(&opened, 1 << 20));
    // What is refused of a file is refused of a record, and what opens is the same, but for line ends behind the token.
    if !bytes.ends_with(b"\n") && !bytes.ends_with(b"\r") {
        let record = open_record(bytes, keyring);
        assert_eq!(record.as_ref().map(|bytes| &bytes[..]), opened.as_ref().ok().map(|bytes| &bytes[..]));
    }
    opened
}

/// What the file was refused for.
pub(super) fn refusal(bytes: &[u8], keyring: &Keyring) -> Refusal {
    match read_all(bytes, keyring) {
        Ok(_) => panic!("opened"),
        Err(OpenError::Refused(refusal)) => refusal,
        Err(other) => panic!("{other}"),
    }
}
