//! The JOSE header, read strictly: what nightdrop opens is a short list, everything else is refused before any cryptography.
//!
//! Must never pass on a parser's message: it echoes the input.

use std::fmt;

use josekit::jwe::{self, JweContentEncryption};
use openssl::hash::MessageDigest;
use openssl::symm::Cipher;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::model::{Code, Refusal};

use super::base64;
use super::jwk::{Curve, PublicKey};

/// Party information of ECDH-ES is a name; this is generous.
const PARTY_BYTES_MAX: usize = 256;

/// How the content key comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Alg {
    RsaOaep256,
    /// The agreed secret is the content key.
    EcdhEs,
    /// The agreed secret wraps the content key.
    EcdhEsA256kw,
}

/// How the content is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Enc {
    A128Gcm,
    A192Gcm,
    A256Gcm,
    A128CbcHs256,
    A256CbcHs512,
}

/// What proves the content.
#[derive(Clone, Copy)]
pub(super) enum Mode {
    Gcm,
    /// With the hash of the MAC.
    CbcHmac(MessageDigest),
}

impl Alg {
    fn from_name(name: &str) -> Option<Self> {
        match name {
            "RSA-OAEP-256" => Some(Self::RsaOaep256),
            "ECDH-ES" => Some(Self::EcdhEs),
            "ECDH-ES+A256KW" => Some(Self::EcdhEsA256kw),
            _ => None,
        }
    }
}

impl Enc {
    fn from_name(name: &str) -> Option<Self> {
        match name {
            "A128GCM" => Some(Self::A128Gcm),
            "A192GCM" => Some(Self::A192Gcm),
            "A256GCM" => Some(Self::A256Gcm),
            "A128CBC-HS256" => Some(Self::A128CbcHs256),
            "A256CBC-HS512" => Some(Self::A256CbcHs512),
            _ => None,
        }
    }

    /// josekit's word for it.
    pub(super) fn josekit(self) -> &'static dyn JweContentEncryption {
        match self {
            Self::A128Gcm => &jwe::enc::A128GCM,
            Self::A192Gcm => &jwe::enc::A192GCM,
            Self::A256Gcm => &jwe::enc::A256GCM,
            Self::A128CbcHs256 => &jwe::enc::A128CBC_HS256,
            Self::A256CbcHs512 => &jwe::enc::A256CBC_HS512,
        }
    }

    /// The content key; for CBC half MAC key, half encryption key.
    pub(super) const fn key_bytes(self) -> usize {
        match self {
            Self::A128Gcm => 16,
            Self::A192Gcm => 24,
            Self::A256Gcm | Self::A128CbcHs256 => 32,
            Self::A256CbcHs512 => 64,
        }
    }

    pub(super) const fn tag_bytes(self) -> usize {
        match self {
            Self::A128Gcm | Self::A192Gcm | Self::A256Gcm | Self::A128CbcHs256 => 16,
            Self::A256CbcHs512 => 32,
        }
    }

    pub(super) fn cipher(self) -> Cipher {
        match self {
            Self::A128Gcm => Cipher::aes_128_gcm(),
            Self::A192Gcm => Cipher::aes_192_gcm(),
            Self::A256Gcm => Cipher::aes_256_gcm(),
            Self::A128CbcHs256 => Cipher::aes_128_cbc(),
            Self::A256CbcHs512 => Cipher::aes_256_cbc(),
        }
    }

    pub(super) fn mode(self) -> Mode {
        match self {
            Self::A128Gcm | Self::A192Gcm | Self::A256Gcm => Mode::Gcm,
            Self::A128CbcHs256 => Mode::CbcHmac(MessageDigest::sha256()),
            Self::A256CbcHs512 => Mode::CbcHmac(MessageDigest::sha512()),
        }
    }
}

/// What of the header matters.
pub(super) struct Header {
    pub(super) alg: Alg,
    pub(super) enc: Enc,
    /// `kid`, or `keyId` as one client library has it.
    pub(super) kid: Option<String>,
    /// There for every ECDH-ES algorithm, and a point of its curve.
    pub(super) epk: Option<PublicKey>,
    pub(super) apu: Vec<u8>,
    pub(super) apv: Vec<u8>,
}

fn malformed(description: &str) -> Refusal {
    Refusal::new(Code::EnvelopeRefused, description)
}

fn refused(description: &str) -> Refusal {
    Refusal::new(Code::AlgorithmRefused, description)
}

impl Header {
    pub(super) fn parse(json: &[u8]) -> Result<Self, Refusal> {
        let Ok(Json::Object(members)) = serde_json::from_slice(json) else {
            return Err(malformed("the JWE header is not a JSON object with each member once"));
        };
        let header = Members(members);
        if header.get("zip").is_some() {
            return Err(refused("the JWE is compressed (zip), which is not accepted; expected it without"));
        }
        if header.get("crit").is_some() {
            return Err(refused("the JWE demands extensions (crit), of which none are supported"));
        }
        let alg = header.text("alg", "the alg of the JWE header is missing or not a string")?;
        let alg = Alg::from_name(alg).ok_or_else(|| {
            refused("the alg of the JWE is not accepted; expected RSA-OAEP-256, ECDH-ES or ECDH-ES+A256KW")
        })?;
        let enc = header.text("enc", "the enc of the JWE header is missing or not a string")?;
        let enc = Enc::from_name(enc).ok_or_else(|| {
            refused(
                "the enc of the JWE is not accepted; expected A256GCM, A192GCM, A128GCM, A128CBC-HS256 or A256CBC-HS512",
            )
        })?;
        let kid = match header.get("kid").or_else(|| header.get("keyId")) {
            None => None,
            Some(Json::Text(kid)) => Some(kid.clone()),
            Some(_) => return Err(malformed("the kid of the JWE header is not a string")),
        };
        let agreed = alg != Alg::RsaOaep256;
        Ok(Self {
            alg,
            enc,
            kid,
            epk: if agreed { Some(ephemeral_key(&header)?) } else { None },
            apu: if agreed { party(&header, "apu")? } else { Vec::new() },
            apv: if agreed { party(&header, "apv")? } else { Vec::new() },
        })
    }
}

fn ephemeral_key(header: &Members) -> Result<PublicKey, Refusal> {
    const MALFORMED: &str = "the ephemeral key (epk) of the JWE is not a public key on P-256 or P-384";
    let Some(Json::Object(members)) = header.get("epk") else { return Err(malformed(MALFORMED)) };
    let epk = Members(members.clone());
    let (kty, crv) = (epk.text("kty", MALFORMED)?, epk.text("crv", MALFORMED)?);
    let curve = match (kty, Curve::from_name(crv)) {
        ("EC", Some(curve)) => curve,
        _ => return Err(refused("the curve of the JWE's ephemeral key is not accepted; expected P-256 or P-384")),
    };
    if epk.get("d").is_some() {
        return Err(malformed("the JWE discloses the private half of its ephemeral key"));
    }
    let coordinate = |name| -> Result<Vec<u8>, Refusal> {
        base64::decode(epk.text(name, MALFORMED)?.as_bytes()).map_err(|_| malformed(MALFORMED))
    };
    PublicKey::on_curve(curve, coordinate("x")?, coordinate("y")?).map_err(|_| malformed(MALFORMED))
}

fn party(header: &Members, name: &str) -> Result<Vec<u8>, Refusal> {
    const MALFORMED: &str = "the party information (apu, apv) of the JWE is not base64url of at most 256 bytes";
    match header.get(name) {
        None => Ok(Vec::new()),
        Some(Json::Text(text)) => match base64::decode(text.as_bytes()) {
            Ok(bytes) if bytes.len() <= PARTY_BYTES_MAX => Ok(bytes),
            _ => Err(malformed(MALFORMED)),
        },
        Some(_) => Err(malformed(MALFORMED)),
    }
}

struct Members(Vec<(String, Json)>);

impl Members {
    fn get(&self, name: &str) -> Option<&Json> {
        self.0.iter().find(|(member, _)| member == name).map(|(_, value)| value)
    }

    fn text(&self, name: &str, otherwise: &str) -> Result<&str, Refusal> {
        match self.get(name) {
            Some(Json::Text(text)) => Ok(text),
            _ => Err(malformed(otherwise)),
        }
    }
}

/// JSON of which only strings and objects are kept, and in which no object at any depth names a member twice:
/// two readers of one header must not see two different ones.
#[derive(Clone)]
enum Json {
    Text(String),
    Object(Vec<(String, Json)>),
    Other,
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(JsonVisitor)
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Json;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("JSON")
    }

    fn visit_str<E>(self, text: &str) -> Result<Json, E> {
        Ok(Json::Text(text.to_owned()))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Json, E> {
        Ok(Json::Other)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Json, E> {
        Ok(Json::Other)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Json, E> {
        Ok(Json::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Json, E> {
        Ok(Json::Other)
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
        while items.next_element::<Json>()?.is_some() {}
        Ok(Json::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Json, A::Error> {
        let mut members: Vec<(String, Json)> = Vec::new();
        while let Some((name, value)) = entries.next_entry::<String, Json>()? {
            // At most 4 KiB of members: comparing each with each is cheap.
            if members.iter().any(|(member, _)| *member == name) {
                return Err(A::Error::custom("a member twice"));
            }
            members.push((name, value));
        }
        Ok(Json::Object(members))
    }
}
