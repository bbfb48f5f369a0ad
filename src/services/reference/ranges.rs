//! `account_ranges.csv`: which card numbers are an issuer's own, service by service.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::model::ServiceName;

use super::table::{self, Mistake, check_issuer, is_made_of};

const COLUMNS: [&str; 7] = ["issuer", "cid", "ica", "country", "low", "high", "services"];

/// Digits that numbers are compared by: the most a card number has.
const DIGITS: usize = 19;

/// The account ranges of all issuers.
#[derive(Clone, Debug, Default)]
pub struct AccountRanges {
    ranges: Vec<Arc<AccountRange>>,
    /// What each issuer owns, service by service in the order of [`ServiceName::ALL`].
    owned: BTreeMap<String, [IssuerRanges; ServiceName::ALL.len()]>,
}

/// A line of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountRange {
    /// Whose it is.
    pub issuer: String,
    /// The customer id, as given; may be empty.
    pub cid: String,
    /// The interbank card association number, as given; may be empty.
    pub ica: String,
    /// ISO 3166, two or three letters, as given; may be empty.
    pub country: String,
    /// The lowest number, 11 to 19 digits as given.
    pub low: String,
    /// The highest number, 11 to 19 digits as given.
    pub high: String,
    /// What it may be used for.
    pub services: Vec<ServiceName>,
}

impl AccountRanges {
    /// Reads and checks the whole file. Ranges may lie in one another and overlap.
    pub fn parse(csv: &[u8]) -> Result<Self, Vec<Mistake>> {
        let (rows, mut mistakes) = table::read(csv, COLUMNS);
        let mut ranges = Vec::with_capacity(rows.len());
        let mut seen: HashMap<(String, ServiceName, Interval), u64> = HashMap::new();
        for row in rows {
            let line = row.line;
            match check(row) {
                Err(found) => mistakes.extend(found),
                Ok((range, interval)) => {
                    let repeated = range.services.iter().find_map(|&service| {
                        let first = seen.insert((range.issuer.clone(), service, interval), line)?;
                        Some(format!("The range repeats that of line {first} for {service}."))
                    });
                    mistakes.extend(repeated.map(|sentence| Mistake::new(line, Some("low"), sentence)));
                    ranges.push((range, interval));
                }
            }
        }
        if !mistakes.is_empty() {
            mistakes.sort_by_key(|mistake| mistake.line);
            return Err(mistakes);
        }
        let mut owned: BTreeMap<String, [Vec<Owned>; ServiceName::ALL.len()]> = BTreeMap::new();
        let ranges: Vec<_> = ranges.into_iter().map(|(range, interval)| (Arc::new(range), interval)).collect();
        for (range, interval) in &ranges {
            let services = owned.entry(range.issuer.clone()).or_default();
            for (of_service, name) in services.iter_mut().zip(ServiceName::ALL) {
                if range.services.contains(&name) {
                    of_service.push(Owned { interval: *interval, range: Arc::clone(range) });
                }
            }
        }
        Ok(Self {
            ranges: ranges.into_iter().map(|(range, _)| range).collect(),
            owned: owned.into_iter().map(|(issuer, services)| (issuer, services.map(IssuerRanges::new))).collect(),
        })
    }

    /// The issuers that own a range, each once, in alphabetical order.
    pub fn issuers(&self) -> impl Iterator<Item = &str> {
        self.owned.keys().map(String::as_str)
    }

    /// An issuer's ranges for a service, in the order of the file.
    pub fn ranges_of<'a>(&'a self, issuer: &'a str, service: ServiceName) -> impl Iterator<Item = &'a AccountRange> {
        let ranges = self.ranges.iter().map(|range| &**range);
        ranges.filter(move |range| range.issuer == issuer && range.services.contains(&service))
    }

    /// What an issuer owns for a service; shares what it refers to, so that each worker may have its own.
    pub fn for_issuer(&self, issuer: &str, service: ServiceName) -> IssuerRanges {
        let services = self.owned.get(issuer).map(|services| services.iter().zip(ServiceName::ALL));
        services
            .into_iter()
            .flatten()
            .find(|(_, name)| *name == service)
            .map(|(owned, _)| owned.clone())
            .unwrap_or_default()
    }

    /// Whether a card number lies in a range of this issuer for this service.
    pub fn contains(&self, issuer: &str, service: ServiceName, pan: &[u8]) -> bool {
        self.for_issuer(issuer, service).contains(pan)
    }
}

/// What one issuer owns for one service.
#[derive(Clone, Debug, Default)]
pub struct IssuerRanges {
    /// Ranges that lie in no other, by their low end; so their high ends rise too.
    outermost: Arc<[Interval]>,
    /// All of them, by their low end, of equal ones the widest first.
    all: Arc<[Owned]>,
}

/// A range that an issuer owns.
#[derive(Clone, Debug)]
struct Owned {
    interval: Interval,
    range: Arc<AccountRange>,
}

impl IssuerRanges {
    fn new(mut all: Vec<Owned>) -> Self {
        all.sort_unstable_by_key(|owned| (owned.interval.low, std::cmp::Reverse(owned.interval.high)));
        let mut outermost: Vec<Interval> = Vec::with_capacity(all.len());
        for interval in all.iter().map(|owned| owned.interval) {
            // Neighbours are not joined: a short number stands for many long ones, which must lie in one range together.
            if outermost.last().is_none_or(|last| interval.high > last.high) {
                outermost.push(interval);
            }
        }
        Self { outermost: outermost.into(), all: all.into() }
    }

    /// Whether a card number of 1 to 19 digits lies in one of the ranges. Anything else lies in none.
    pub fn contains(&self, pan: &[u8]) -> bool {
        Interval::of_number(pan).is_some_and(|pan| self.outermost_around(pan).is_some())
    }

    /// The narrowest range that holds a card number.
    pub fn narrowest(&self, pan: &[u8]) -> Option<&Arc<AccountRange>> {
        self.around(pan, pan)
    }

    /// The narrowest range that holds all from `low` to `high`.
    pub fn around(&self, low: &[u8], high: &[u8]) -> Option<&Arc<AccountRange>> {
        let wanted = Interval::of(low, high)?;
        let from = self.outermost_around(wanted)?.low;
        let begin = self.all.partition_point(|owned| owned.interval.low < from);
        let end = self.all.partition_point(|owned| owned.interval.low <= wanted.low);
        let holding = self.all.get(begin..end)?.iter().filter(|owned| wanted.high <= owned.interval.high);
        holding.min_by_key(|owned| owned.interval.high - owned.interval.low).map(|owned| &owned.range)
    }

    /// The first of the outermost ranges that hold an interval: whatever else holds it begins there or later.
    fn outermost_around(&self, wanted: Interval) -> Option<Interval> {
        // Their high ends rise as their low ends do, so that the first to reach high enough begins lowest.
        let first = self.outermost.partition_point(|range| range.high < wanted.high);
        self.outermost.get(first).copied().filter(|range| range.low <= wanted.low)
    }

    /// Whether nothing is owned.
    pub fn is_empty(&self) -> bool {
        self.outermost.is_empty()
    }
}

/// Whether all from `low` to `high` lies in a range from `within_low` to `within_high`; bounds and card numbers are 1 to 19
/// digits, anything else lies in nothing.
pub fn lies_within(low: &[u8], high: &[u8], within_low: &[u8], within_high: &[u8]) -> bool {
    match (Interval::of(low, high), Interval::of(within_low, within_high)) {
        (Some(inner), Some(outer)) => outer.low <= inner.low && inner.high <= outer.high,
        _ => false,
    }
}

/// Whether two ranges are one, however their ends are written.
pub fn is_same_range(low: &[u8], high: &[u8], other_low: &[u8], other_high: &[u8]) -> bool {
    match (Interval::of(low, high), Interval::of(other_low, other_high)) {
        (Some(one), Some(other)) => one == other,
        _ => false,
    }
}

/// Whether a range has nothing in it: its low end lies above its high end.
pub fn is_empty_range(low: &[u8], high: &[u8]) -> bool {
    Interval::of(low, high).is_none_or(|range| range.low > range.high)
}

/// Ends of a range, both inside, as numbers of 19 digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Interval {
    low: u64,
    high: u64,
}

impl Interval {
    /// Pads the low end with 0 and the high end with 9; 19 digits always fit.
    fn of(low: &[u8], high: &[u8]) -> Option<Self> {
        Some(Self { low: Self::of_number(low)?.low, high: Self::of_number(high)?.high })
    }

    /// All that begins with these digits.
    fn of_number(digits: &[u8]) -> Option<Self> {
        if !(1..=DIGITS).contains(&digits.len()) {
            return None;
        }
        let mut number = 0;
        for &byte in digits {
            let digit = byte.wrapping_sub(b'0');
            if digit > 9 {
                return None;
            }
            number = number * 10 + u64::from(digit);
        }
        let scale = 10_u64.pow(u32::try_from(DIGITS - digits.len()).ok()?);
        Some(Self { low: number * scale, high: number * scale + (scale - 1) })
    }
}

fn check(row: table::Row<{ COLUMNS.len() }>) -> Result<(AccountRange, Interval), Vec<Mistake>> {
    let line = row.line;
    let [issuer, cid, ica, country, low, high, services] = row.cells;
    let mut mistakes = Vec::from_iter(check_issuer(line, &issuer));
    let mut wrong = |column, sentence: String| mistakes.push(Mistake::new(line, Some(column), sentence));
    for (column, cell) in [("cid", &cid), ("ica", &ica)] {
        if !is_made_of(cell, 0..=32, |byte| byte.is_ascii_alphanumeric()) {
            wrong(column, "The id is malformed; expected are at most 32 letters and digits.".to_owned());
        }
    }
    if !country.is_empty() && !is_made_of(&country, 2..=3, |byte| byte.is_ascii_alphabetic()) {
        wrong(
            "country",
            "The country is malformed; expected are two or three letters of ISO 3166, or nothing.".to_owned(),
        );
    }
    let mut is_bound = |column, cell: &str| {
        let is_bound = is_made_of(cell, 11..=DIGITS, |byte| byte.is_ascii_digit());
        if !is_bound {
            wrong(column, "The bound is malformed; expected are 11 to 19 digits.".to_owned());
        }
        is_bound
    };
    let (low_is, high_is) = (is_bound("low", &low), is_bound("high", &high));
    let interval = Interval::of(low.as_bytes(), high.as_bytes());
    if low_is && high_is && interval.is_none_or(|interval| interval.low > interval.high) {
        wrong("low", "The range is empty: its low end lies above its high end.".to_owned());
    }
    let mut known = Vec::new();
    for name in services.split('|') {
        match name.parse::<ServiceName>() {
            Ok(service) if !known.contains(&service) => known.push(service),
            Ok(service) => wrong("services", format!("{service} stands twice.")),
            Err(()) => {
                let names = ServiceName::ALL.map(ServiceName::as_str).join(", ");
                wrong("services", format!("A service is not known; expected are any of {names}, separated by |."));
            }
        }
    }
    match interval {
        Some(interval) if mistakes.is_empty() => {
            Ok((AccountRange { issuer, cid, ica, country, low, high, services: known }, interval))
        }
        _ => Err(mistakes),
    }
}

#[cfg(test)]
mod tests;
