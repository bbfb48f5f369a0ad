//! Verifies a detached compact JWS (RFC 7515, appendix F) over bytes that come as a stream.
//!
//! The key says which algorithms may be: RS256 and PS256 with RSA, ES256 with P-256. Anything that the header marks as
//! critical is refused, and so is a payload that is not encoded (RFC 7797), which must be marked so. Why a signature does not
//! hold is not said.

use openssl::bn::BigNum;
use openssl::ecdsa::EcdsaSig;
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::pkey::{Id, PKey, Public};
use openssl::rsa::Padding;
use openssl::sign::{RsaPssSaltlen, Verifier};
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};
use zeroize::Zeroizing;

use super::{KeyError, base64, jwk};

/// A partner's public key for signatures.
pub struct VerifyKey(PKey<Public>);

/// The members of the protected header that matter.
#[derive(Deserialize)]
struct Header {
    alg: String,
    #[serde(default)]
    crit: Given,
    #[serde(default)]
    b64: Given,
}

/// Whether a member is there, with whatever value: null is one.
#[derive(Default)]
struct Given(bool);

impl<'de> Deserialize<'de> for Given {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(from).map(|_| Self(true))
    }
}

/// The most that a protected header may have.
const HEADER_BYTES_MAX: usize = 4 << 10;

/// Bytes that are encoded at once: whole groups of three.
const BLOCK_BYTES: usize = 3 << 13;

impl VerifyKey {
    /// A public JWK, a PEM public key or an X.509 certificate.
    pub fn parse(bytes: &[u8]) -> Result<Self, KeyError> {
        jwk::read_verifying(bytes).map(Self)
    }

    /// Begins to verify; `None` where the JWS can be no signature of this key.
    pub fn begin(&self, jws: &str) -> Option<Verification<'_>> {
        let mut parts = jws.split('.');
        let (header, payload, signature) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() || !payload.is_empty() || header.len() > HEADER_BYTES_MAX {
            return None;
        }
        let text = base64::decode(header.as_bytes()).ok()?;
        // The library would take an array of its values for an object, too.
        let is_object = text.trim_ascii_start().first() == Some(&b'{');
        let read: Header = serde_json::from_slice(&text).ok().filter(|_| is_object)?;
        if read.crit.0 || read.b64.0 {
            return None;
        }
        let signature = base64::decode(signature.as_bytes()).ok()?;
        self.verification(header, &read.alg, signature).ok()?
    }

    fn verification(
        &self,
        header: &str,
        alg: &str,
        signature: Vec<u8>,
    ) -> Result<Option<Verification<'_>>, ErrorStack> {
        let mut verifier = Verifier::new(MessageDigest::sha256(), &self.0)?;
        let signature = match (self.0.id(), alg) {
            (Id::RSA, "RS256") => {
                verifier.set_rsa_padding(Padding::PKCS1)?;
                signature
            }
            (Id::RSA, "PS256") => {
                verifier.set_rsa_padding(Padding::PKCS1_PSS)?;
                verifier.set_rsa_mgf1_md(MessageDigest::sha256())?;
                verifier.set_rsa_pss_saltlen(RsaPssSaltlen::DIGEST_LENGTH)?;
                signature
            }
            (Id::EC, "ES256") => {
                let Some((r, s)) = signature.split_at_checked(32).filter(|(_, s)| s.len() == 32) else {
                    return Ok(None);
                };
                EcdsaSig::from_private_components(BigNum::from_slice(r)?, BigNum::from_slice(s)?)?.to_der()?
            }
            _ => return Ok(None),
        };
        verifier.update(header.as_bytes())?;
        verifier.update(b".")?;
        let carried = Zeroizing::new(Vec::with_capacity(BLOCK_BYTES));
        Ok(Some(Verification { verifier, signature, carried, encoded: Zeroizing::new(vec![0; BLOCK_BYTES / 3 * 4]) }))
    }
}

/// A signature being verified.
pub struct Verification<'k> {
    verifier: Verifier<'k>,
    signature: Vec<u8>,
    /// Bytes that are still to be encoded: a group of three may lie in two pieces.
    carried: Zeroizing<Vec<u8>>,
    encoded: Zeroizing<Vec<u8>>,
}

impl Verification<'_> {
    /// Takes the next bytes of what is signed. `None` where the library fails.
    pub fn push(&mut self, mut bytes: &[u8]) -> Option<()> {
        while !bytes.is_empty() {
            let (part, rest) = bytes.split_at((BLOCK_BYTES - self.carried.len()).min(bytes.len()));
            self.carried.extend_from_slice(part);
            bytes = rest;
            if self.carried.len() == BLOCK_BYTES {
                self.flush()?;
            }
        }
        Some(())
    }

    fn flush(&mut self) -> Option<()> {
        self.verifier.update(base64::encode_into(&self.carried, &mut self.encoded)).ok()?;
        self.carried.clear();
        Some(())
    }

    /// Whether all that was pushed is what was signed.
    pub fn holds(mut self) -> bool {
        // What the library leaves in its queue of errors is of no use to anyone.
        self.flush().is_some() && self.verifier.verify(&self.signature).unwrap_or(false)
    }
}
