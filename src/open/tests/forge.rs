//! Tokens made part by part, so that each part can be wrong while the others are right.

use josekit::jwe::{ECDH_ES, ECDH_ES_A256KW, JweEncrypter, RSA_OAEP_256};
use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::rsa::Padding;
use openssl::sign::Signer;
use openssl::symm::{Cipher, Crypter, Mode, encrypt_aead};

use super::super::header::Enc;
use super::*;

pub(super) const ALGORITHMS: [(&str, &LazyLock<TestKey>, &LazyLock<TestKey>); 3] =
    [("RSA-OAEP-256", &RSA, &RSA_OTHER), ("ECDH-ES", &P256, &P256_OTHER), ("ECDH-ES+A256KW", &P256, &P256_OTHER)];
pub(super) const ENCRYPTIONS: [Enc; 5] =
    [Enc::A128Gcm, Enc::A192Gcm, Enc::A256Gcm, Enc::A128CbcHs256, Enc::A256CbcHs512];

/// A token in its parts, not yet encoded but for the header.
#[derive(Clone)]
pub(super) struct Parts {
    pub(super) header: String,
    pub(super) key: Vec<u8>,
    pub(super) iv: Vec<u8>,
    pub(super) content: Vec<u8>,
    pub(super) tag: Vec<u8>,
    enc: Enc,
    cek: Vec<u8>,
}

impl Parts {
    /// A good token; `kid` names the key in it.
    pub(super) fn new(alg: &str, enc: Enc, kid: Option<&str>, key: &TestKey, plaintext: &[u8]) -> Self {
        let pem = key.public_pem();
        let encrypter: Box<dyn JweEncrypter> = match alg {
            "RSA-OAEP-256" => Box::new(RSA_OAEP_256.encrypter_from_pem(pem).unwrap()),
            "ECDH-ES" => Box::new(ECDH_ES.encrypter_from_pem(pem).unwrap()),
            "ECDH-ES+A256KW" => Box::new(ECDH_ES_A256KW.encrypter_from_pem(pem).unwrap()),
            other => panic!("no encrypter for {other}"),
        };
        let (none, mut made) = (JweHeader::new(), JweHeader::new());
        let agreed = encrypter.compute_content_encryption_key(enc.josekit(), &none, &mut made).unwrap();
        let cek = agreed.map_or_else(|| vec![0x5a; enc.key_bytes()], |cek| cek.into_owned());
        let wrapped = encrypter.encrypt(&cek, &none, &mut made).unwrap().unwrap_or_default();
        let mut members = serde_json::Map::new();
        members.insert("alg".into(), alg.into());
        members.insert("enc".into(), enc.josekit().name().into());
        members.extend(kid.map(|kid| ("kid".into(), kid.into())));
        members.extend(made.claim("epk").map(|epk| ("epk".into(), epk.clone())));
        let header = encode(serde_json::Value::Object(members).to_string().as_bytes());
        let iv = vec![3; if enc.key_bytes() == 64 || is_cbc(enc) { 16 } else { 12 }];
        let mut parts = Self { header, key: wrapped, iv, content: Vec::new(), tag: Vec::new(), enc, cek };
        if is_cbc(enc) {
            let padding = 16 - plaintext.len() % 16;
            parts.seal_blocks(&[plaintext, &vec![u8::try_from(padding).unwrap(); padding]].concat());
        } else {
            parts.tag = vec![0; 16];
            let aad = parts.header.as_bytes();
            parts.content =
                encrypt_aead(enc.cipher(), &parts.cek, Some(&parts.iv), aad, plaintext, &mut parts.tag).unwrap();
        }
        parts
    }

    /// For CBC: seals these blocks as they stand, padding and all, under a MAC that holds.
    pub(super) fn seal_blocks(&mut self, blocks: &[u8]) {
        let (_, key) = self.cek.split_at(self.cek.len() / 2);
        let cipher = if key.len() == 16 { Cipher::aes_128_cbc() } else { Cipher::aes_256_cbc() };
        let mut crypter = Crypter::new(cipher, Mode::Encrypt, key, Some(&self.iv)).unwrap();
        crypter.pad(false);
        let mut content = vec![0; blocks.len() + 16];
        let length = crypter.update(blocks, &mut content).unwrap();
        content.truncate(length);
        self.content = content;
        self.authenticate();
    }

    /// For CBC: a MAC that holds, of whatever the parts are by now.
    pub(super) fn authenticate(&mut self) {
        let mac_key = PKey::hmac(&self.cek[..self.cek.len() / 2]).unwrap();
        let hash = if self.cek.len() == 32 { MessageDigest::sha256() } else { MessageDigest::sha512() };
        let mut signer = Signer::new(hash, &mac_key).unwrap();
        let bits = (self.header.len() as u64 * 8).to_be_bytes();
        for part in [self.header.as_bytes(), &self.iv, &self.content, &bits] {
            signer.update(part).unwrap();
        }
        self.tag = signer.sign_to_vec().unwrap()[..self.enc.tag_bytes()].to_vec();
    }

    /// For RSA: the same with a block as it stands in the place of a padded key.
    pub(super) fn with_rsa_block(mut self, key: &TestKey, block: &[u8]) -> Self {
        let rsa = key.pkey.rsa().unwrap();
        let length = rsa.public_encrypt(block, &mut self.key, Padding::NONE).unwrap();
        assert_eq!(length, self.key.len());
        self
    }

    /// The same with something changed.
    pub(super) fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    pub(super) fn token(&self) -> String {
        let parts = [&self.key, &self.iv, &self.content, &self.tag].map(|part| encode(part));
        format!("{}.{}", self.header, parts.join("."))
    }
}

pub(super) const fn is_cbc(enc: Enc) -> bool {
    matches!(enc, Enc::A128CbcHs256 | Enc::A256CbcHs512)
}

/// Every way in which a token of right lengths, or whose content alone has a wrong one, does not decrypt.
pub(super) fn undecryptable(alg: &str, enc: Enc, kid: bool, length: usize) -> Vec<(&'static str, String)> {
    let (_, key, other) = ALGORITHMS.into_iter().find(|(name, ..)| *name == alg).unwrap();
    let kid = kid.then_some(key.kid);
    let plaintext = vec![b'x'; length];
    // Sealed anew for each: two tokens of one making share what the processor remembers of them, and that shows in their times.
    let fresh = || Parts::new(alg, enc, kid, key, &plaintext);
    let good = fresh();
    let mut spoiled = vec![
        ("the tag's first byte", fresh().with(|parts| parts.tag[0] ^= 0x80)),
        ("the tag's last byte", fresh().with(|parts| *parts.tag.last_mut().unwrap() ^= 1)),
        ("the nonce", fresh().with(|parts| parts.iv[5] ^= 1)),
        ("the content's last byte", fresh().with(|parts| *parts.content.last_mut().unwrap() ^= 1)),
        ("content cut by a byte", fresh().with(|parts| parts.content.truncate(parts.content.len() - 1))),
        ("content longer by a byte", fresh().with(|parts| parts.content.push(0))),
        ("content cut by a block", fresh().with(|parts| parts.content.truncate(parts.content.len() - 16))),
        ("another's key", Parts::new(alg, enc, kid, other, &plaintext)),
    ];
    if !good.key.is_empty() {
        spoiled.push(("the wrapped key's last byte", fresh().with(|parts| *parts.key.last_mut().unwrap() ^= 1)));
    }
    if alg == "RSA-OAEP-256" {
        let block = |first: u8| [&[first][..], &vec![0x11; good.key.len() - 1]].concat();
        spoiled.push(("a first byte that OAEP does not have", fresh().with_rsa_block(key, &block(1))));
        spoiled.push(("padding that OAEP does not have", fresh().with_rsa_block(key, &block(0))));
        let wrong = Parts::new(alg, if enc == Enc::A128Gcm { Enc::A192Gcm } else { Enc::A128Gcm }, kid, key, b"");
        spoiled.push(("a wrapped key of another length", fresh().with(|parts| parts.key = wrong.key)));
    }
    if is_cbc(enc) {
        let blocks = |last: u8| vec![last; (length / 16 + 1) * 16];
        spoiled.push(("padding of nothing, MAC right", fresh().with(|parts| parts.seal_blocks(&blocks(0)))));
        spoiled.push(("padding too long, MAC right", fresh().with(|parts| parts.seal_blocks(&blocks(17)))));
        let cut = |parts: &mut Parts| {
            parts.content.pop();
            parts.authenticate();
        };
        spoiled.push(("no whole blocks, MAC right", fresh().with(cut)));
    }
    spoiled.into_iter().map(|(what, parts)| (what, parts.token())).collect()
}
