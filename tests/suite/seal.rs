//! Senders of sealed files: josekit, Python's jwcrypto, and one of our own that can do everything wrong.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base64_simd::URL_SAFE_NO_PAD;
use josekit::jwe::alg::direct::DirectJweAlgorithm;
use josekit::jwe::{
    A256KW, ECDH_ES, ECDH_ES_A128KW, ECDH_ES_A256KW, JweEncrypter, JweHeader, PBES2_HS256_A128KW, RSA_OAEP,
    RSA_OAEP_256,
};
use josekit::jwk::Jwk;
use openssl::bn::BigNum;
use openssl::encrypt::Encrypter;
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Public};
use openssl::rsa::{Padding, Rsa};
use openssl::symm::{Cipher, Crypter, Mode};
use serde_json::{Map, Value};

/// Seals by josekit for a public JWK. Symmetric algorithms get a secret of their own.
pub(crate) fn josekit(alg: &str, enc: &str, kid: Option<&str>, public: &str, plaintext: &[u8]) -> String {
    josekit_with(alg, enc, kid, public, plaintext, |_| {})
}

/// The same, with more in the header.
pub(crate) fn josekit_with(
    alg: &str,
    enc: &str,
    kid: Option<&str>,
    public: &str,
    plaintext: &[u8],
    change: impl FnOnce(&mut JweHeader),
) -> String {
    let jwk = bare(public);
    #[allow(deprecated, reason = "what nightdrop must refuse is deprecated for a reason")]
    let encrypter: Box<dyn JweEncrypter> = match alg {
        "RSA-OAEP-256" => Box::new(RSA_OAEP_256.encrypter_from_jwk(&jwk).unwrap()),
        "RSA-OAEP" => Box::new(RSA_OAEP.encrypter_from_jwk(&jwk).unwrap()),
        "RSA1_5" => Box::new(josekit::jwe::RSA1_5.encrypter_from_jwk(&jwk).unwrap()),
        "ECDH-ES" => Box::new(ECDH_ES.encrypter_from_jwk(&jwk).unwrap()),
        "ECDH-ES+A128KW" => Box::new(ECDH_ES_A128KW.encrypter_from_jwk(&jwk).unwrap()),
        "ECDH-ES+A256KW" => Box::new(ECDH_ES_A256KW.encrypter_from_jwk(&jwk).unwrap()),
        "A256KW" => Box::new(A256KW.encrypter_from_bytes([7; 32]).unwrap()),
        "PBES2-HS256+A128KW" => Box::new(PBES2_HS256_A128KW.encrypter_from_bytes(b"a password").unwrap()),
        "dir" => Box::new(DirectJweAlgorithm::Dir.encrypter_from_bytes([7; 32]).unwrap()),
        other => panic!("josekit is not asked for {other}"),
    };
    let mut header = JweHeader::new();
    header.set_content_encryption(enc);
    if let Some(kid) = kid {
        header.set_key_id(kid);
    }
    change(&mut header);
    josekit::jwe::serialize_compact(plaintext, &header, &*encrypter).unwrap()
}

/// The key alone, without `use`, `alg` and the like, which would bind it to one algorithm.
fn bare(public: &str) -> Jwk {
    let members: Map<String, Value> = serde_json::from_str(public).unwrap();
    let kept = members.into_iter().filter(|(name, _)| ["kty", "n", "e", "crv", "x", "y"].contains(&name.as_str()));
    Jwk::from_map(kept.collect::<Map<_, _>>()).unwrap()
}

/// The RSA key behind a public JWK.
pub(crate) fn public_key(public: &str) -> PKey<Public> {
    let members: Value = serde_json::from_str(public).unwrap();
    let number = |name: &str| {
        let bytes = URL_SAFE_NO_PAD.decode_to_vec(members[name].as_str().unwrap()).unwrap();
        BigNum::from_slice(&bytes).unwrap()
    };
    PKey::from_rsa(Rsa::from_public_components(number("n"), number("e")).unwrap()).unwrap()
}

/// A sender of our own: RSA-OAEP-256 and A256GCM, with any header and any nonce.
pub(crate) struct Crafted {
    /// Header (as received, the additional data), encrypted key, nonce, ciphertext, tag; not yet encoded, but the header.
    pub(crate) header: String,
    pub(crate) key: Vec<u8>,
    pub(crate) nonce: Vec<u8>,
    pub(crate) ciphertext: Vec<u8>,
    pub(crate) tag: Vec<u8>,
}

impl Crafted {
    /// Seals truly, under a header given as JSON text and a nonce of any length that OpenSSL takes.
    pub(crate) fn new(header: &str, nonce: &[u8], public: &str, plaintext: &[u8]) -> Self {
        Self::under(URL_SAFE_NO_PAD.encode_to_string(header), nonce, public, plaintext)
    }

    /// The same under a first segment as it stands.
    pub(crate) fn under(header: String, nonce: &[u8], public: &str, plaintext: &[u8]) -> Self {
        let content_key = [0x5a_u8; 32];
        let pkey = public_key(public);
        let mut rsa = Encrypter::new(&pkey).unwrap();
        rsa.set_rsa_padding(Padding::PKCS1_OAEP).unwrap();
        rsa.set_rsa_oaep_md(MessageDigest::sha256()).unwrap();
        rsa.set_rsa_mgf1_md(MessageDigest::sha256()).unwrap();
        let mut key = vec![0; rsa.encrypt_len(&content_key).unwrap()];
        let length = rsa.encrypt(&content_key, &mut key).unwrap();
        key.truncate(length);

        let mut gcm = Crypter::new(Cipher::aes_256_gcm(), Mode::Encrypt, &content_key, Some(nonce)).unwrap();
        gcm.aad_update(header.as_bytes()).unwrap();
        let mut ciphertext = vec![0; plaintext.len() + 16];
        let mut length = gcm.update(plaintext, &mut ciphertext).unwrap();
        length += gcm.finalize(&mut ciphertext[length..]).unwrap();
        ciphertext.truncate(length);
        let mut tag = vec![0; 16];
        gcm.get_tag(&mut tag).unwrap();
        Self { header, key, nonce: nonce.to_vec(), ciphertext, tag }
    }

    /// The token.
    pub(crate) fn token(&self) -> String {
        self.encoded(|bytes| URL_SAFE_NO_PAD.encode_to_string(bytes))
    }

    /// The token in another alphabet.
    pub(crate) fn encoded(&self, encode: impl Fn(&[u8]) -> String) -> String {
        let parts = [&self.key, &self.nonce, &self.ciphertext, &self.tag].map(|part| encode(part));
        format!("{}.{}", self.header, parts.join("."))
    }
}

/// A sender of Mastercard payload encryption by hand: AES-128-CBC, RSA-OAEP, hex, as the client libraries write it.
pub(crate) struct Payload {
    pub(crate) data: Vec<u8>,
    pub(crate) key: Vec<u8>,
    pub(crate) iv: Vec<u8>,
    /// More members, each behind a comma.
    pub(crate) more: String,
}

impl Payload {
    /// Seals truly. With `SHA-256` nothing is said of the hash.
    pub(crate) fn new(public: &str, hash: MessageDigest, plaintext: &[u8]) -> Self {
        let (cek, iv) = ([0x5a_u8; 16], vec![9; 16]);
        let pkey = public_key(public);
        let mut rsa = Encrypter::new(&pkey).unwrap();
        rsa.set_rsa_padding(Padding::PKCS1_OAEP).unwrap();
        rsa.set_rsa_oaep_md(hash).unwrap();
        rsa.set_rsa_mgf1_md(hash).unwrap();
        let mut key = vec![0; rsa.encrypt_len(&cek).unwrap()];
        let length = rsa.encrypt(&cek, &mut key).unwrap();
        key.truncate(length);
        let data = openssl::symm::encrypt(Cipher::aes_128_cbc(), &cek, Some(&iv), plaintext).unwrap();
        Self { data, key, iv, more: String::new() }
    }

    /// The object.
    pub(crate) fn object(&self) -> String {
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let (data, key, iv) = (hex(&self.data), hex(&self.key), hex(&self.iv));
        format!(r#"{{"iv":"{iv}","encryptedKey":"{key}","encryptedData":"{data}"{}}}"#, self.more)
    }
}

/// One token asked of jwcrypto.
pub(crate) struct Job<'a> {
    pub(crate) alg: &'a str,
    pub(crate) enc: &'a str,
    pub(crate) kid: &'a str,
    pub(crate) public: &'a str,
    pub(crate) plaintext: &'a str,
}

/// Seals by Python's jwcrypto, in the environment that `make test` lays beside the build.
pub(crate) fn jwcrypto(jobs: &[Job<'_>]) -> Vec<String> {
    let jobs: Vec<_> = jobs
        .iter()
        .map(|job| {
            let key: Value = serde_json::from_str(job.public).unwrap();
            serde_json::json!({"alg": job.alg, "enc": job.enc, "kid": job.kid, "key": key, "plaintext": job.plaintext})
        })
        .collect();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite/jwcrypto_seal.py");
    let mut python = Command::new(python()).arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    python.stdin.take().unwrap().write_all(&serde_json::to_vec(&jobs).unwrap()).unwrap();
    let output = python.wait_with_output().unwrap();
    assert!(output.status.success(), "jwcrypto_seal.py failed; its words stand above");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The Python of the tests, with its packages.
pub(crate) fn python() -> PathBuf {
    let python = Path::new(env!("CARGO_BIN_EXE_nightdrop"))
        .ancestors()
        .map(|above| above.join("test-venv/bin/python"))
        .find(|python| python.exists());
    python.expect("no Python environment beside the build: `make test` makes it")
}

/// The suite's own senders, seen to be right by someone else's receiver.
#[test]
fn what_the_suite_seals_josekit_opens() {
    let pair = josekit::jwk::alg::rsa::RsaKeyPair::generate(2048).unwrap();
    use josekit::jwk::KeyPair as _;
    let public = pair.to_jwk_public_key().to_string();
    let opens = |token: &str| {
        let decrypter = RSA_OAEP_256.decrypter_from_jwk(&pair.to_jwk_private_key()).unwrap();
        let (plaintext, _) = josekit::jwe::deserialize_compact(token, &decrypter).unwrap();
        assert_eq!(plaintext, b"a card");
    };
    opens(&josekit("RSA-OAEP-256", "A128CBC-HS256", Some("k"), &public, b"a card"));
    opens(&Crafted::new(r#"{"alg":"RSA-OAEP-256","enc":"A256GCM"}"#, &[1; 12], &public, b"a card").token());
    let job = Job { alg: "RSA-OAEP-256", enc: "A256GCM", kid: "k", public: &public, plaintext: "a card" };
    opens(&jwcrypto(&[job])[0]);
}
