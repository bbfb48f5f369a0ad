//! A filter before the old index of fingerprints: of nearly all that are not there it says so, without a look at the index.
//!
//! A split block Bloom filter, as the Apache Parquet format has it, but for one thing: blocks follow one another in the order of
//! fingerprints. They are filled in that order, a stretch with each commit, so that only what a stretch lies in has to be written
//! again; and what is looked up in order lies side by side. It is cut into parts of equal ranges, of which each grows on its own.
//! Whose a fingerprint is does not count: each issuer's are made with a key of its own.

use crate::vault::{Fingerprint, leading};

/// Parts of a filter; a fingerprint's first byte says in which it is.
pub(super) const PARTS: usize = 256;

/// A block is eight words of 32 bits. A fingerprint has one bit in each word of its block.
const BLOCK_BYTES: usize = 32;
const WORD_BYTES: usize = 4;

/// Odd factors, which spread a fingerprint's bits over the words: those of the Parquet format.
const SALTS: [u32; 8] =
    [0x47b6_137b, 0x4497_4d91, 0x8824_ad5b, 0xa2b7_289d, 0x7054_95c7, 0x2df1_424b, 0x9efc_4947, 0x5c6b_fb31];

/// How many times as many as it was made for a part notes before it is made anew from the index. It has a byte for each of them.
const GROWTH: usize = 2;

/// Of what the bits mean. Parts that were kept by another version are not taken.
pub(super) const FILTER_VERSION: i64 = 1;

/// See the module.
#[derive(Debug)]
pub(super) struct Filter {
    /// A part that is not there says of everything that it may be in the index.
    parts: Vec<Option<Part>>,
    part_bytes_max: usize,
}

/// What a part has noted. As long as that is no more than there are bytes, it is wrong about one in some forty at most.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// For how many it was made.
    pub(super) made: usize,
    /// How many it has noted, some of which may have left the index since.
    pub(super) count: usize,
    pub(super) bits: Vec<u8>,
}

impl Part {
    fn for_many(count: usize, bytes_max: usize) -> Self {
        let bytes = (count * GROWTH).next_multiple_of(BLOCK_BYTES).clamp(BLOCK_BYTES, bytes_max.max(BLOCK_BYTES));
        Self { made: count, count: 0, bits: vec![0; bytes] }
    }

    /// Where the block of a fingerprint begins: as far into the part as the fingerprint is into the part's range.
    fn block(&self, leading: u64) -> usize {
        let blocks = (self.bits.len() / BLOCK_BYTES) as u64;
        let far = (u128::from(leading << 8) * u128::from(blocks)) >> 64;
        usize::try_from(far).unwrap_or(0) * BLOCK_BYTES
    }

    fn note(&mut self, leading: u64) {
        let at = self.block(leading);
        self.count += 1;
        let Some(block) = self.bits.get_mut(at..at + BLOCK_BYTES) else { return };
        for (word, mask) in block.chunks_exact_mut(WORD_BYTES).zip(masks(leading)) {
            for (byte, bits) in word.iter_mut().zip(mask) {
                *byte |= bits;
            }
        }
    }

    fn may_hold(&self, leading: u64) -> bool {
        let at = self.block(leading);
        let Some(block) = self.bits.get(at..at + BLOCK_BYTES) else { return true };
        let mut words = block.chunks_exact(WORD_BYTES).zip(masks(leading));
        words.all(|(word, mask)| word.iter().zip(mask).all(|(byte, bits)| byte & bits == bits))
    }
}

/// The bit of each word. The block is chosen by what comes first in a fingerprint, the bits by what comes later.
fn masks(leading: u64) -> impl Iterator<Item = [u8; WORD_BYTES]> {
    #[expect(clippy::cast_possible_truncation, reason = "the later half is meant")]
    let later = leading as u32;
    SALTS.into_iter().map(move |salt| (1_u32 << (later.wrapping_mul(salt) >> 27)).to_le_bytes())
}

/// The part that a fingerprint is in.
pub(super) fn part_of(fingerprint: &Fingerprint) -> usize {
    usize::from(fingerprint[0])
}

impl Filter {
    /// One without a part, that takes so many bytes at most.
    pub(super) fn new(bytes_max: u64) -> Self {
        let part_bytes_max = usize::try_from(bytes_max).unwrap_or(usize::MAX) / PARTS / BLOCK_BYTES * BLOCK_BYTES;
        Self { parts: (0..PARTS).map(|_| None).collect(), part_bytes_max }
    }

    /// `false`: the index does not have it.
    pub(super) fn may_hold(&self, fingerprint: &Fingerprint) -> bool {
        let part = self.parts.get(part_of(fingerprint)).and_then(Option::as_ref);
        part.is_none_or(|part| leading(fingerprint).is_none_or(|leading| part.may_hold(leading)))
    }

    /// The index is empty, and about so many come into it.
    pub(super) fn begin(&mut self, count: usize) {
        let (each, bytes_max) = (count / PARTS, self.part_bytes_max);
        self.parts.fill_with(|| Some(Part::for_many(each, bytes_max)));
    }

    /// Takes a part as it was kept, if there is room for it: there may have been more.
    pub(super) fn restore(&mut self, no: usize, part: Part) {
        let whole = !part.bits.is_empty() && part.bits.len().is_multiple_of(BLOCK_BYTES);
        let fits = part.bits.len() <= self.part_bytes_max.max(BLOCK_BYTES);
        if let Some(place) = self.parts.get_mut(no).filter(|_| whole && fits) {
            *place = Some(part);
        }
    }

    pub(super) fn part(&self, no: usize) -> Option<&Part> {
        self.parts.get(no)?.as_ref()
    }

    /// Notes what comes into a part's range of the index. `false` if the part has noted too many for that: then nothing is noted,
    /// and the part is to be made anew.
    pub(super) fn note(&mut self, no: usize, come: &[Fingerprint]) -> bool {
        let Some(part) = self.parts.get_mut(no).and_then(Option::as_mut) else { return false };
        if part.count + come.len() > (GROWTH * part.made).max(part.bits.len()) {
            return false;
        }
        come.iter().filter_map(|fingerprint| leading(fingerprint)).for_each(|leading| part.note(leading));
        true
    }

    /// Makes a part anew for all that its range of the index holds. Of each the first eight bytes are asked for.
    pub(super) fn make(&mut self, no: usize, all: &[[u8; 8]]) {
        let mut part = Part::for_many(all.len(), self.part_bytes_max);
        all.iter().for_each(|first| part.note(u64::from_be_bytes(*first)));
        if let Some(place) = self.parts.get_mut(no) {
            *place = Some(part);
        }
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha12Rng;
    use rand_chacha::rand_core::{Rng, SeedableRng};

    use super::*;

    fn drawn(count: usize, seed: u64) -> Vec<Fingerprint> {
        let mut random = ChaCha12Rng::seed_from_u64(seed);
        let mut fingerprints = vec![[0; 16]; count];
        fingerprints.iter_mut().for_each(|one| random.fill_bytes(one));
        fingerprints
    }

    fn note(filter: &mut Filter, fingerprints: &[Fingerprint]) -> usize {
        let mut full = 0;
        for no in 0..PARTS {
            let come: Vec<_> = fingerprints.iter().filter(|one| part_of(one) == no).copied().collect();
            full += usize::from(!filter.note(no, &come));
        }
        full
    }

    fn wrong(filter: &Filter) -> usize {
        drawn(20_000, 9).iter().filter(|one| filter.may_hold(one)).count()
    }

    #[test]
    fn what_was_noted_is_found_and_little_else() {
        let noted = drawn(50_000, 1);
        let mut filter = Filter::new(1 << 20);
        assert_eq!(wrong(&filter), 20_000, "as long as nothing is known, everything may be there");
        filter.begin(noted.len());
        assert_eq!(wrong(&filter), 0);
        assert_eq!(note(&mut filter, &noted), 0);
        assert!(noted.iter().all(|one| filter.may_hold(one)));
        let half_full = wrong(&filter);
        assert!(half_full < 60, "{half_full} of 20 000 at 16 bits each");
        let more = drawn(40_000, 2);
        assert_eq!(note(&mut filter, &more), 0);
        let nearly_full = wrong(&filter);
        assert!((60..600).contains(&nearly_full), "{nearly_full} of 20 000 at 9 bits each");
    }

    #[test]
    fn a_part_grows_up_to_its_share() {
        let noted = drawn(200, 1);
        let mut all = noted.clone();
        all.iter_mut().for_each(|one| one[0] = 7);
        let mut filter = Filter::new((PARTS * 1024) as u64);
        filter.begin(PARTS * 50);
        assert!(!filter.note(7, &all), "there is room for a hundred");
        assert!(!filter.may_hold(&all[0]), "nothing was noted");
        let first = |one: &Fingerprint| *one.first_chunk().unwrap();
        filter.make(7, &all.iter().map(first).collect::<Vec<_>>());
        assert!(all.iter().all(|one| filter.may_hold(one)));
        assert_eq!(filter.part(7).map(|part| (part.count, part.bits.len())), Some((200, 416)));
        assert!(filter.note(7, &all), "these are no more than there is room for");
        let many = drawn(2000, 3).into_iter().map(|one| *one.first_chunk().unwrap()).collect::<Vec<_>>();
        filter.make(7, &many);
        assert_eq!(filter.part(7).map(|part| part.bits.len()), Some(1024), "it grows no more");
        for _ in 0..10 {
            assert!(filter.note(7, &all));
        }
        assert!(!filter.note(7, &all), "it is made anew without what has left the index");
    }

    #[test]
    fn a_part_is_restored_as_it_was_and_a_broken_one_is_none() {
        let noted = drawn(3000, 4);
        let mut filter = Filter::new(1 << 20);
        filter.begin(noted.len());
        assert_eq!(note(&mut filter, &noted), 0);
        let mut again = Filter::new(1 << 20);
        for no in (0..PARTS).rev() {
            let Part { made, count, bits } = filter.part(no).unwrap();
            again.restore(no, Part { made: *made, count: *count, bits: bits.clone() });
        }
        assert!((0..PARTS).all(|no| filter.part(no) == again.part(no)));
        let mut broken = Filter::new(1 << 20);
        for (no, bytes) in [33, 0, (1 << 12) + BLOCK_BYTES].into_iter().enumerate() {
            broken.restore(no, Part { made: 1, count: 1, bits: vec![0; bytes] });
            assert!(broken.part(no).is_none(), "{bytes} bytes");
        }
    }
}
