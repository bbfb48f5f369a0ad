//! Whatever does not decrypt fails alike: in what is said, and in how long it takes.

use std::hint::black_box;
use std::time::{Duration, Instant};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::forge::{ALGORITHMS, ENCRYPTIONS, Parts, undecryptable};
use super::*;

#[test]
fn every_failed_decryption_is_the_same_refusal_whatever_failed() {
    let ring = keyring(&[&RSA, &P256]);
    for (alg, key, _) in ALGORITHMS {
        for enc in ENCRYPTIONS {
            for named in [false, true] {
                let good = Parts::new(alg, enc, named.then_some(key.kid), key, &[b'x'; 40]);
                assert_eq!(read_all(good.token().as_bytes(), &ring).unwrap(), [b'x'; 40], "{alg} {enc:?}");
                for (what, token) in undecryptable(alg, enc, named, 40) {
                    assert_eq!(refusal(token.as_bytes(), &ring), crypto_error(), "{alg} {enc:?}: {what}");
                    // An ack that names the key where the sender did not would tell whether the wrapped key is right.
                    let opened = open(file(token.as_bytes()), &jwe_only(), &ring).ok().unwrap();
                    assert_eq!(opened.named_key_id(), named.then_some(key.kid), "{alg} {enc:?}: {what}");
                }
            }
        }
    }
}

#[test]
fn the_key_is_told_of_what_opens_though_the_sender_named_none() {
    let ring = keyring(&[&RSA, &P256]);
    for (alg, key, _) in ALGORITHMS {
        let token = Parts::new(alg, ENCRYPTIONS[2], None, key, b"x").token();
        let opened = open(file(token.as_bytes()), &jwe_only(), &ring).ok().unwrap();
        assert_eq!((opened.key_id(), opened.named_key_id()), (Some(key.kid), None), "{alg}");
    }
}

/// How far medians may lie apart: 5 µs, or a hundredth.
fn too_far_apart(least: Duration, most: Duration) -> bool {
    most - least > Duration::from_micros(5).max(least / 100)
}

#[expect(clippy::disallowed_methods, reason = "what is measured is time")]
fn now() -> Instant {
    Instant::now()
}

/// The median time of each of these calls. Each round has an order of its own, so that whatever else the machine does, and
/// whatever a call leaves in its caches, meets all of them.
fn medians(rounds: usize, calls: &mut [Box<dyn FnMut() + '_>]) -> Vec<Duration> {
    let mut took = vec![Vec::with_capacity(rounds); calls.len()];
    let mut order: Vec<usize> = (0..calls.len()).collect();
    let mut random = ChaCha8Rng::seed_from_u64(7);
    for _ in 0..rounds {
        for at in 1..order.len() {
            let other = usize::try_from(random.next_u32()).unwrap() % (at + 1);
            order.swap(at, other);
        }
        for &at in &order {
            let since = now();
            calls[at]();
            took[at].push(now() - since);
        }
    }
    took.iter_mut()
        .map(|took| {
            took.sort_unstable();
            took[took.len() / 2]
        })
        .collect()
}

#[test]
fn every_failed_decryption_takes_as_long_whatever_failed() {
    // Figures of a machine that does something else beside say nothing: only where time is taken for it.
    if !long() {
        return;
    }
    let ring = keyring(&[&RSA, &P256]);
    let mut apart = Vec::new();
    for (alg, ..) in ALGORITHMS {
        for enc in [ENCRYPTIONS[2], ENCRYPTIONS[4]] {
            for (length, rounds) in [(200, 2_000), (20_000, 2_000)] {
                let tokens = undecryptable(alg, enc, true, length);
                let ring = &ring;
                let mut calls: Vec<Box<dyn FnMut()>> = Vec::new();
                for (_, token) in &tokens {
                    calls.push(Box::new(move || assert!(black_box(open_record(token.as_bytes(), ring)).is_none())));
                }
                let medians = medians(rounds, &mut calls);
                eprintln!("{alg} {enc:?}, {length} bytes:");
                for ((what, _), median) in tokens.iter().zip(&medians) {
                    eprintln!("    {:>8.1} µs  {what}", median.as_secs_f64() * 1e6);
                }
                // A MAC that holds is made with the content key alone. Whoever made such a token has sealed its content, and
                // sees nothing of ours in the time that decrypting it takes; of a short one that is not to be seen either.
                let alike =
                    tokens.iter().zip(&medians).filter(|((what, _), _)| length == 200 || !what.contains("MAC right"));
                let alike: Vec<Duration> = alike.map(|(_, median)| *median).collect();
                let (least, most) = (*alike.iter().min().unwrap(), *alike.iter().max().unwrap());
                if too_far_apart(least, most) {
                    apart.push(format!("{alg} {enc:?}, {length} bytes: {least:?} to {most:?}"));
                }
            }
        }
    }
    assert_eq!(apart, [""; 0], "failures can be told apart by the time they take");
}
