use std::io;

use super::*;

fn seal(recipient: &Recipient, plaintext: &[u8], step: usize) -> String {
    let mut sealer = Sealer::new(recipient, Vec::new()).ok().unwrap();
    for piece in plaintext.chunks(step.max(1)) {
        sealer.write_all(piece).unwrap();
    }
    String::from_utf8(sealer.finish().unwrap()).unwrap()
}

#[test]
fn what_is_sealed_opens_with_josekit_and_here() {
    for key in [&*RSA, &*P256, &*P384] {
        let recipient = key.recipient();
        for (length, step) in
            [(0, 1), (1, 1), (100, 7), (98_303, 1000), (98_304, 98_304), (98_305, 5000), (300_000, 300_000)]
        {
            let text: Vec<u8> = (0..length).map(|at: usize| u8::try_from(at % 253).unwrap()).collect();
            let token = seal(&recipient, &text, step);
            let decrypter: Box<dyn josekit::jwe::JweDecrypter> = match key.pkey.id() {
                openssl::pkey::Id::RSA => Box::new(jwe::RSA_OAEP_256.decrypter_from_jwk(&key.jwk()).unwrap()),
                _ => Box::new(jwe::ECDH_ES.decrypter_from_jwk(&key.jwk()).unwrap()),
            };
            let (opened, header) = jwe::deserialize_compact(&token, &*decrypter).unwrap();
            assert!(opened == text, "{} {length}", key.kid);
            assert_eq!(header.key_id(), Some(key.kid));
            assert_eq!(header.content_encryption(), Some("A256GCM"));
            assert!(read_all(token.as_bytes(), &keyring(&[key])).unwrap() == text, "{} {length}", key.kid);
        }
    }
}

#[test]
fn each_seal_has_its_own_key_and_a_nonce_of_12_bytes() {
    let recipient = RSA.recipient();
    let (first, second) = (segments(&seal(&recipient, b"same", 4)), segments(&seal(&recipient, b"same", 4)));
    assert_eq!(first[0], second[0]);
    for part in 1..5 {
        assert_ne!(first[part], second[part], "{part}");
    }
    assert_eq!(base64::decode(first[2].as_bytes()).unwrap().len(), 12);
}

#[test]
fn a_recipient_is_frozen_as_a_public_jwk_and_read_back() {
    for key in [&*RSA, &*P256, &*P384] {
        let recipient = key.recipient();
        let jwk = recipient.to_jwk();
        assert_eq!(Recipient::parse(jwk.as_bytes()).unwrap(), recipient);
        assert_eq!(Recipient::parse(jwk.as_bytes()).unwrap().to_jwk(), jwk);
        assert_eq!(recipient.kid(), Some(key.kid));
        let jwk = josekit::jwk::Jwk::from_bytes(jwk.as_bytes()).unwrap();
        for member in ["d", "p", "q", "dp", "dq", "qi"] {
            assert!(jwk.parameter(member).is_none(), "{member}");
        }
    }
}

#[test]
fn pem_and_certificates_are_recipients_without_a_name() {
    for key in [&*RSA, &*P256] {
        let mut certificate = openssl::x509::X509::builder().unwrap();
        certificate.set_pubkey(&key.pkey).unwrap();
        certificate.set_not_before(&openssl::asn1::Asn1Time::from_unix(0).unwrap()).unwrap();
        certificate.set_not_after(&openssl::asn1::Asn1Time::from_unix(1).unwrap()).unwrap();
        certificate.sign(&key.pkey, openssl::hash::MessageDigest::sha256()).unwrap();
        for bytes in [key.public_pem(), certificate.build().to_pem().unwrap()] {
            let recipient = Recipient::parse(&bytes).unwrap();
            assert_eq!(recipient.kid(), None);
            assert_eq!(recipient.fingerprint().unwrap(), key.private().fingerprint());
            let token = seal(&recipient, b"text", 4);
            let opened = open(file(token.as_bytes()), &jwe_only(), &keyring(&[key])).ok().unwrap();
            assert_eq!(drain(&opened, 10).unwrap(), b"text");
        }
    }
}

#[test]
fn a_broken_write_breaks_the_seal() {
    struct Full(usize);
    impl io::Write for Full {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.0 == 0 {
                self.0 = usize::MAX;
                return Err(io::ErrorKind::StorageFull.into());
            }
            let length = self.0.min(bytes.len());
            self.0 -= length;
            Ok(length)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut sealer = Sealer::new(&RSA.recipient(), Full(50_000)).ok().unwrap();
    assert!(sealer.write_all(&[0; 200_000]).is_err());
    assert!(sealer.finish().is_err(), "room came back, but what was lost is lost");
}
