//! A card's id must not give its PAN away.

use base64_simd::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use openssl::hash::{MessageDigest, hash};

use super::{Record, drop_file, pan, world};
use crate::file::hex;

const DIGESTS: [&str; 8] = ["MD5", "SHA1", "SHA224", "SHA256", "SHA384", "SHA512", "SHA3-256", "BLAKE2b512"];

/// Everything that the contract forbids to make an id of, as far as it is one.
fn derived_from(pan: &str) -> Vec<String> {
    let reversed: String = pan.chars().rev().collect();
    let mut ids = vec![
        pan.to_owned(),
        format!("card-{pan}"),
        format!("x{}y", &pan[..8]),
        pan[4..12].to_owned(),
        format!("{}_", &pan[8..]),
        reversed.clone(),
        format!("c-{reversed}"),
        format!("{}-{}-{}-{}", &pan[..4], &pan[4..8], &pan[8..12], &pan[12..]),
    ];
    for name in DIGESTS {
        let digest = hash(MessageDigest::from_name(name).unwrap(), pan.as_bytes()).unwrap();
        let lower = hex(&digest);
        for text in [
            lower.to_uppercase(),
            lower,
            STANDARD_NO_PAD.encode_to_string(digest),
            URL_SAFE_NO_PAD.encode_to_string(digest),
        ] {
            for length in [12, 20, 47, 48, text.len()] {
                ids.extend(
                    text.get(..length).filter(|id| id.len() <= 48 && !id.contains(['+', '/'])).map(str::to_owned),
                );
            }
        }
    }
    ids
}

#[test]
fn no_id_made_from_the_pan_is_taken_however_it_is_made() {
    let world = world(|_| {});
    let mut records = Vec::new();
    let mut ids = Vec::new();
    for n in 0..6 {
        for id in derived_from(&pan(200 + n)) {
            records.push(Record::new(&format!("d-{}", ids.len()), &id, "c", &pan(200 + n)));
            ids.push(id);
        }
    }
    assert!(ids.len() > 6 * 90, "{} ids show too little", ids.len());
    // Just short of each limit, and made from another PAN.
    let sha256 = hex(&hash(MessageDigest::sha256(), pan(200).as_bytes()).unwrap());
    records.push(Record::new("short", &sha256[..11], "c", &pan(200)));
    records.push(Record::new("seven", &format!("{}-", &pan(201)[..7]), "c", &pan(201)));
    records.push(Record::new("other", &sha256[..48], "c", &pan(202)));
    let stem = drop_file(&world, "DERIVED", &records);
    world.once().expect(4);
    let recon = world.out().recon(&stem);
    for (row, id) in recon.rows.iter().zip(&ids) {
        assert_eq!((&row["code"], &row["card_id"]), ("CARD_ID_DERIVED", ""), "{id}");
    }
    for record_ref in ["short", "seven", "other"] {
        assert_eq!(&recon.row(record_ref)["outcome"], "REGISTERED", "{record_ref}");
    }
}

#[test]
fn ten_thousand_random_uuids_are_taken() {
    let world = world(|_| {});
    // Random for this purpose: the digest of a number.
    let uuid = |n: u64| {
        let digest = hash(MessageDigest::sha256(), &n.to_be_bytes()).unwrap();
        let mut bytes: [u8; 16] = digest[..16].try_into().unwrap();
        bytes[6] = (bytes[6] & 0x0F) | 0x40;
        bytes[8] = (bytes[8] & 0x3F) | 0x80;
        uuid::Uuid::from_bytes(bytes).to_string()
    };
    let records: Vec<Record> =
        (0..10_000).map(|n| Record::new(&format!("u-{n}"), &uuid(2 * n), &uuid(2 * n + 1), &pan(1000 + n))).collect();
    let stem = drop_file(&world, "UUIDS", &records);
    world.once().expect(0);
    let recon = world.out().recon(&stem);
    assert_eq!(recon.trailer, [10_000, 10_000, 0, 0, 0, 0]);
    assert!(recon.rows.iter().zip(&records).all(|(row, record)| &row["card_id"] == record.cell("card_id")));
}
