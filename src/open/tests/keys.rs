use super::*;
use serde_json::{Value, json};

fn private_error(bytes: &[u8]) -> String {
    PrivateKey::parse(bytes).err().unwrap().to_string()
}

fn jwk_with(key: &TestKey, change: impl FnOnce(&mut serde_json::Map<String, Value>)) -> Vec<u8> {
    let mut value: Value = serde_json::from_str(&key.jwk().to_string()).unwrap();
    change(value.as_object_mut().unwrap());
    value.to_string().into_bytes()
}

#[test]
fn private_keys_come_as_jwk_and_as_pem() {
    for key in [&*RSA, &*P256, &*P384] {
        let named = key.private();
        assert_eq!(named.kid(), Some(key.kid));
        let traditional = match key.pkey.id() {
            openssl::pkey::Id::RSA => key.pkey.rsa().unwrap().private_key_to_pem().unwrap(),
            _ => key.pkey.ec_key().unwrap().private_key_to_pem().unwrap(),
        };
        for pem in [key.pem(), traditional] {
            let bare = PrivateKey::parse(&pem).ok().unwrap();
            assert_eq!(bare.kid(), None);
            assert_eq!(bare.fingerprint(), named.fingerprint());
            let ring = Keyring::new(vec![bare]).ok().unwrap();
            let alg = if key.pkey.id() == openssl::pkey::Id::RSA { "RSA-OAEP-256" } else { "ECDH-ES" };
            let token = josekit_token(alg, "A256GCM", &[], key, b"text");
            let opened = open(file(token.as_bytes()), &jwe_only(), &ring).ok().unwrap();
            assert_eq!(opened.key_id(), Some(named.fingerprint()), "a key without a kid goes by its fingerprint");
            assert_eq!(drain(&opened, 10).unwrap(), b"text");
        }
    }
}

#[test]
fn what_is_no_usable_private_key_is_refused_by_name() {
    let encrypted =
        RSA.pkey.private_key_to_pem_pkcs8_passphrase(openssl::symm::Cipher::aes_256_cbc(), b"pass").unwrap();
    let small = PKey::from_rsa(Rsa::generate(1024).unwrap()).unwrap().private_key_to_pem_pkcs8().unwrap();
    let ed = PKey::generate_ed25519().unwrap().private_key_to_pem_pkcs8().unwrap();
    let p521 = TestKey::ec("p521", Nid::SECP521R1).pem();
    let public = RSA.private().to_public_jwk();
    for (bytes, words) in [
        (b"".to_vec(), "not a key"),
        (b"{}".to_vec(), "not a key"),
        (b"hello".to_vec(), "not a key"),
        (b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n".to_vec(), "not a key"),
        (RSA.public_pem(), "a public key where a private one is expected"),
        (public.into_bytes(), "a public key where a private one is expected"),
        (encrypted, "passphrase"),
        (small, "1024 bits"),
        (ed, "not supported"),
        (p521.clone(), "not supported"),
        (jwk_with(&P256, |jwk| drop(jwk.insert("crv".into(), json!("P-521")))), "not supported"),
        (jwk_with(&P256, |jwk| drop(jwk.insert("kty".into(), json!("oct")))), "not supported"),
        (jwk_with(&P256, |jwk| drop(jwk.insert("use".into(), json!("sig")))), "use"),
        (jwk_with(&P256, |jwk| drop(jwk.insert("kid".into(), json!("")))), "kid"),
        (jwk_with(&P256, |jwk| drop(jwk.insert("kid".into(), json!("a\nb")))), "kid"),
        (jwk_with(&P256, |jwk| drop(jwk.insert("x".into(), json!("AA")))), "x is missing"),
        (jwk_with(&P256, |jwk| drop(jwk.remove("y"))), "y is missing"),
        (jwk_with(&P256, |jwk| drop(jwk.insert("d".into(), json!("")))), "d is missing"),
        (jwk_with(&P256, |jwk| drop(jwk.insert("d".into(), json!("AQ")))), "do not belong together"),
        (jwk_with(&RSA, |jwk| drop(jwk.remove("qi"))), "qi is missing"),
        (jwk_with(&RSA, |jwk| drop(jwk.insert("n".into(), json!("*")))), "n is missing"),
        (
            jwk_with(&RSA, |jwk| drop(jwk.insert("n".into(), json!(RSA_OTHER.jwk().parameter("n").unwrap())))),
            "do not belong together",
        ),
    ] {
        let error = private_error(&bytes);
        assert!(error.contains(words), "{error} instead of {words}");
    }
}

#[test]
fn key_errors_hold_no_key_material() {
    let d = P256.jwk().parameter("d").unwrap().as_str().unwrap().to_owned();
    let mut broken = jwk_with(&P256, |_| ());
    broken.truncate(broken.len() - 1);
    for bytes in [
        broken,
        jwk_with(&P256, |jwk| drop(jwk.insert("d".into(), json!([d])))),
        jwk_with(&P256, |jwk| drop(jwk.insert(d.clone(), json!(1)))),
    ] {
        if let Err(error) = PrivateKey::parse(&bytes) {
            assert!(!format!("{error} {error:?}").contains(&d));
        }
    }
}

#[test]
fn two_keys_of_one_name_are_an_error() {
    let again = TestKey { kid: "rsa-1", pkey: P256.pkey.clone() };
    let error = Keyring::new(vec![RSA.private(), again.private()]).err().unwrap();
    assert!(matches!(error, KeyError::DuplicateKid { kid } if kid == "rsa-1"));
    // Without a kid, and under two kids, the same key is no contradiction.
    let bare = || PrivateKey::parse(&RSA.pem()).ok().unwrap();
    assert!(Keyring::new(vec![bare(), RSA.private(), bare()]).is_ok());
}

#[test]
fn private_keys_are_no_recipients() {
    for bytes in [RSA.pem(), RSA.jwk().to_string().into_bytes(), P256.jwk().to_string().into_bytes()] {
        assert!(matches!(Recipient::parse(&bytes), Err(KeyError::NotPublic)));
    }
    for bytes in [
        &b""[..],
        b"{}",
        b"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n",
        b"-----BEGIN PUBLIC KEY-----\nAA==\n",
    ] {
        assert!(matches!(Recipient::parse(bytes), Err(KeyError::Unrecognised { .. })));
    }
    let signing = br#"{"kty":"EC","use":"sig","crv":"P-256","x":"AA","y":"AA"}"#;
    assert!(matches!(Recipient::parse(signing), Err(KeyError::NotForEncryption)));
}

#[test]
fn a_generated_pair_seals_and_opens() {
    for (key_type, kty) in [(KeyType::EcP256, "EC"), (KeyType::Rsa3072, "RSA")] {
        let pair = generate(key_type, "acme-2026").ok().unwrap();
        let public: Value = serde_json::from_str(&pair.public_jwk).unwrap();
        let private: Value = serde_json::from_str(&pair.private_jwk).unwrap();
        assert_eq!((public["kid"].as_str(), public["kty"].as_str()), (Some("acme-2026"), Some(kty)));
        assert!(public.get("d").is_none() && private["d"].is_string());
        let recipient = Recipient::parse(pair.public_jwk.as_bytes()).unwrap();
        let mut sealer = Sealer::new(&recipient, Vec::new()).ok().unwrap();
        sealer.write_all(b"text").unwrap();
        let token = sealer.finish().unwrap();
        let ring = Keyring::new(vec![PrivateKey::parse(pair.private_jwk.as_bytes()).ok().unwrap()]).ok().unwrap();
        let opened = open(file(&token), &jwe_only(), &ring).ok().unwrap();
        assert_eq!(opened.key_id(), Some("acme-2026"));
        assert_eq!(drain(&opened, 10).unwrap(), b"text");
    }
    for kid in ["", "a\tb", &"x".repeat(256)] {
        assert!(matches!(generate(KeyType::EcP256, kid), Err(KeyError::Kid)));
    }
}
