//! Whether a trail is as it was written, and what is wrong with it first.

use std::fmt;

use super::{Anchor, AuditRow, before};

/// A trail that is as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Rows in it.
    pub rows: u64,
    /// The newest one; none in a trail without rows.
    pub head: Option<Anchor>,
    /// Anchors that were compared, and fit.
    pub anchors: usize,
}

/// The first thing that is wrong with a trail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// A row is not what its hash, and the row before it, say.
    Changed {
        /// The row.
        seq: i64,
    },
    /// The store is damaged where a row should be.
    Unreadable {
        /// The row, if those before it were all.
        seq: i64,
    },
    /// Rows are missing between others.
    Missing {
        /// The first one.
        from: i64,
        /// The last one.
        to: i64,
    },
    /// Rows are missing at the end.
    Cut {
        /// The first one.
        from: i64,
        /// The last one.
        to: i64,
    },
    /// Rows stand where none was written.
    Added {
        /// The first one.
        from: i64,
        /// The last one.
        to: i64,
    },
    /// The last row is not the one that was written last.
    HeadDiffers {
        /// The row.
        seq: i64,
    },
    /// There are rows, and nothing says which was the last.
    HeadGone,
    /// An anchor of the log is not this row's: it, or any before it, was made anew.
    AnchorDiffers {
        /// The row.
        seq: i64,
    },
    /// An anchor of the log is of a row that is not there.
    AnchorGone {
        /// The row.
        seq: i64,
        /// The last row there is.
        last: i64,
    },
}

impl Finding {
    /// The row it is about, for machines.
    pub const fn seq(&self) -> Option<i64> {
        match self {
            Self::Changed { seq }
            | Self::Unreadable { seq }
            | Self::HeadDiffers { seq }
            | Self::AnchorDiffers { seq }
            | Self::AnchorGone { seq, .. } => Some(*seq),
            Self::Missing { from, .. } | Self::Cut { from, .. } | Self::Added { from, .. } => Some(*from),
            Self::HeadGone => None,
        }
    }

    /// One word for machines.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Changed { .. } => "row_changed",
            Self::Unreadable { .. } => "row_unreadable",
            Self::Missing { .. } => "rows_missing",
            Self::Cut { .. } => "end_cut",
            Self::Added { .. } => "rows_added",
            Self::HeadDiffers { .. } => "head_differs",
            Self::HeadGone => "head_gone",
            Self::AnchorDiffers { .. } => "anchor_differs",
            Self::AnchorGone { .. } => "anchor_gone",
        }
    }
}

fn span(from: i64, to: i64) -> String {
    if from == to { format!("row {from}") } else { format!("rows {from} to {to}") }
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = |from: i64, to: i64| if from == to { "is" } else { "are" };
        match self {
            Self::Changed { seq } => {
                write!(out, "row {seq} was changed: its hash does not fit what it says and the row before it")
            }
            Self::Unreadable { seq } => {
                write!(out, "row {seq} cannot be read: the database is damaged where it should be")
            }
            Self::Missing { from, to } => {
                write!(out, "{} {} missing: the trail goes on after a gap", span(*from, *to), verb(*from, *to))
            }
            Self::Cut { from, to } => {
                write!(out, "{} {} missing: the end of the trail was cut", span(*from, *to), verb(*from, *to))
            }
            Self::Added { from, to } => {
                write!(out, "{} {} there, but nightdrop did not write that", span(*from, *to), verb(*from, *to))
            }
            Self::HeadDiffers { seq } => write!(out, "row {seq}, the last, is not the one that was written last"),
            Self::HeadGone => write!(out, "the mark of the last row is gone: rows may be missing at the end"),
            Self::AnchorDiffers { seq } => write!(
                out,
                "the log's anchor of row {seq} does not fit: the trail was made anew from that row or an earlier one on"
            ),
            Self::AnchorGone { seq, last } => {
                write!(out, "the log has an anchor of row {seq}, the trail ends at row {last}: its end was cut")
            }
        }
    }
}

/// Follows a chain from its first row to its head.
pub struct Verifier {
    head: Option<Anchor>,
    /// By number; those before `fitted` are of rows seen already.
    anchors: Vec<Anchor>,
    fitted: usize,
    last: Option<Anchor>,
    rows: u64,
    anchor_differs: Option<i64>,
}

impl Verifier {
    /// Nothing seen yet of the trail that ends at `head`.
    pub fn new(head: Option<Anchor>, anchors: &[Anchor]) -> Self {
        let mut anchors = anchors.to_vec();
        anchors.sort_unstable_by_key(|anchor| anchor.seq);
        Self { head, anchors, fitted: 0, last: None, rows: 0, anchor_differs: None }
    }

    /// Takes in the next row, in order of numbers. `None` for a row of this number that cannot be read.
    pub fn row(&mut self, seq: i64, row: Option<&AuditRow>) -> Result<(), Finding> {
        let expected = self.next();
        if seq < expected {
            return Err(Finding::Added { from: seq, to: seq });
        }
        match self.head {
            None => return Err(Finding::HeadGone),
            Some(head) if expected > head.seq => return Err(Finding::Added { from: seq, to: seq }),
            Some(_) => {}
        }
        if seq > expected {
            return Err(Finding::Missing { from: expected, to: seq - 1 });
        }
        let changed = Finding::Changed { seq };
        let Some(row) = row else { return Err(changed) };
        let hash = row.digest(&before(self.last.as_ref()));
        if row.hash != hash {
            return Err(changed);
        }
        while let Some(anchor) = self.anchors.get(self.fitted).filter(|anchor| anchor.seq == seq) {
            if anchor.hash != hash {
                // Said only if the chain holds: else the chain itself names the row.
                self.anchor_differs.get_or_insert(seq);
            }
            self.fitted += 1;
        }
        self.last = Some(Anchor { seq, hash });
        self.rows += 1;
        Ok(())
    }

    /// The row that is expected next.
    pub fn next(&self) -> i64 {
        self.last.map_or(0, |last| last.seq) + 1
    }

    /// No more rows: whether they end where they should.
    pub fn end(self) -> Result<Verified, Finding> {
        let last = self.last.map_or(0, |last| last.seq);
        if let Some(head) = self.head {
            if head.seq > last {
                return Err(Finding::Cut { from: last + 1, to: head.seq });
            }
            if self.last != Some(head) {
                return Err(Finding::HeadDiffers { seq: head.seq });
            }
        }
        if let Some(seq) = self.anchor_differs {
            return Err(Finding::AnchorDiffers { seq });
        }
        if let Some(beyond) = self.anchors.get(self.fitted) {
            return Err(Finding::AnchorGone { seq: beyond.seq, last });
        }
        Ok(Verified { rows: self.rows, head: self.last, anchors: self.anchors.len() })
    }
}
