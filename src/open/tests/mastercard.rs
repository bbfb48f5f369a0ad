//! Mastercard payload encryption, sealed here by OpenSSL and by hand.

use openssl::encrypt::Encrypter;
use openssl::hash::MessageDigest;
use openssl::rsa::Padding;
use openssl::symm::{Cipher, encrypt};
use openssl::x509::{X509, X509Builder};

use super::*;

const TEXT: &[u8] = b"HDR,1,ACME,payment-cards,B,1,2026-11-20T01:30:00Z,TEST\nrecord_ref,pan\n";

fn options(oaep_hash: OaepHash) -> Options {
    Options { accepted: vec![EnvelopeKind::Mastercard], allow_plaintext: false, oaep_hash, line_bytes_max: 8 << 20 }
}

/// A sender that can write everything in every way.
struct Hand {
    hash: MessageDigest,
    key_bytes: usize,
    encode: fn(&[u8]) -> String,
    iv: [u8; 16],
}

fn unhexed(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

fn hex_of(bytes: &[u8]) -> String {
    crate::model::hex(bytes)
}

impl Hand {
    fn new() -> Self {
        Self { hash: MessageDigest::sha256(), key_bytes: 16, encode: hex_of, iv: [7; 16] }
    }

    /// Encrypted key, and sealed text.
    fn parts(&self, key: &TestKey, text: &[u8]) -> (String, String) {
        let cek: Vec<u8> = (1..).take(self.key_bytes).collect();
        let cipher = match self.key_bytes {
            16 => Cipher::aes_128_cbc(),
            24 => Cipher::aes_192_cbc(),
            _ => Cipher::aes_256_cbc(),
        };
        let sealed = encrypt(cipher, &cek, Some(&self.iv), text).unwrap();
        ((self.encode)(&wrap(key, &cek, self.hash)), (self.encode)(&sealed))
    }

    fn object(&self, key: &TestKey, text: &[u8], more: &str) -> String {
        let (wrapped, sealed) = self.parts(key, text);
        let iv = (self.encode)(&self.iv);
        format!(r#"{{"encryptedData":"{sealed}","encryptedKey":"{wrapped}","iv":"{iv}"{more}}}"#)
    }
}

fn wrap(key: &TestKey, cek: &[u8], hash: MessageDigest) -> Vec<u8> {
    let public = PKey::public_key_from_pem(&key.public_pem()).unwrap();
    let mut encrypter = Encrypter::new(&public).unwrap();
    encrypter.set_rsa_padding(Padding::PKCS1_OAEP).unwrap();
    encrypter.set_rsa_oaep_md(hash).unwrap();
    encrypter.set_rsa_mgf1_md(hash).unwrap();
    let mut wrapped = vec![0; 256];
    let length = encrypter.encrypt(cek, &mut wrapped).unwrap();
    wrapped.truncate(length);
    wrapped
}

fn opened(text: &str, hash: OaepHash, ring: &Keyring) -> Result<Opened, OpenError> {
    open(file(text.as_bytes()), &options(hash), ring)
}

fn text_of(text: &str, hash: OaepHash, ring: &Keyring) -> Result<Vec<u8>, OpenError> {
    drain(&opened(text, hash, ring)?, 1000)
}

fn refused(text: &str, ring: &Keyring) -> Refusal {
    match text_of(text, OaepHash::Sha256, ring) {
        Err(OpenError::Refused(refusal)) => refused_early_or_not(refusal),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("opened: {text:.200}"),
    }
}

fn refused_early_or_not(refusal: Refusal) -> Refusal {
    assert_eq!((refusal.line, refusal.sensitive), (None, false));
    refusal
}

fn uniform() -> Refusal {
    crypto_error()
}

#[test]
fn every_spelling_opens() {
    let ring = keyring(&[&P256, &RSA, &RSA_OTHER]);
    let base64 = |bytes: &[u8]| openssl::base64::encode_block(bytes);
    let encodings: [fn(&[u8]) -> String; 5] = [
        hex_of,
        |bytes| hex_of(bytes).to_uppercase(),
        base64,
        |bytes| super::encode(bytes),
        |bytes| {
            openssl::base64::encode_block(bytes).replace('/', "\\/").replace('=', "\\u003d").replace('+', "\\u002B")
        },
    ];
    for encode in encodings {
        for key_bytes in [16, 24, 32] {
            for (hash, digest) in
                [(OaepHash::Sha256, MessageDigest::sha256()), (OaepHash::Sha512, MessageDigest::sha512())]
            {
                let hand = Hand { hash: digest, key_bytes, encode, ..Hand::new() };
                let object = hand.object(&RSA, TEXT, "");
                let opened = opened(&object, hash, &ring).ok().unwrap();
                assert_eq!(drain(&opened, 7).ok().unwrap(), TEXT, "{object}");
                assert_eq!(drain(&opened, 1 << 20).ok().unwrap(), TEXT, "read twice");
                assert_eq!(opened.envelope(), EnvelopeKind::Mastercard);
                assert_eq!((opened.key_id(), opened.named_key_id(), opened.proves()), (Some("rsa-1"), None, false));
            }
        }
    }
}

#[test]
fn members_stand_in_any_order_under_any_of_their_names() {
    let ring = keyring(&[&RSA, &RSA_OTHER]);
    let (key, data) = Hand::new().parts(&RSA_OTHER, TEXT);
    let iv = hex_of(&[7; 16]);
    let fingerprint = RSA_OTHER.private().fingerprint().to_uppercase();
    let hash = openssl::sha::sha256(&RSA_OTHER.pkey.public_key_to_der().unwrap());
    let in_base64 = format!(r#","publicKeyFingerprint":"{}""#, openssl::base64::encode_block(&hash));
    let object = Hand::new().object(&RSA_OTHER, TEXT, &in_base64);
    assert_eq!(opened(&object, OaepHash::Sha256, &ring).ok().unwrap().named_key_id(), Some("rsa-2"));
    for data_name in ["encryptedData", "encryptedValue"] {
        for hash in ["oaepHashingAlgorithm", "oaepPaddingDigestAlgorithm"] {
            for word in ["\"SHA256\"", "\"SHA-256\"", "null"] {
                for name in ["publicKeyFingerprint", "encryptionKeyFingerprint", "keyFingerprint"] {
                    let members = [
                        format!(r#""{data_name}":"{data}""#),
                        format!(r#" "{hash}" : {word} "#),
                        format!(r#""encryptedKey":"{key}""#),
                        format!(r#""{name}":"{fingerprint}""#),
                        format!(r#""iv":"{iv}""#),
                        r#""requestId":"1","n":3"#.to_owned(),
                    ];
                    for turn in 0..members.len() {
                        let mut members = members.to_vec();
                        members.rotate_left(turn);
                        let object = format!("{{{}}}\r\n", members.join(",\n  "));
                        let opened = opened(&object, OaepHash::Sha256, &ring).ok().unwrap();
                        assert_eq!(drain(&opened, 9).ok().unwrap(), TEXT, "{object}");
                        assert_eq!(opened.named_key_id(), Some("rsa-2"), "{object}");
                    }
                }
            }
        }
    }
}

#[test]
fn only_the_feeds_own_hash_is_taken() {
    let ring = keyring(&[&RSA]);
    for name in ["oaepHashingAlgorithm", "oaepPaddingDigestAlgorithm"] {
        for word in ["\"SHA512\"", "\"SHA-512\"", "\"SHA1\"", "\"\"", "1"] {
            let object = Hand::new().object(&RSA, TEXT, &format!(r#","{name}":{word}"#));
            assert_eq!(refused(&object, &ring).code, Code::AlgorithmRefused, "{word}");
        }
    }
    // Sealed with another than the feed's, and not saying so.
    let object = Hand { hash: MessageDigest::sha512(), ..Hand::new() }.object(&RSA, TEXT, "");
    assert_eq!(refused(&object, &ring), uniform());
    let object = Hand { hash: MessageDigest::sha1(), ..Hand::new() }.object(&RSA, TEXT, "");
    assert_eq!(refused(&object, &ring), uniform());
    let said =
        Hand { hash: MessageDigest::sha512(), ..Hand::new() }.object(&RSA, TEXT, r#","oaepHashingAlgorithm":"SHA512""#);
    assert_eq!(text_of(&said, OaepHash::Sha512, &ring).ok().unwrap(), TEXT);
}

/// A certificate for a key, signed by itself.
fn certificate(key: &TestKey) -> X509 {
    let mut builder = X509Builder::new().unwrap();
    builder.set_pubkey(&key.pkey).unwrap();
    builder.set_not_before(&openssl::asn1::Asn1Time::days_from_now(0).unwrap()).unwrap();
    builder.set_not_after(&openssl::asn1::Asn1Time::days_from_now(9).unwrap()).unwrap();
    builder.sign(&key.pkey, MessageDigest::sha256()).unwrap();
    builder.build()
}

#[test]
fn a_certificates_fingerprint_names_the_key_beside_it_and_no_other_keeps_a_file_out() {
    let certificate = certificate(&RSA_OTHER);
    let fingerprint = hex_of(&openssl::sha::sha256(&certificate.to_der().unwrap()));
    let named = format!(r#","encryptionCertificateFingerprint":"{fingerprint}""#);
    let object = Hand::new().object(&RSA_OTHER, TEXT, &named);

    let pem = [RSA_OTHER.pem(), certificate.to_pem().unwrap()].concat();
    let beside = PrivateKey::parse(&pem).ok().unwrap();
    let own = beside.fingerprint().to_owned();
    let ring = Keyring::new(vec![RSA.private(), beside]).ok().unwrap();
    let opened_by = opened(&object, OaepHash::Sha256, &ring).ok().unwrap();
    assert_eq!(drain(&opened_by, 99).ok().unwrap(), TEXT);
    assert_eq!(opened_by.named_key_id(), Some(own.as_str()));

    // Without the certificate nobody can know whose it is.
    let ring = keyring(&[&RSA, &P256, &RSA_OTHER]);
    let opened_by = opened(&object, OaepHash::Sha256, &ring).ok().unwrap();
    assert_eq!(drain(&opened_by, 99).ok().unwrap(), TEXT);
    assert_eq!((opened_by.named_key_id(), opened_by.key_id()), (None, Some("rsa-2")));

    // A certificate of another key is no certificate of this one.
    let mixed = [RSA.pem(), certificate.to_pem().unwrap()].concat();
    assert!(matches!(PrivateKey::parse(&mixed).err().unwrap(), KeyError::Inconsistent));
}

#[test]
fn what_an_object_must_have_and_must_not_have_is_told() {
    let ring = keyring(&[&RSA]);
    let object = Hand::new().object(&RSA, TEXT, "");
    for (from, to) in [
        ("\"encryptedData\"", "\"data\""),
        ("\"encryptedKey\"", "\"key\""),
        ("\"iv\"", "\"nonce\""),
        ("\"iv\"", "\"encryptedValue\""),
        ("\"iv\":", "\"iv\":\"00\",\"iv\":"),
        ("\"iv\":", "\"x\":{},\"iv\":"),
        ("\"iv\":", "\"x\":[],\"iv\":"),
        ("}", "} {\"header\":1}"),
        ("}", "}x"),
    ] {
        let refusal = refused(&object.replacen(from, to, 1), &ring);
        assert_eq!((refusal.code, refusal.ends_early), (Code::EnvelopeRefused, false), "{from} -> {to}");
    }
    for (name, value) in [("encryptedData", "null"), ("encryptedKey", "3"), ("iv", "true")] {
        let object = r#"{"encryptedData":"00","encryptedKey":"00","iv":"00"}"#;
        let object = object.replacen(&format!(r#""{name}":"00""#), &format!(r#""{name}":{value}"#), 1);
        assert_eq!(refused(&object, &ring).code, Code::EnvelopeRefused, "{object}");
    }
    // A feed of elliptic curves alone opens none of these.
    assert_eq!(refused(&object, &keyring(&[&P256])).code, Code::KeyUnknown);
}

#[test]
fn other_feeds_take_no_sealed_object_and_this_one_nothing_else() {
    let ring = keyring(&[&RSA]);
    let object = Hand::new().object(&RSA, TEXT, "");
    let plain = Options {
        accepted: vec![EnvelopeKind::None],
        allow_plaintext: true,
        oaep_hash: OaepHash::Sha256,
        line_bytes_max: 8 << 20,
    };
    for options in [&plain, &jwe_only()] {
        match open(file(object.as_bytes()), options, &ring).err().unwrap() {
            OpenError::Refused(refusal) => assert_eq!(refusal.code, Code::EnvelopeRefused),
            other => panic!("{other}"),
        }
    }
    let token = josekit_token("RSA-OAEP-256", "A256GCM", &[], &RSA, TEXT);
    for other in ["HDR,1,ACME\n", "{\"header\":{}}\n", &token, "[1]"] {
        assert_eq!(refused(other, &ring).code, Code::EnvelopeRefused, "{other}");
    }
    // One that takes more than one tells them apart.
    let any = Options { accepted: vec![EnvelopeKind::None, EnvelopeKind::Jwe, EnvelopeKind::Mastercard], ..plain };
    for (text, kind) in [
        (object.as_str(), EnvelopeKind::Mastercard),
        (token.as_str(), EnvelopeKind::Jwe),
        ("{\"header\":{}}\n", EnvelopeKind::None),
        ("HDR,1\n", EnvelopeKind::None),
    ] {
        assert_eq!(open(file(text.as_bytes()), &any, &ring).ok().unwrap().envelope(), kind);
    }
}

#[test]
fn every_failure_that_damage_can_make_looks_the_same() {
    let ring = keyring(&[&RSA]);
    let hand = Hand::new();
    let (key, data) = hand.parts(&RSA, TEXT);
    let iv = hex_of(&[7; 16]);
    let object =
        |data: &str, key: &str, iv: &str| format!(r#"{{"encryptedData":"{data}","encryptedKey":"{key}","iv":"{iv}"}}"#);
    assert_eq!(text_of(&object(&data, &key, &iv), OaepHash::Sha256, &ring).ok().unwrap(), TEXT);

    let short_cek = hex_of(&wrap(&RSA, &[1; 15], MessageDigest::sha256()));
    let another = hex_of(&wrap(&RSA_OTHER, &[1; 16], MessageDigest::sha256()));
    for (data, key, iv) in [
        (&*data, &*another, &*iv),
        (&data, &short_cek, &iv),
        (&data, &key[2..], &iv),
        (&data, "", &iv),
        (&data, "not hex, nor base64", &iv),
        (&data, "\\n", &iv),
        (&data, &key, ""),
        (&data, &key, &iv[2..]),
        (&data, &key, "zz"),
        ("", &key, &iv),
        (&data[2..], &key, &iv),
        (&data[..data.len() - 2], &key, &iv),
        (&data[1..], &key, &iv),
        (&data[..data.len() - 32], &key, &iv),
        (&format!("{data}\\u0000"), &key, &iv),
        (&data.replacen('0', "!", 1), &key, &iv),
        (&data.replacen('0', "g", 1), &key, &iv),
    ] {
        let object = object(data, key, iv);
        assert_eq!(refused(&object, &ring), uniform(), "{object}");
        // However it fails, it looks the same before it is read to its end, too.
        let opened = opened(&object, OaepHash::Sha256, &ring).ok().unwrap();
        assert_eq!((opened.envelope(), opened.named_key_id()), (EnvelopeKind::Mastercard, None), "{object}");
    }
}

#[test]
fn every_cut_is_one_refusal_and_may_be_an_upload_that_pauses() {
    let ring = keyring(&[&RSA]);
    let fingerprint = RSA.private().fingerprint().to_owned();
    let object = Hand::new().object(&RSA, TEXT, &format!(r#","publicKeyFingerprint":"{fingerprint}""#));
    for length in 1..object.len() {
        assert_eq!(refused(&object[..length], &ring), uniform().early(), "{length} bytes");
    }
}

#[test]
fn every_flip_in_a_value_gives_the_one_refusal_or_another_text() {
    let ring = keyring(&[&RSA]);
    for encode in [hex_of as fn(&[u8]) -> String, |bytes| openssl::base64::encode_block(bytes)] {
        let object = Hand { encode, ..Hand::new() }.object(&RSA, TEXT, "");
        let (mut others, mut refusals) = (0, 0);
        let places = ["encryptedData", "encryptedKey", "iv"].map(|name| {
            let start = object.find(&format!("\"{name}\":\"")).unwrap() + name.len() + 4;
            start..start + object[start..].find('"').unwrap()
        });
        for at in places.into_iter().flatten() {
            let mut bytes = object.clone().into_bytes();
            bytes[at] ^= 1 << (at % 7);
            // One that ends the string there changes the form, for all to see.
            if matches!(bytes[at], b'"' | b'\\') {
                continue;
            }
            let text = String::from_utf8(bytes).unwrap();
            match text_of(&text, OaepHash::Sha256, &ring) {
                Err(OpenError::Refused(refusal)) => {
                    assert_eq!(refusal, uniform(), "byte {at}");
                    refusals += 1;
                }
                Err(other) => panic!("{other}"),
                // Letters in another case are the same value; blocks may come out changed, with a padding that is one.
                Ok(_) => others += 1,
            }
        }
        assert!(refusals > 200, "{refusals} refused, {others} opened to something");
    }
}

#[test]
fn a_long_value_streams_whatever_its_length() {
    let ring = keyring(&[&RSA]);
    let text: Vec<u8> = (0..700_001_u32).map(|n| (n % 251) as u8).collect();
    for length in [0, 1, 15, 16, 17, 131_071, 131_072, 196_608, 262_144, 393_216, 700_001] {
        for encode in [
            hex_of as fn(&[u8]) -> String,
            |bytes| super::encode(bytes),
            |bytes| openssl::base64::encode_block(bytes).replace('/', "\\/").replace('=', "\\u003d"),
        ] {
            let object = Hand { encode, ..Hand::new() }.object(&RSA, &text[..length], "");
            assert_eq!(text_of(&object, OaepHash::Sha256, &ring).ok().unwrap(), &text[..length], "{length}");
        }
    }
}

/// Lines as a sender would seal them, each by itself.
fn sealed_lines(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| Hand::new().object(&RSA, text.as_bytes(), "")).collect()
}

const HEADER: &str = r#"{"header":{"version":1}}"#;
const TRAILER: &str = r#"{"trailer":{"records":2}}"#;

#[test]
fn lines_open_one_by_one_between_control_records_in_clear_or_sealed() {
    let ring = keyring(&[&RSA_OTHER, &RSA]);
    let records = sealed_lines(&[r#"{"a":1}"#, "{\"b\":\r\n 2}\n"]);
    let controls = sealed_lines(&[HEADER, TRAILER]);
    let expected = format!("{HEADER}\n{{\"a\":1}}\n{{\"b\":   2}}\n{TRAILER}\n");
    for (header, trailer) in
        [(HEADER, TRAILER), (&controls[0], &controls[1]), (HEADER, &controls[1]), (&controls[0], TRAILER)]
    {
        for end in ["\n", "\r\n"] {
            let text = format!("{header}{end}{}{end}{}{end}{trailer}{end}", records[0], records[1]);
            let opened = opened(&text, OaepHash::Sha256, &ring).ok().unwrap();
            assert!(opened.is_of_lines() && !opened.proves());
            assert_eq!((opened.envelope(), opened.key_id()), (EnvelopeKind::Mastercard, Some("rsa-1")));
            for step in [1, 7, 1 << 16] {
                let plain = String::from_utf8(drain(&opened, step).ok().unwrap()).unwrap();
                // Lines in clear stay as they are.
                assert_eq!(plain.replace("\r\n", "\n"), expected, "{step}");
            }
        }
    }
    // The last line's end may be missing; one line alone is a file that is sealed whole.
    let text = format!("{HEADER}\n{}", records[0]);
    assert_eq!(text_of(&text, OaepHash::Sha256, &ring).ok().unwrap(), format!("{HEADER}\n{{\"a\":1}}\n").as_bytes());
    assert!(!opened(&records[1], OaepHash::Sha256, &ring).ok().unwrap().is_of_lines());
    assert_eq!(text_of(&records[1], OaepHash::Sha256, &ring).ok().unwrap(), b"{\"b\":\r\n 2}\n");
}

#[test]
fn a_line_that_does_not_open_fails_the_file_and_is_not_told() {
    let ring = keyring(&[&RSA]);
    let good = sealed_lines(&[r#"{"a":1}"#])[0].clone();
    let damaged = good.replacen("\"encryptedData\":\"", "\"encryptedData\":\"0", 1);
    let other = Hand::new().object(&RSA_OTHER, b"{}", "");
    let hash = Hand::new().object(&RSA, b"{}", r#","oaepHashingAlgorithm":"SHA512""#);
    let nested = good.replacen('{', "{\"x\":[],", 1);
    let two = format!("{good}{good}");
    for bad in [&*damaged, &other, &hash, &nested, &two, r#"{"a":1}"#, "HDR,1", &good[..good.len() - 1], &good[1..]] {
        for text in [
            format!("{HEADER}\n{good}\n{bad}\n{TRAILER}\n"),
            format!("{good}\n{bad}"),
            format!("{good}\n{bad}\n{good}\n"),
            format!("{good}\n{}", format!("{bad}\n").repeat(50)),
        ] {
            assert_eq!(refused(&text, &ring), uniform(), "{bad}");
        }
    }
}

#[test]
fn a_file_of_bad_lines_costs_no_more_than_a_few() {
    let ring = keyring(&[&RSA]);
    let lines = sealed_lines(&[r#"{"a":1}"#]);
    let bad = Hand::new().object(&RSA_OTHER, b"{}", "") + "\n";
    let text = format!("{}\n{}", lines[0], bad.repeat(2000));
    let opened = opened(&text, OaepHash::Sha256, &ring).ok().unwrap();
    let mut plaintext = opened.plaintext().ok().unwrap();
    let mut buffer = [0; 100];
    let mut reads = 0;
    while plaintext.read(&mut buffer).is_ok_and(|read| read > 0) {
        reads += 1;
    }
    assert_eq!(reads, 1, "the good line alone");
    let crate::open::Source::Lines(lines) = &plaintext.0 else { panic!("no lines") };
    assert!(lines.read_bytes() < 200 << 10, "{} bytes read of {}", lines.read_bytes(), text.len());
}

#[test]
fn lines_are_bounded() {
    let ring = keyring(&[&RSA]);
    let short = |bytes| Options { line_bytes_max: bytes, ..options(OaepHash::Sha256) };
    let lines = sealed_lines(&[r#"{"a":1}"#, &format!("{{\"b\":\"{}\"}}", "x".repeat(200_000))]).join("\n");
    let read = |options: &Options| drain(&open(file(lines.as_bytes()), options, &ring).ok().unwrap(), 1000);
    assert_eq!(read(&short(1 << 20)).ok().unwrap().len(), 200_017);
    assert!(matches!(read(&short(100_000)), Err(OpenError::Refused(refusal)) if refusal == uniform()));
}

#[test]
fn what_is_sealed_here_opens_by_hand_and_here() {
    for (hash, digest) in [(OaepHash::Sha256, MessageDigest::sha256()), (OaepHash::Sha512, MessageDigest::sha512())] {
        for length in [0, 1, 15, 16, 65_535, 65_536, 200_000] {
            let text: Vec<u8> = (0..length).map(|n: u32| (n % 251) as u8).collect();
            let mut sealer = PayloadSealer::new(&RSA.recipient(), hash, Vec::new()).unwrap();
            sealer.write_all(&text).unwrap();
            let object = String::from_utf8(sealer.finish().unwrap()).unwrap();
            let ring = keyring(&[&RSA_OTHER, &RSA]);
            assert_eq!(text_of(&object, hash, &ring).ok().unwrap(), text);

            let members: std::collections::BTreeMap<String, String> = serde_json::from_str(&object).unwrap();
            let bytes = |name: &str| unhexed(&members[name]);
            let mut decrypter = openssl::encrypt::Decrypter::new(&RSA.pkey).unwrap();
            decrypter.set_rsa_padding(Padding::PKCS1_OAEP).unwrap();
            decrypter.set_rsa_oaep_md(digest).unwrap();
            decrypter.set_rsa_mgf1_md(digest).unwrap();
            let mut cek = vec![0; 256];
            let cek_bytes = decrypter.decrypt(&bytes("encryptedKey"), &mut cek).unwrap();
            let cipher = Cipher::aes_128_cbc();
            let plain = openssl::symm::decrypt(cipher, &cek[..cek_bytes], Some(&bytes("iv")), &bytes("encryptedData"));
            assert_eq!(plain.unwrap(), text);
            let own = RSA.private();
            assert_eq!(
                (&*members["publicKeyFingerprint"], &*members["oaepHashingAlgorithm"]),
                (own.fingerprint(), hash.as_str())
            );
        }
    }
    assert!(PayloadSealer::new(&P256.recipient(), OaepHash::Sha256, Vec::new()).is_err());
}
