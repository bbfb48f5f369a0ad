//! Makes envelope key pairs, for `nightdrop keys new envelope` and the demo.

use josekit::jwk::alg::ec::{EcCurve, EcKeyPair};
use josekit::jwk::alg::rsa::RsaKeyPair;
use josekit::jwk::{Jwk, KeyPair};
use zeroize::Zeroizing;

use super::error::KeyError;
use super::jwk;
use super::keyring::PrivateKey;

/// What kind of pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyType {
    /// RSA, 3072 bits.
    Rsa3072,
    /// RSA, 4096 bits.
    Rsa4096,
    /// EC on P-256.
    EcP256,
}

/// A new pair, as JSON.
pub struct Generated {
    /// The private JWK; to be written with mode 0400 and shown to nobody.
    pub private_jwk: Zeroizing<String>,
    /// The public JWK; for the sender.
    pub public_jwk: String,
}

/// Makes a pair under a name.
pub fn generate(key_type: KeyType, kid: &str) -> Result<Generated, KeyError> {
    jwk::check_kid(kid)?;
    let mut private: Jwk = match key_type {
        KeyType::Rsa3072 => RsaKeyPair::generate(3072)?.to_jwk_private_key(),
        KeyType::Rsa4096 => RsaKeyPair::generate(4096)?.to_jwk_private_key(),
        // josekit's `to_jwk_private_key` leaves the public point out, which RFC 7518 §6.2.2 demands.
        KeyType::EcP256 => EcKeyPair::generate(EcCurve::P256)?.to_jwk_key_pair(),
    };
    private.set_key_use("enc");
    private.set_key_id(kid);
    let private_jwk = Zeroizing::new(private.to_string());
    // Read back: what is handed out is what will open files.
    let public_jwk = PrivateKey::parse(private_jwk.as_bytes())?.to_public_jwk();
    Ok(Generated { private_jwk, public_jwk })
}
