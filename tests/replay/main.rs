//! The corpus of each target, played through it: what once was hard to read stays read rightly.
//!
//! A finding of a fuzzer becomes a file in the target's folder.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may stop where it stands")]

mod targets;

use std::fs;
use std::panic::catch_unwind;
use std::path::Path;

/// A file alone, then cut short at each of some places, and each of some bytes changed: neighbours of what is kept.
fn neighbours(bytes: &[u8]) -> Vec<Vec<u8>> {
    let step = bytes.len() / 64 + 1;
    let mut all = vec![bytes.to_vec()];
    for at in (0..bytes.len()).step_by(step) {
        all.push(bytes[..at].to_vec());
        for other in [b'"', b'\n', b'0', 0xff] {
            let mut changed = bytes.to_vec();
            changed[at] = other;
            all.push(changed);
        }
    }
    all
}

#[test]
fn every_kept_input_holds() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/replay/corpus");
    for (name, target) in targets::TARGETS {
        let mut paths: Vec<_> = fs::read_dir(corpus.join(name)).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        assert!(paths.len() >= 4, "the corpus of {name} is gone");
        for path in paths {
            for (n, bytes) in neighbours(&fs::read(&path).unwrap()).into_iter().enumerate() {
                assert!(catch_unwind(|| target(&bytes)).is_ok(), "{name}: {}, neighbour {n}", path.display());
            }
        }
    }
}

#[test]
fn what_the_templates_stand_for_opens() {
    use nightdrop::model::EnvelopeKind::{Jwe, Mastercard};
    for good in ["@H.@K.@I.@C.@T", "@h.@k.@i.@c.@t", "@h..@i.@c.@t\r\n"] {
        assert!(targets::sealed::opens(good.as_bytes(), Jwe), "{good}");
    }
    for bad in ["@H.@K.@I.@C.@t", "@H.@K.@i.@C.@T", "@H.@K.@I.@C.@T.", "@h.@K.@i.@c.@t"] {
        assert!(!targets::sealed::opens(bad.as_bytes(), Jwe), "{bad}");
    }
    let object = r#"{"encryptedData":"@1","encryptedKey":"@2","iv":"@3"}"#;
    assert!(targets::sealed::opens(object.as_bytes(), Mastercard));
    assert!(!targets::sealed::opens(object.replace("@2", "@1").as_bytes(), Mastercard));
}
