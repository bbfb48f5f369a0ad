//! Key formats: private and public JWK, PEM, certificate, to and from OpenSSL's keys.
//!
//! Must never put key material into an error.

use openssl::bn::{BigNum, BigNumContext};
use openssl::ec::{EcGroup, EcKey};
use openssl::error::ErrorStack;
use openssl::nid::Nid;
use openssl::pkey::{HasPublic, Id, PKey, PKeyRef, Private, Public};
use openssl::rsa::{Padding, Rsa, RsaPrivateKeyBuilder};
use openssl::sha::sha256;
use openssl::x509::X509;
use serde::de::{Deserialize, Deserializer};
use serde::{Deserialize as DeserializeDerive, Serialize};
use zeroize::Zeroizing;

use crate::model::hex;

use super::base64;
use super::error::KeyError;

/// The curves nightdrop agrees keys on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Curve {
    P256,
    P384,
}

impl Curve {
    pub(super) fn from_name(name: &str) -> Option<Self> {
        match name {
            "P-256" => Some(Self::P256),
            "P-384" => Some(Self::P384),
            _ => None,
        }
    }

    fn from_nid(nid: Nid) -> Option<Self> {
        match nid {
            Nid::X9_62_PRIME256V1 => Some(Self::P256),
            Nid::SECP384R1 => Some(Self::P384),
            _ => None,
        }
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::P256 => "P-256",
            Self::P384 => "P-384",
        }
    }

    const fn coordinate_bytes(self) -> usize {
        match self {
            Self::P256 => 32,
            Self::P384 => 48,
        }
    }

    fn group(self) -> Result<EcGroup, ErrorStack> {
        EcGroup::from_curve_name(match self {
            Self::P256 => Nid::X9_62_PRIME256V1,
            Self::P384 => Nid::SECP384R1,
        })
    }
}

/// A public key in its parts: the one form from which DER, fingerprint and JWK are made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum PublicKey {
    Rsa { n: Vec<u8>, e: Vec<u8> },
    Ec { curve: Curve, x: Vec<u8>, y: Vec<u8> },
}

impl PublicKey {
    /// A point, which must be of the curve and written in its full length.
    pub(super) fn on_curve(curve: Curve, x: Vec<u8>, y: Vec<u8>) -> Result<Self, KeyError> {
        if x.len() != curve.coordinate_bytes() {
            return Err(KeyError::Member { member: "x" });
        }
        if y.len() != curve.coordinate_bytes() {
            return Err(KeyError::Member { member: "y" });
        }
        let key = Self::Ec { curve, x, y };
        key.to_pkey().map_err(|_| KeyError::Inconsistent)?;
        Ok(key)
    }

    pub(super) fn from_pkey<T: HasPublic>(pkey: &PKeyRef<T>) -> Result<Self, KeyError> {
        match pkey.id() {
            Id::RSA => {
                let rsa = pkey.rsa()?;
                let bits = pkey.bits();
                if !(2048..=8192).contains(&bits) {
                    return Err(KeyError::RsaSize { bits });
                }
                Ok(Self::Rsa { n: rsa.n().to_vec(), e: rsa.e().to_vec() })
            }
            Id::EC => {
                let key = pkey.ec_key()?;
                let curve = key.group().curve_name().and_then(Curve::from_nid).ok_or(KeyError::Unsupported)?;
                let (mut x, mut y) = (BigNum::new()?, BigNum::new()?);
                let mut context = BigNumContext::new()?;
                key.public_key().affine_coordinates(key.group(), &mut x, &mut y, &mut context)?;
                let length = i32::try_from(curve.coordinate_bytes()).unwrap_or(i32::MAX);
                Self::on_curve(curve, x.to_vec_padded(length)?, y.to_vec_padded(length)?)
            }
            _ => Err(KeyError::Unsupported),
        }
    }

    pub(super) fn to_pkey(&self) -> Result<PKey<Public>, ErrorStack> {
        match self {
            Self::Rsa { n, e } => {
                PKey::from_rsa(Rsa::from_public_components(BigNum::from_slice(n)?, BigNum::from_slice(e)?)?)
            }
            Self::Ec { curve, x, y } => {
                let (x, y) = (BigNum::from_slice(x)?, BigNum::from_slice(y)?);
                // OpenSSL checks that the point is of the curve.
                PKey::from_ec_key(EcKey::from_public_key_affine_coordinates(&*curve.group()?, &x, &y)?)
            }
        }
    }

    /// DER SubjectPublicKeyInfo.
    pub(super) fn to_spki(&self) -> Result<Vec<u8>, ErrorStack> {
        self.to_pkey()?.public_key_to_der()
    }

    /// Hex SHA-256 of the DER SubjectPublicKeyInfo: the name a key has without being given one.
    pub(super) fn fingerprint(&self) -> Result<String, ErrorStack> {
        Ok(hex(&sha256(&self.to_spki()?)))
    }

    /// A public JWK, always the same bytes for the same key and name.
    pub(super) fn to_jwk(&self, kid: Option<&str>) -> String {
        #[derive(Serialize)]
        #[serde(untagged)]
        enum Parts {
            Rsa { n: String, e: String },
            Ec { crv: &'static str, x: String, y: String },
        }
        #[derive(Serialize)]
        struct Out<'a> {
            kty: &'static str,
            #[serde(rename = "use")]
            key_use: &'static str,
            #[serde(skip_serializing_if = "Option::is_none")]
            kid: Option<&'a str>,
            #[serde(flatten)]
            parts: Parts,
        }
        let (kty, parts) = match self {
            Self::Rsa { n, e } => ("RSA", Parts::Rsa { n: base64::encode(n), e: base64::encode(e) }),
            Self::Ec { curve, x, y } => {
                ("EC", Parts::Ec { crv: curve.name(), x: base64::encode(x), y: base64::encode(y) })
            }
        };
        serde_json::to_string(&Out { kty, key_use: "enc", kid, parts }).unwrap_or_default()
    }
}

/// A string that is wiped when dropped.
struct Secret(Zeroizing<String>);

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Ok(Self(Zeroizing::new(String::deserialize(from)?)))
    }
}

/// The members of a JWK that matter (RFC 7517, RFC 7518 §6).
#[derive(DeserializeDerive)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    key_use: Option<String>,
    crv: Option<String>,
    n: Option<Secret>,
    e: Option<Secret>,
    d: Option<Secret>,
    p: Option<Secret>,
    q: Option<Secret>,
    dp: Option<Secret>,
    dq: Option<Secret>,
    qi: Option<Secret>,
    x: Option<Secret>,
    y: Option<Secret>,
}

impl Jwk {
    fn read(bytes: &[u8], expected: &'static str, key_use: &str) -> Result<Self, KeyError> {
        // The parser's message would echo key material.
        let jwk: Self = serde_json::from_slice(bytes).map_err(|_| KeyError::Unrecognised { expected })?;
        if jwk.key_use.as_ref().is_some_and(|its| its != key_use) {
            return Err(KeyError::NotForEncryption);
        }
        if let Some(kid) = &jwk.kid {
            check_kid(kid)?;
        }
        Ok(jwk)
    }

    fn curve(&self) -> Result<Curve, KeyError> {
        self.crv.as_deref().and_then(Curve::from_name).ok_or(KeyError::Unsupported)
    }

    fn public(&self) -> Result<PublicKey, KeyError> {
        match self.kty.as_str() {
            "RSA" => {
                let (n, e) = (number(self.n.as_ref(), "n")?, number(self.e.as_ref(), "e")?);
                let pkey = PKey::from_rsa(Rsa::from_public_components(n, e)?)?;
                PublicKey::from_pkey(&pkey)
            }
            "EC" => PublicKey::on_curve(
                self.curve()?,
                bytes(self.x.as_ref(), "x")?.to_vec(),
                bytes(self.y.as_ref(), "y")?.to_vec(),
            ),
            _ => Err(KeyError::Unsupported),
        }
    }

    fn private(&self) -> Result<PKey<Private>, KeyError> {
        let secret = |value: Option<&Secret>, member| -> Result<BigNum, KeyError> {
            Ok(BigNum::from_slice(&bytes(value, member)?)?)
        };
        let public = self.public()?;
        if self.d.is_none() {
            return Err(KeyError::NotPrivate);
        }
        let d = secret(self.d.as_ref(), "d")?;
        match &public {
            PublicKey::Rsa { n, e } => {
                let (p, q) = (secret(self.p.as_ref(), "p")?, secret(self.q.as_ref(), "q")?);
                let (dp, dq) = (secret(self.dp.as_ref(), "dp")?, secret(self.dq.as_ref(), "dq")?);
                let qi = secret(self.qi.as_ref(), "qi")?;
                let rsa = RsaPrivateKeyBuilder::new(BigNum::from_slice(n)?, BigNum::from_slice(e)?, d)
                    .and_then(|key| key.set_factors(p, q))
                    .and_then(|key| key.set_crt_params(dp, dq, qi))
                    .map_err(|_| KeyError::Inconsistent)?;
                Ok(PKey::from_rsa(rsa.build())?)
            }
            PublicKey::Ec { curve, .. } => {
                let pkey = public.to_pkey()?;
                let point = pkey.ec_key()?;
                let group = curve.group()?;
                let key = EcKey::from_private_components(&group, &d, point.public_key());
                Ok(PKey::from_ec_key(key.map_err(|_| KeyError::Inconsistent)?)?)
            }
        }
    }
}

fn bytes(value: Option<&Secret>, member: &'static str) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let text = value.ok_or(KeyError::Member { member })?;
    let bytes = base64::decode(text.0.as_bytes()).map_err(|_| KeyError::Member { member })?;
    if bytes.is_empty() || bytes.len() > 1024 { Err(KeyError::Member { member }) } else { Ok(Zeroizing::new(bytes)) }
}

fn number(value: Option<&Secret>, member: &'static str) -> Result<BigNum, KeyError> {
    Ok(BigNum::from_slice(&bytes(value, member)?)?)
}

/// A kid as nightdrop writes and takes it.
pub(super) fn check_kid(kid: &str) -> Result<(), KeyError> {
    let fits = (1..=255).contains(&kid.len()) && !kid.chars().any(char::is_control);
    if fits { Ok(()) } else { Err(KeyError::Kid) }
}

/// Reads a private key and its name, and checks that its halves belong together.
pub(super) fn read_private(bytes: &[u8]) -> Result<(PKey<Private>, PublicKey, Option<String>), KeyError> {
    const EXPECTED: &str = "a private JWK, or PKCS#8 PEM";
    let (pkey, kid) = if looks_json(bytes) {
        let jwk = Jwk::read(bytes, EXPECTED, "enc")?;
        (jwk.private()?, jwk.kid)
    } else if has(bytes, b"PRIVATE KEY-----") {
        if has(bytes, b"ENCRYPTED") {
            return Err(KeyError::Encrypted);
        }
        // Without a callback OpenSSL would ask for a passphrase on the terminal.
        let pkey = PKey::private_key_from_pem_callback(bytes, |_| Ok(0));
        (pkey.map_err(|_| KeyError::Unrecognised { expected: EXPECTED })?, None)
    } else if has(bytes, b"PUBLIC KEY-----") || has(bytes, b"CERTIFICATE-----") {
        return Err(KeyError::NotPrivate);
    } else {
        return Err(KeyError::Unrecognised { expected: EXPECTED });
    };
    let public = PublicKey::from_pkey(&pkey)?;
    check_halves(&pkey)?;
    Ok((pkey, public, kid))
}

/// The name of the certificate that stands beside a private key in PEM: hex SHA-256 of its DER. It must be of that key.
pub(super) fn certificate_beside(bytes: &[u8], public: &PublicKey) -> Result<Option<String>, KeyError> {
    if looks_json(bytes) || !has(bytes, b"-----BEGIN CERTIFICATE-----") {
        return Ok(None);
    }
    let unrecognised = |_| KeyError::Unrecognised { expected: "an X.509 certificate beside the private key" };
    let certificate = X509::from_pem(bytes).map_err(unrecognised)?;
    if PublicKey::from_pkey(&*certificate.public_key()?)? != *public {
        return Err(KeyError::Inconsistent);
    }
    Ok(Some(hex(&sha256(&certificate.to_der()?))))
}

/// Reads a public key and its name.
pub(super) fn read_public(bytes: &[u8]) -> Result<(PublicKey, Option<String>), KeyError> {
    read_public_for(bytes, "enc")
}

/// Reads the public key that a signature is verified with.
pub(super) fn read_verifying(bytes: &[u8]) -> Result<PKey<Public>, KeyError> {
    match read_public_for(bytes, "sig")?.0 {
        PublicKey::Ec { curve: Curve::P384, .. } => Err(KeyError::Unsupported),
        key => Ok(key.to_pkey()?),
    }
}

fn read_public_for(bytes: &[u8], key_use: &str) -> Result<(PublicKey, Option<String>), KeyError> {
    const EXPECTED: &str = "a public JWK, a PEM public key or an X.509 certificate";
    let unrecognised = |_| KeyError::Unrecognised { expected: EXPECTED };
    if looks_json(bytes) {
        let jwk = Jwk::read(bytes, EXPECTED, key_use)?;
        if jwk.d.is_some() {
            return Err(KeyError::NotPublic);
        }
        let public = jwk.public()?;
        return Ok((public, jwk.kid));
    }
    let pkey = if has(bytes, b"PRIVATE KEY-----") {
        return Err(KeyError::NotPublic);
    } else if has(bytes, b"-----BEGIN CERTIFICATE-----") {
        X509::from_pem(bytes).and_then(|certificate| certificate.public_key()).map_err(unrecognised)?
    } else if has(bytes, b"-----BEGIN RSA PUBLIC KEY-----") {
        Rsa::public_key_from_pem_pkcs1(bytes).and_then(PKey::from_rsa).map_err(unrecognised)?
    } else {
        PKey::public_key_from_pem(bytes).map_err(unrecognised)?
    };
    Ok((PublicKey::from_pkey(&pkey)?, None))
}

fn check_halves(pkey: &PKey<Private>) -> Result<(), KeyError> {
    let belong = match pkey.id() {
        // A trip through both halves; proving the primes would take seconds and catch no mistake that this does not.
        Id::RSA => (|| -> Result<bool, ErrorStack> {
            let rsa = pkey.rsa()?;
            let length = rsa.size() as usize;
            let (mut sealed, mut opened) = (vec![0; length], Zeroizing::new(vec![0; length]));
            rsa.public_encrypt(b"nightdrop", &mut sealed, Padding::PKCS1_OAEP)?;
            let opened_bytes = rsa.private_decrypt(&sealed, &mut opened, Padding::PKCS1_OAEP)?;
            Ok(opened.get(..opened_bytes) == Some(b"nightdrop".as_slice()))
        })(),
        _ => pkey.ec_key().and_then(|key| key.check_key()).map(|()| true),
    };
    if belong.unwrap_or(false) { Ok(()) } else { Err(KeyError::Inconsistent) }
}

fn looks_json(bytes: &[u8]) -> bool {
    bytes.trim_ascii_start().first() == Some(&b'{')
}

fn has(bytes: &[u8], needle: &[u8]) -> bool {
    memchr::memmem::find(bytes, needle).is_some()
}
