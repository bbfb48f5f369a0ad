use super::*;

const TEXT: &[u8] = b"record_ref,pan,card_base_currency\nr-1,2303770003322342,EUR\n";

#[test]
fn every_algorithm_with_every_encryption_opens() {
    let ring = keyring(&[&RSA, &P256, &P384]);
    for enc in ["A128GCM", "A192GCM", "A256GCM", "A128CBC-HS256", "A256CBC-HS512"] {
        for (alg, key) in [
            ("RSA-OAEP-256", &*RSA),
            ("ECDH-ES", &*P256),
            ("ECDH-ES", &*P384),
            ("ECDH-ES+A256KW", &*P256),
            ("ECDH-ES+A256KW", &*P384),
        ] {
            for members in [&[][..], &[("kid", key.kid)][..]] {
                let token = josekit_token(alg, enc, members, key, TEXT);
                let opened = open(file(token.as_bytes()), &jwe_only(), &ring).ok().unwrap();
                assert_eq!(opened.envelope(), EnvelopeKind::Jwe);
                assert_eq!(opened.key_id(), Some(key.kid), "{alg} {enc}");
                assert_eq!(drain(&opened, 1 << 20).unwrap(), TEXT, "{alg} {enc}");
                assert_eq!(drain(&opened, 7).unwrap(), TEXT, "the second pass, {alg} {enc}");
            }
        }
    }
}

#[test]
fn long_content_streams_in_blocks_to_the_same_bytes() {
    // Lengths on, before and behind the border of a block, and one of several blocks.
    let block = 192 << 10;
    for length in [0, 1, 15, 16, 17, block - 1, block, block + 1, 3 * block + 12_345] {
        let text: Vec<u8> = (0..length).map(|at| u8::try_from(at * 31 % 251).unwrap()).collect();
        for (enc, step) in [("A256GCM", 4093), ("A128CBC-HS256", 1 << 20)] {
            let token = josekit_token("ECDH-ES", enc, &[], &P256, &text);
            let opened = open(file(token.as_bytes()), &jwe_only(), &keyring(&[&P256])).ok().unwrap();
            assert!(drain(&opened, step).unwrap() == text, "{enc} {length}");
        }
    }
}

#[test]
fn passes_do_not_disturb_each_other_and_cross_threads() {
    fn crosses<T: Send + Sync>(_: &T) {}
    let text = vec![b'x'; 1 << 20];
    let token = josekit_token("RSA-OAEP-256", "A256GCM", &[], &RSA, &text);
    let opened = open(file(token.as_bytes()), &jwe_only(), &keyring(&[&RSA])).ok().unwrap();
    crosses(&opened);
    let mut first = opened.plaintext().ok().unwrap();
    let mut some = [0; 1000];
    assert_eq!(first.read(&mut some).unwrap(), 1000);
    let other = std::thread::scope(|scope| scope.spawn(|| drain(&opened, 999).unwrap()).join().unwrap());
    assert!(other == text);
    let mut rest = 0;
    loop {
        match first.read(&mut some).unwrap() {
            0 => break,
            length => rest += length,
        }
    }
    assert_eq!(rest, text.len() - 1000);
    assert_eq!(first.read(&mut some).unwrap(), 0, "the end stays the end");
}

#[test]
fn what_real_senders_write_opens() {
    let ring = keyring(&[&RSA, &RSA_OTHER]);
    let header = r#"{"alg":"RSA-OAEP-256","enc":"A256GCM","keyId":"rsa-1","iat":"1763596800","typ":"JOSE","cty":"text/csv",
        "jku":"https://example.invalid/","x5u":"https://example.invalid/","jwk":{"kty":"EC"},"x":[1,{"y":null}]}"#;
    // 16 byte nonces; a header in the standard alphabet with padding, which is the AAD as it stands.
    let padded = openssl::base64::encode_block(format!("{header} ").as_bytes());
    for header in [encode(header.as_bytes()), padded] {
        for nonce in [&[1_u8; 12][..], &[2_u8; 16][..]] {
            let token = hand_token(&header, nonce, TEXT, &RSA);
            let opened = open(file(token.as_bytes()), &jwe_only(), &ring).ok().unwrap();
            assert_eq!(opened.key_id(), Some("rsa-1"));
            assert_eq!(drain(&opened, 100).unwrap(), TEXT);
        }
    }
    // Segments in the standard alphabet, padded, and line ends behind.
    for length in 0..40_u8 {
        let text: Vec<u8> = (0..length).collect();
        let token = hand_token(&encode(header.as_bytes()), &[0xfe; 16], &text, &RSA);
        let mut parts = segments(&token);
        for part in &mut parts[1..] {
            *part = part.replace('-', "+").replace('_', "/");
            part.push_str(&"=".repeat((4 - part.len() % 4) % 4));
        }
        for end in ["", "\n", "\r\n", "\r\n\r\n"] {
            assert_eq!(read_all(format!("{}{end}", parts.join(".")).as_bytes(), &ring).unwrap(), text);
        }
    }
}

#[test]
fn party_information_goes_into_the_agreement() {
    let ring = keyring(&[&P256]);
    let token = josekit_token("ECDH-ES", "A256GCM", &[("apu", "QWxpY2U"), ("apv", "Qm9i")], &P256, TEXT);
    assert_eq!(read_all(token.as_bytes(), &ring).unwrap(), TEXT);
}

#[test]
fn a_key_answers_to_its_fingerprint_in_any_case() {
    let ring = keyring(&[&RSA_OTHER, &RSA]);
    let spki = RSA.pkey.public_key_to_der().unwrap();
    let hex: String = openssl::sha::sha256(&spki).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(RSA.private().fingerprint(), hex);
    for name in [hex.clone(), hex.to_uppercase()] {
        let token = josekit_token("RSA-OAEP-256", "A256GCM", &[("kid", &name)], &RSA, TEXT);
        let opened = open(file(token.as_bytes()), &jwe_only(), &ring).ok().unwrap();
        assert_eq!(opened.key_id(), Some("rsa-1"), "acks speak of the kid that the feed knows");
        assert_eq!(drain(&opened, 100).unwrap(), TEXT);
    }
}

#[test]
fn without_a_name_each_fitting_key_is_tried() {
    for (alg, keys) in [
        ("RSA-OAEP-256", [&*RSA, &*RSA_OTHER]),
        ("ECDH-ES", [&*P256, &*P256_OTHER]),
        ("ECDH-ES+A256KW", [&*P256, &*P256_OTHER]),
    ] {
        for enc in ["A256GCM", "A256CBC-HS512"] {
            for key in keys {
                let token = josekit_token(alg, enc, &[], key, TEXT);
                let opened = open(file(token.as_bytes()), &jwe_only(), &keyring(&[&P384, keys[0], keys[1]]));
                let opened = opened.ok().unwrap();
                assert_eq!(opened.key_id(), Some(key.kid), "{alg} {enc}");
                assert_eq!(drain(&opened, 100).unwrap(), TEXT);
            }
        }
    }
}

#[test]
fn a_file_for_somebody_else_fails_like_a_damaged_one() {
    for (alg, key, others) in [
        ("RSA-OAEP-256", &*RSA, &[&*RSA_OTHER][..]),
        ("ECDH-ES", &*P256, &[&*P256_OTHER][..]),
        ("ECDH-ES+A256KW", &*P256, &[&*P256_OTHER][..]),
    ] {
        for enc in ["A256GCM", "A128CBC-HS256"] {
            let token = josekit_token(alg, enc, &[], key, TEXT);
            assert_eq!(refusal(token.as_bytes(), &keyring(others)), crypto_error(), "{alg} {enc}");
        }
    }
    // Several keys of the curve, none of them right.
    let third = TestKey::ec("p256-3", Nid::X9_62_PRIME256V1);
    let token = josekit_token("ECDH-ES", "A256GCM", &[], &third, TEXT);
    let opened = open(file(token.as_bytes()), &jwe_only(), &keyring(&[&P256, &P256_OTHER])).ok().unwrap();
    assert_eq!(opened.key_id(), None);
    assert!(matches!(drain(&opened, 100), Err(OpenError::Refused(refusal)) if refusal == crypto_error()));
}
