//! What a service brings so that synthetic files of it can be made: good records, and the mistakes that a file alone can show.
//!
//! The same source gives the same records: no clock and no chance is in it. Nothing here reads or writes, and nothing is a real
//! card: numbers are made from ranges.

mod numbers;

use crate::model::Code;

pub use numbers::Numbers;

/// How a service's records are made.
pub struct Sampling {
    /// The cells of the n-th good record, in the order of the columns. No two records of a file are alike.
    pub good: fn(&Source, u64) -> Vec<String>,
    /// The mistakes that can be made of such a record.
    pub mistakes: fn(&Source) -> Vec<Mistake>,
    /// Records of one list, which must not come from several ranges.
    pub of_one_range: bool,
}

/// What records are made of.
pub struct Source {
    /// Card numbers; the n-th record has the n-th.
    pub numbers: Numbers,
    /// The range of the first of them, as reference data gives it.
    pub range: (String, String),
    /// The issuer's currencies, at least one.
    pub currencies: Vec<String>,
    /// Whether currencies beside those are refused.
    pub currencies_are_limited: bool,
    /// The issuer's card products; those that may be tokenized alone, if there are any.
    pub products: Vec<String>,
    /// Another seed gives other card numbers and other ids.
    pub seed: u64,
    /// Whether records are written as requests of JSON: not every column can be said in one.
    pub requests: bool,
}

/// A mistake, and the code that it is answered with.
#[derive(Clone, Copy)]
pub struct Mistake {
    /// The code.
    pub code: Code,
    /// Makes it of the n-th record, which is good. The first record of a file is never made bad.
    pub make: fn(&Source, u64, &mut Vec<String>),
    /// It can only be made behind a good record of the same hundred.
    pub after_good: bool,
}

impl Mistake {
    /// One that any record can have.
    pub const fn new(code: Code, make: fn(&Source, u64, &mut Vec<String>)) -> Self {
        Self { code, make, after_good: false }
    }

    /// All that can be wrong with a card number of 16 digits by itself.
    pub fn of_pan<const COLUMN: usize>() -> [Self; 5] {
        [
            Self::new(Code::PanLuhn, |_, _, cells| {
                let digit = cells[COLUMN].pop().and_then(|digit| digit.to_digit(10)).unwrap_or(0);
                cells[COLUMN].push(char::from_digit((digit + 1) % 10, 10).unwrap_or('0'));
            }),
            Self::new(Code::PanMangled, |_, _, cells| cells[COLUMN] = "5.23E+15".into()),
            Self::new(Code::PanFormat, |_, _, cells| cells[COLUMN].insert(4, ' ')),
            Self::new(Code::PanLength, |_, _, cells| cells[COLUMN].truncate(10)),
            Self::new(Code::FieldMissing, |_, _, cells| cells[COLUMN].clear()),
        ]
    }
}

impl Source {
    /// A card product of the issuer.
    pub fn product(&self, n: u64) -> String {
        let at = usize::try_from(n % (self.products.len().max(1) as u64)).unwrap_or(0);
        self.products.get(at).cloned().unwrap_or_default()
    }

    /// The id of the n-th thing of a kind. Another seed has others. It holds no eight digits in a row.
    pub fn id(&self, kind: &str, n: u64) -> String {
        let (high, low) = (n / 1_000_000, n % 1_000_000);
        format!("{kind}-s{}n{high}x{low}", self.seed % 1_000_000)
    }

    /// An expiry as `MMYY` that stays in the future while this version is in use.
    pub fn expiry(n: u64) -> String {
        format!("{:02}{}", n % 12 + 1, 90 + n % 10)
    }
}

/// The reference of the n-th record.
pub fn record_ref(n: u64) -> String {
    format!("r-{}", n + 1)
}

/// A number that is nobody's here: the one of the card schemes' documentation.
pub const FOREIGN: &str = "4111111111111111";
