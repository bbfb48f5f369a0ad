//! Which rows of CSV are one request: consecutive ones with equal cells, as a service's [`Runs`] says.
//!
//! Read on the reading thread and in file order, so that it depends neither on where chunks begin nor on where a resumed file
//! goes on. What a row is, the row after it can decide: one row is held back.

use zeroize::Zeroizing;

use crate::model::{InRequest, Runs};

use super::columns::Layout;
use super::fields::Fields;
use super::lines::trim_end;

/// See the module.
pub(super) struct Tracker {
    runs: &'static Runs,
    /// The request that the last row is in, and its number in it.
    request: u64,
    n: u64,
    last: Option<Row>,
}

struct Row {
    same: Zeroizing<Vec<u8>>,
    /// It has the cell that makes it a record.
    is_record: bool,
    /// It stands in a request with others, and not alone.
    joined: bool,
}

/// What is to be known of a row before its place in a request can be told.
pub(super) struct Looked {
    same: Zeroizing<Vec<u8>>,
    is_record: bool,
}

impl Tracker {
    pub(super) const fn new(runs: &'static Runs) -> Self {
        Self { runs, request: 0, n: 0, last: None }
    }

    /// Looks at a row with its line end.
    pub(super) fn look(&self, row: &[u8], layout: &Layout) -> Looked {
        // All there can be, so that no copy is left behind by growing.
        let mut same = Zeroizing::new(Vec::with_capacity(row.len() + 8 * self.runs.same.len()));
        let mut cells: Vec<Option<(&[u8], bool)>> = vec![None; layout.columns];
        for (column, field) in layout.order.iter().zip(Fields::new(trim_end(row), layout.delimiter).flatten()) {
            if let Some(cell) = cells.get_mut(*column) {
                *cell = Some((field.raw, field.escaped));
            }
        }
        let cell = |column: usize| cells.get(column).copied().flatten().unwrap_or((b"", false));
        for column in self.runs.same {
            let (raw, _) = cell(*column);
            // With its length, so that no two runs of cells read the same.
            same.extend_from_slice(&(raw.len() as u64).to_le_bytes());
            same.extend_from_slice(raw);
        }
        Looked { same, is_record: !cell(self.runs.record).0.is_empty() }
    }

    /// The place of the row that comes next, given the one after it.
    pub(super) fn place(&mut self, row: &Looked, next: Option<&Looked>) -> InRequest {
        let before = self.last.take().filter(|last| last.same == row.same);
        let beside = |is_record: bool| row.is_record || is_record;
        let joined = beside(before.as_ref().is_some_and(|last| last.is_record))
            || next.is_some_and(|next| next.same == row.same && next.is_record);
        if joined && before.as_ref().is_some_and(|last| last.joined) {
            self.n += 1;
        } else {
            self.request += 1;
            self.n = 1;
        }
        self.last = Some(Row { same: row.same.clone(), is_record: row.is_record, joined });
        let records = if joined { self.n } else { 0 };
        InRequest { request: self.request, n: self.n, records, is_array: false, is_row: true }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static RUNS: Runs = Runs { same: &[0], record: 1 };

    fn places(rows: &[(&str, bool)]) -> Vec<(u64, u64, u64)> {
        let mut tracker = Tracker::new(&RUNS);
        let looked: Vec<Looked> = rows
            .iter()
            .map(|(same, is_record)| Looked { same: Zeroizing::new(same.as_bytes().to_vec()), is_record: *is_record })
            .collect();
        (0..looked.len())
            .map(|at| {
                let InRequest { request, n, records, .. } = tracker.place(&looked[at], looked.get(at + 1));
                (request, n, records)
            })
            .collect()
    }

    #[test]
    fn equal_rows_are_one_request_and_rows_without_a_record_stand_alone() {
        let rows = [("a", true), ("a", true), ("b", true), ("a", true)];
        assert_eq!(places(&rows), [(1, 1, 1), (1, 2, 2), (2, 1, 1), (3, 1, 1)]);
        // Alone, alone, then beside a record, before and behind it.
        let rows = [("a", false), ("a", false), ("b", false), ("b", true), ("b", false), ("c", false)];
        assert_eq!(places(&rows), [(1, 1, 0), (2, 1, 0), (3, 1, 1), (3, 2, 2), (3, 3, 3), (4, 1, 0)]);
        // Two rows without one between two with one: each is beside one.
        let rows = [("a", true), ("a", false), ("a", false), ("a", true)];
        assert_eq!(places(&rows), [(1, 1, 1), (1, 2, 2), (1, 3, 3), (1, 4, 4)]);
        // The middle one of three is beside none: what follows is a request of its own.
        let rows = [("a", true), ("a", false), ("a", false), ("a", false), ("a", true)];
        assert_eq!(places(&rows), [(1, 1, 1), (1, 2, 2), (2, 1, 0), (3, 1, 1), (3, 2, 2)]);
    }

    #[test]
    fn cells_do_not_run_together() {
        static TWO: Runs = Runs { same: &[0, 1], record: 2 };
        let layout = Layout {
            delimiter: b',',
            order: vec![2, 0, 1],
            columns: 3,
            marked: false,
            heads: 0,
            quotes: true,
            records: 2,
            line_bytes_max: 100,
            runs: Some(&TWO),
        };
        let tracker = Tracker::new(&TWO);
        let look = |row: &str| tracker.look(row.as_bytes(), &layout);
        assert!(look("1,ab,c\r\n").same != look("1,a,bc\n").same);
        assert!(look("1,ab,c\r\n").same == look("2,\"ab\",c\n").same);
        assert!(look("1,a,b\n").is_record && !look(",a,b\n").is_record && !look("\"\",a,b").is_record);
    }
}
