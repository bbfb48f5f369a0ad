use super::*;
use crate::model::Retry;

fn both() -> Options {
    Options {
        accepted: vec![EnvelopeKind::Jwe, EnvelopeKind::None],
        allow_plaintext: true,
        oaep_hash: OaepHash::Sha256,
        line_bytes_max: 8 << 20,
    }
}

fn refused(bytes: &[u8], options: &Options) -> Refusal {
    match open(file(bytes), options, &keyring(&[&P256])) {
        Ok(_) => panic!("opened"),
        Err(OpenError::Refused(refusal)) => refusal,
        Err(other) => panic!("{other}"),
    }
}

const PLAIN: [&[u8]; 7] = [
    b"HDR,1,ACME,payment-cards,20261120,1,2026-11-20T01:30:00Z,TEST\n",
    b"\xef\xbb\xbfHDR,1,ACME\n",
    b"record_ref,pan\n",
    b"eyJpZA,eyJwYW4\n1,2\n",
    b"{\"header\":{\"version\":1}}\n",
    b"[{\"id\":\"1.2.3\"}]",
    b"pan\n2303770003322342\n",
];

#[test]
fn plain_text_opens_only_where_it_is_accepted_and_allowed() {
    let none = |allow_plaintext| Options {
        accepted: vec![EnvelopeKind::None],
        allow_plaintext,
        oaep_hash: OaepHash::Sha256,
        line_bytes_max: 8 << 20,
    };
    for text in PLAIN {
        for options in [both(), none(true)] {
            let opened = open(file(text), &options, &keyring(&[])).ok().unwrap();
            assert_eq!((opened.envelope(), opened.key_id()), (EnvelopeKind::None, None));
            assert_eq!(drain(&opened, 5).unwrap(), text);
            assert_eq!(drain(&opened, 500).unwrap(), text);
        }
        let forbidden = Options { allow_plaintext: false, ..both() };
        let not_accepted = Options { allow_plaintext: true, ..jwe_only() };
        for options in [jwe_only(), forbidden, not_accepted, none(false)] {
            let refusal = refused(text, &options);
            assert_eq!((refusal.code, refusal.ends_early), (Code::EnvelopeRefused, false));
            assert!(refusal.description.contains("lain text is not accepted"), "{}", refusal.description);
        }
    }
}

#[test]
fn content_decides_where_both_are_accepted() {
    let token = josekit_token("ECDH-ES", "A256GCM", &[], &P256, b"HDR,1");
    let opened = open(file(token.as_bytes()), &both(), &keyring(&[&P256])).ok().unwrap();
    assert_eq!(opened.envelope(), EnvelopeKind::Jwe);
    assert_eq!(drain(&opened, 100).unwrap(), b"HDR,1");
    // A header may have blanks, or be as long as it likes to be refused for.
    for start in ["{ ", "{\n", " \r\n{\"", "{}"] {
        assert!(token::looks_sealed(encode(format!("{start:8}").as_bytes()).as_bytes()), "{start:?}");
    }
    assert!(token::looks_sealed(&[b"eyJ".as_slice(), &[b'A'; token::HEAD_BYTES - 3]].concat()));
    // A damaged token is not plain text where plain text is not accepted.
    for first in ["E", "a", "%", "\u{feff}e", " e"] {
        let refusal = refused(format!("{first}{}", &token[1..]).as_bytes(), &jwe_only());
        assert_eq!((refusal.code, refusal.ends_early), (Code::EnvelopeRefused, false), "{first}");
    }
}

#[test]
fn a_sealed_file_is_refused_by_a_feed_of_plain_text() {
    let token = josekit_token("ECDH-ES", "A256GCM", &[], &P256, b"HDR,1");
    let options = Options {
        accepted: vec![EnvelopeKind::None],
        allow_plaintext: true,
        oaep_hash: OaepHash::Sha256,
        line_bytes_max: 8 << 20,
    };
    assert_eq!(refused(token.as_bytes(), &options).code, Code::EnvelopeRefused);
}

#[test]
fn no_bytes_is_an_empty_file_that_ends_early() {
    for options in [both(), jwe_only()] {
        let refusal = refused(b"", &options);
        assert_eq!((refusal.code, refusal.ends_early), (Code::FileEmpty, true));
    }
}

#[test]
fn no_plaintext_bytes_are_the_callers_to_refuse() {
    for enc in ["A256GCM", "A128CBC-HS256"] {
        let token = josekit_token("ECDH-ES", enc, &[], &P256, b"");
        assert_eq!(read_all(token.as_bytes(), &keyring(&[&P256])).unwrap(), b"");
    }
}

#[test]
fn every_cut_of_a_token_ends_early_and_is_refused() {
    let ring = keyring(&[&P256]);
    for enc in ["A256GCM", "A256CBC-HS512"] {
        let token = josekit_token("ECDH-ES", enc, &[("kid", "p256-1")], &P256, b"HDR,1,ACME and so on and on");
        for length in 0..token.len() {
            let refusal = refusal(&token.as_bytes()[..length], &ring);
            let code = if length == 0 { Code::FileEmpty } else { Code::EnvelopeRefused };
            assert_eq!((refusal.code, refusal.ends_early), (code, true), "{enc} cut to {length} of {}", token.len());
        }
        // Long enough that head and tail do not meet.
        let token = josekit_token("ECDH-ES", enc, &[], &P256, &[b'x'; 20_000]);
        for length in [8000, 8192, 8193, 20_000, token.len() - 45, token.len() - 1] {
            let refusal = refusal(&token.as_bytes()[..length], &ring);
            assert_eq!((refusal.code, refusal.ends_early), (Code::EnvelopeRefused, true), "{enc} cut to {length}");
        }
    }
}

#[test]
fn a_file_that_shrinks_underneath_is_a_broken_world_not_a_bad_file() {
    let token = josekit_token("ECDH-ES", "A256GCM", &[], &P256, &[b'x'; 1 << 20]);
    for (bytes, options) in [(token.as_bytes(), jwe_only()), (&[b','; 1 << 20][..], both())] {
        let file = file(bytes);
        let opened = open(file.try_clone().unwrap(), &options, &keyring(&[&P256])).ok().unwrap();
        file.set_len(100_000).unwrap();
        let error = drain(&opened, 200_000).err().unwrap();
        assert_eq!(error.retry(), Retry::Later, "{error}");
    }
}
