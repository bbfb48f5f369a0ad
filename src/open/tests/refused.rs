use super::*;
use crate::model::Retry;

fn token() -> String {
    josekit_token("RSA-OAEP-256", "A256GCM", &[], &RSA, b"HDR,1,ACME")
}

/// A token of this header; the other segments have fitting lengths for RSA and GCM.
fn with_header(header: &str) -> String {
    let parts = segments(&token());
    [encode(header.as_bytes()), parts[1].clone(), parts[2].clone(), parts[3].clone(), parts[4].clone()].join(".")
}

fn code_of(token: &str) -> Code {
    static RING: LazyLock<Keyring> = LazyLock::new(|| keyring(&[&RSA, &P256, &P384]));
    let refusal = refusal(token.as_bytes(), &RING);
    assert!(!refusal.ends_early, "{}", refusal.description);
    refusal.code
}

#[test]
fn algorithms_off_the_list_are_refused_before_any_cryptography() {
    for alg in [
        "dir",
        "RSA1_5",
        "RSA-OAEP",
        "RSA-OAEP-384",
        "RSA-OAEP-512",
        "A128KW",
        "A192KW",
        "A256KW",
        "A128GCMKW",
        "A192GCMKW",
        "A256GCMKW",
        "ECDH-ES+A128KW",
        "ECDH-ES+A192KW",
        "PBES2-HS256+A128KW",
        "PBES2-HS512+A256KW",
        "none",
        "rsa-oaep-256",
        "",
        "HS256",
    ] {
        let header = format!(r#"{{"alg":"{alg}","enc":"A256GCM","p2c":1000000,"p2s":"AAAAAAAAAAA"}}"#);
        assert_eq!(code_of(&with_header(&header)), Code::AlgorithmRefused, "{alg}");
    }
    for enc in ["A192CBC-HS384", "A128CBC", "A256CBC", "XC20P", "none", ""] {
        let header = format!(r#"{{"alg":"RSA-OAEP-256","enc":"{enc}"}}"#);
        assert_eq!(code_of(&with_header(&header)), Code::AlgorithmRefused, "{enc}");
    }
    // Whole, well-made tokens too.
    for alg in ["RSA-OAEP", "RSA-OAEP-512"] {
        assert_eq!(code_of(&josekit_token(alg, "A256GCM", &[], &RSA, b"x")), Code::AlgorithmRefused);
    }
    assert_eq!(code_of(&josekit_token("ECDH-ES+A128KW", "A256GCM", &[], &P256, b"x")), Code::AlgorithmRefused);
    assert_eq!(code_of(&josekit_token("RSA-OAEP-256", "A192CBC-HS384", &[], &RSA, b"x")), Code::AlgorithmRefused);
}

#[test]
fn compression_and_extensions_are_refused() {
    assert_eq!(
        code_of(&josekit_token("RSA-OAEP-256", "A256GCM", &[("zip", "DEF")], &RSA, b"x")),
        Code::AlgorithmRefused
    );
    for extra in
        [r#""zip":"DEF""#, r#""zip":null"#, r#""crit":["exp"]"#, r#""crit":[]"#, r#""crit":"b64""#, r#""crit":0"#]
    {
        let header = format!(r#"{{"alg":"RSA-OAEP-256","enc":"A256GCM",{extra}}}"#);
        assert_eq!(code_of(&with_header(&header)), Code::AlgorithmRefused, "{extra}");
    }
}

#[test]
fn malformed_headers_are_refused() {
    let good = r#""alg":"RSA-OAEP-256","enc":"A256GCM""#;
    for header in [
        "{}".to_owned(),
        r#"{"alg":"RSA-OAEP-256"}"#.to_owned(),
        r#"{"enc":"A256GCM"}"#.to_owned(),
        r#"{"alg":["RSA-OAEP-256"],"enc":"A256GCM"}"#.to_owned(),
        format!("{{{good}"),
        format!("{{{good}}} x"),
        format!("{{{good},\"kid\":5}}"),
        format!("{{{good},\"kid\":null}}"),
        // Twice the same, also where it is spelled otherwise, unknown, or further in.
        format!("{{{good},\"alg\":\"RSA-OAEP-256\"}}"),
        format!("{{{good},\"\\u0061lg\":\"dir\"}}"),
        format!("{{{good},\"what\":1,\"what\":1}}"),
        format!("{{{good},\"what\":[{{\"a\":1,\"a\":2}}]}}"),
        format!("{{{good},\"deep\":{}{}}}", "[".repeat(200), "]".repeat(200)),
        format!("{{{good},\"long\":\"{}\"}}", "x".repeat(4096)),
    ] {
        assert_eq!(code_of(&with_header(&header)), Code::EnvelopeRefused, "{}", &header[..header.len().min(80)]);
    }
    let mut header = format!("{{{good},\"k\":\"").into_bytes();
    header.extend_from_slice(b"\xff\"}");
    let mut parts = segments(&token());
    parts[0] = encode(&header);
    assert_eq!(code_of(&parts.join(".")), Code::EnvelopeRefused);
}

#[test]
fn a_header_of_exactly_4_kib_opens() {
    let ring = keyring(&[&RSA]);
    let start = r#"{"alg":"RSA-OAEP-256","enc":"A256GCM","long":""#;
    for (length, opens) in [(4096, true), (4097, false)] {
        let header = format!("{start}{}\"}}", "x".repeat(length - start.len() - 2));
        let token = hand_token(&encode(header.as_bytes()), &[0; 12], b"HDR", &RSA);
        assert_eq!(read_all(token.as_bytes(), &ring).is_ok(), opens, "{length}");
        if !opens {
            assert_eq!(code_of(&token), Code::EnvelopeRefused);
        }
    }
}

#[test]
fn segments_of_the_wrong_number_or_length_are_refused() {
    let [header, key, iv, content, tag] = segments(&token());
    let (header, key, iv, content, tag) = (&*header, &*key, &*iv, &*content, &*tag);
    let nonce = |bytes: usize| encode(&vec![0; bytes]);
    for parts in [
        vec![header, key, iv, content, tag, ""],
        vec![header, key, iv, content, tag, tag],
        vec![header, key, iv, content, "", tag],
        vec!["", key, iv, content, tag],
        vec![header, "", iv, content, tag],
        vec![header, &"A".repeat(2000), iv, content, tag],
        vec![header, key, "", content, tag],
        vec![header, key, &nonce(1), content, tag],
        vec![header, key, &nonce(8), content, tag],
        vec![header, key, &nonce(11), content, tag],
        vec![header, key, &nonce(13), content, tag],
        vec![header, key, &nonce(15), content, tag],
        vec![header, key, &nonce(32), content, tag],
        vec![header, key, iv, content, &nonce(17)],
        vec![header, key, iv, content, &nonce(32)],
        vec![header, key, iv, content, &nonce(64)],
        vec![header, key, iv, &content[..1], tag],
        vec![header, key, iv, &format!("{content}\n"), tag],
        vec![header, key, iv, &format!("{content}===="), tag],
        vec![header, key, iv, content, &format!("{tag} ")],
        vec![header, key, iv, content, &format!("{tag}\n\0")],
    ] {
        assert_eq!(
            code_of(&parts.join(".")),
            Code::EnvelopeRefused,
            "{:?}",
            parts.iter().map(|it| it.len()).collect::<Vec<_>>()
        );
    }
    // Another modulus length is another key's; where the key is named it is a fault of the token.
    for bytes in [128, 255, 257, 384] {
        let key = &*encode(&vec![1; bytes]);
        assert_eq!(code_of(&[header, key, iv, content, tag].join(".")), Code::KeyUnknown);
        let named = encode(br#"{"alg":"RSA-OAEP-256","enc":"A256GCM","kid":"rsa-1"}"#);
        assert_eq!(code_of(&[&named, key, iv, content, tag].join(".")), Code::EnvelopeRefused);
    }
    // Tags of 1 to 15 bytes are what a cut file has: refused, and said so.
    let ring = keyring(&[&RSA]);
    for bytes in 0..16 {
        let refusal = refusal([header, key, iv, content, &nonce(bytes)].join(".").as_bytes(), &ring);
        assert_eq!((refusal.code, refusal.ends_early), (Code::EnvelopeRefused, true), "{bytes}");
    }
}

#[test]
fn cbc_needs_its_own_vector_and_half_the_mac() {
    let parts = segments(&josekit_token("RSA-OAEP-256", "A256CBC-HS512", &[], &RSA, b"HDR,1,ACME"));
    let [header, key, iv, content, tag] = parts.each_ref().map(String::as_str);
    let zeros = |bytes: usize| encode(&vec![0; bytes]);
    for parts in [
        vec![header, key, &zeros(12), content, tag],
        vec![header, key, &zeros(8), content, tag],
        vec![header, key, iv, content, &zeros(33)],
        vec![header, key, iv, content, &zeros(64)],
    ] {
        assert_eq!(code_of(&parts.join(".")), Code::EnvelopeRefused);
    }
    // Content of another length than blocks have is content that was changed.
    for content in ["", &zeros(15), &zeros(17)] {
        assert_eq!(code_of(&[header, key, iv, content, tag].join(".")), Code::CryptoError);
    }
    let ring = keyring(&[&RSA]);
    let refusal = refusal([header, key, iv, content, &zeros(16)].join(".").as_bytes(), &ring);
    assert_eq!((refusal.code, refusal.ends_early), (Code::EnvelopeRefused, true));
}

#[test]
fn a_mac_is_verified_before_anything_is_decrypted() {
    // The last block damaged: a reader that decrypts first would give the first blocks out.
    let token = josekit_token("RSA-OAEP-256", "A128CBC-HS256", &[], &RSA, &[b'x'; 1000]);
    let mut parts = segments(&token);
    let mut content = base64::decode(parts[3].as_bytes()).unwrap();
    for at in [0, content.len() - 17, content.len() - 1] {
        let good = content[at];
        content[at] ^= 1;
        parts[3] = encode(&content);
        let opened = open(file(parts.join(".").as_bytes()), &jwe_only(), &keyring(&[&RSA])).ok().unwrap();
        assert!(matches!(opened.plaintext(), Err(OpenError::Refused(refusal)) if refusal == crypto_error()));
        content[at] = good;
    }
}

#[test]
fn a_failed_stream_stays_failed() {
    let mut parts = segments(&token());
    parts[4] = encode(&[0; 16]);
    let opened = open(file(parts.join(".").as_bytes()), &jwe_only(), &keyring(&[&RSA])).ok().unwrap();
    let mut plaintext = opened.plaintext().ok().unwrap();
    let mut bytes = [0; 100];
    assert_eq!(plaintext.read(&mut bytes).unwrap(), 10, "released before the tag is checked");
    for _ in 0..3 {
        assert!(matches!(plaintext.read(&mut bytes), Err(OpenError::Refused(refusal)) if refusal == crypto_error()));
    }
}

#[test]
fn a_name_that_no_key_has_is_unknown() {
    for kid in ["nobody", "", "../rsa-1", "RSA-1", &"0".repeat(64)] {
        let token = josekit_token("RSA-OAEP-256", "A256GCM", &[("kid", kid)], &RSA, b"x");
        assert_eq!(code_of(&token), Code::KeyUnknown, "{kid}");
    }
    let token = token();
    assert_eq!(refusal(token.as_bytes(), &keyring(&[])).code, Code::KeyUnknown);
    assert_eq!(refusal(token.as_bytes(), &keyring(&[&P256])).code, Code::KeyUnknown);
    // `keyId` names a key too, and `kid` goes before it.
    let header = r#"{"alg":"RSA-OAEP-256","enc":"A256GCM","keyId":"nobody"}"#;
    assert_eq!(code_of(&with_header(header)), Code::KeyUnknown);
    let header = r#"{"alg":"RSA-OAEP-256","enc":"A256GCM","keyId":"nobody","kid":"rsa-1"}"#;
    assert_eq!(code_of(&hand_token(&encode(header.as_bytes()), &[0; 12], b"x", &RSA_OTHER)), Code::CryptoError);
}

#[test]
fn a_name_of_a_key_of_another_kind_is_refused() {
    for (alg, key, named) in [("RSA-OAEP-256", &*RSA, &*P256), ("ECDH-ES", &*P256, &*RSA), ("ECDH-ES", &*P256, &*P384)]
    {
        let token = josekit_token(alg, "A256GCM", &[("kid", named.kid)], key, b"x");
        assert_eq!(code_of(&token), Code::AlgorithmRefused, "{alg} {}", named.kid);
    }
}

#[test]
fn a_wrapped_key_of_the_wrong_length_never_reaches_the_unwrapping() {
    let parts = segments(&josekit_token("ECDH-ES+A256KW", "A256GCM", &[], &P256, b"x"));
    for bytes in [0, 1, 7, 8, 16, 24, 32, 39, 41, 48, 72] {
        let mut parts = parts.clone();
        parts[1] = encode(&vec![1; bytes]);
        assert_eq!(code_of(&parts.join(".")), Code::EnvelopeRefused, "{bytes}");
    }
    let mut parts = segments(&josekit_token("ECDH-ES", "A256GCM", &[], &P256, b"x"));
    parts[1] = encode(&[1; 40]);
    assert_eq!(code_of(&parts.join(".")), Code::EnvelopeRefused);
}

#[test]
fn ephemeral_keys_that_are_no_points_of_the_curve_are_refused() {
    let jwk = P256.jwk();
    let part = |name: &str| jwk.parameter(name).unwrap().as_str().unwrap().to_owned();
    let (x, y, d) = (part("x"), part("y"), part("d"));
    let zeros = encode(&[0; 32]);
    let longer = encode(&[&[0_u8][..], &base64::decode(x.as_bytes()).unwrap()].concat());
    let code = |epk: &str| {
        let header = format!(r#"{{"alg":"ECDH-ES","enc":"A256GCM","epk":{epk}}}"#);
        let mut parts = segments(&with_header(&header));
        parts[1] = String::new();
        code_of(&parts.join("."))
    };
    for (epk, expected) in [
        ("null".to_owned(), Code::EnvelopeRefused),
        ("{}".to_owned(), Code::EnvelopeRefused),
        (format!(r#"{{"kty":"EC","crv":"P-256","x":"{x}"}}"#), Code::EnvelopeRefused),
        (format!(r#"{{"kty":"EC","crv":"P-256","x":"{x}","y":5}}"#), Code::EnvelopeRefused),
        (format!(r#"{{"kty":"EC","crv":"P-256","x":"{x}","y":"{y}","d":"{d}"}}"#), Code::EnvelopeRefused),
        (format!(r#"{{"kty":"EC","crv":"P-256","x":"{y}","y":"{x}"}}"#), Code::EnvelopeRefused),
        (format!(r#"{{"kty":"EC","crv":"P-256","x":"{zeros}","y":"{zeros}"}}"#), Code::EnvelopeRefused),
        (format!(r#"{{"kty":"EC","crv":"P-256","x":"{longer}","y":"{y}"}}"#), Code::EnvelopeRefused),
        (r#"{"kty":"EC","crv":"P-256","x":"","y":""}"#.to_owned(), Code::EnvelopeRefused),
        (format!(r#"{{"kty":"EC","crv":"P-384","x":"{x}","y":"{y}"}}"#), Code::EnvelopeRefused),
        (format!(r#"{{"kty":"EC","crv":"P-521","x":"{x}","y":"{y}"}}"#), Code::AlgorithmRefused),
        (format!(r#"{{"kty":"OKP","crv":"X25519","x":"{x}"}}"#), Code::AlgorithmRefused),
        // A good point, but not what the content was sealed with.
        (format!(r#"{{"kty":"EC","crv":"P-256","x":"{x}","y":"{y}"}}"#), Code::CryptoError),
    ] {
        assert_eq!(code(&epk), expected, "{epk}");
    }
    let long = encode(&[0; 257]);
    for party in ["5", "\"*\"", "\"A\"", &format!("\"{long}\"")] {
        let epk = format!(r#"{{"kty":"EC","crv":"P-256","x":"{x}","y":"{y}"}},"apu":{party}"#);
        assert_eq!(code(&epk), Code::EnvelopeRefused, "{party}");
    }
}

#[test]
fn giant_rubbish_is_refused_from_head_and_tail_alone() {
    let ring = keyring(&[&RSA]);
    let big = 2 << 20;
    for bytes in
        [vec![b'.'; big], vec![b'A'; big], [b"eyJ".to_vec(), vec![b'A'; big]].concat(), vec![0; big], vec![b'\n'; big]]
    {
        let refusal = refusal(&bytes, &ring);
        assert_eq!((refusal.code, refusal.ends_early), (Code::EnvelopeRefused, false));
    }
    // A hole of 1 TiB between a good head and a good tail: it opens at once, and fails at the first block.
    let [header, key, iv, _, tag] = segments(&token());
    let file = file(format!("{header}.{key}.{iv}.").as_bytes());
    let head = file.metadata().unwrap().len();
    file.write_all_at(format!("{}.{tag}", "A".repeat(300)).as_bytes(), 1 << 40).unwrap();
    assert!(head < 1 << 20);
    let refused = match open(file, &jwe_only(), &ring).and_then(|opened| drain(&opened, 1000)) {
        Err(OpenError::Refused(refusal)) => refusal,
        _ => panic!("not refused"),
    };
    assert_eq!(refused.code, Code::EnvelopeRefused);
}

#[test]
fn a_sixth_segment_in_sight_is_refused_before_any_key_is_used() {
    // No key at all: had the gate let it through, it would be KEY_UNKNOWN.
    for token in [format!("{}.AAAA", token()), token().replacen('.', "..", 1)] {
        assert_eq!(refusal(token.as_bytes(), &keyring(&[])).code, Code::EnvelopeRefused);
    }
}

#[test]
fn a_dot_deep_in_the_content_is_refused_when_it_streams_by() {
    let token = josekit_token("RSA-OAEP-256", "A256GCM", &[], &RSA, &[b'x'; 1 << 20]);
    let mut bytes = token.into_bytes();
    bytes[700_000] = b'.';
    let opened = open(file(&bytes), &jwe_only(), &keyring(&[&RSA])).ok().unwrap();
    assert!(matches!(drain(&opened, 5000), Err(OpenError::Refused(refusal)) if refusal.code == Code::EnvelopeRefused));
}

#[test]
fn refusals_hold_nothing_of_the_file() {
    let pan = "2303770003322342";
    for header in [
        format!(r#"{{"alg":"{pan}","enc":"A256GCM"}}"#),
        format!(r#"{{"alg":"RSA-OAEP-256","enc":"{pan}"}}"#),
        format!(r#"{{"alg":"RSA-OAEP-256","enc":"A256GCM","kid":"{pan}"}}"#),
        format!(r#"{{"alg":"RSA-OAEP-256","enc":"A256GCM","kid":{pan}}}"#),
        format!(r#"{{"alg":"RSA-OAEP-256","enc":"A256GCM",{pan}"#),
    ] {
        let error = read_all(with_header(&header).as_bytes(), &keyring(&[&RSA])).err().unwrap();
        assert!(!format!("{error} {error:?}").contains(pan));
        assert_eq!(error.retry(), Retry::Never);
    }
}
