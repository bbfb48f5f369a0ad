//! A row's own part: what recon and the response add. It names the list; what a list is stands in the register and is joined
//! when the rows are read, since the record that makes a list may come after ones that fail.

use serde::{Deserialize, Serialize};

use crate::model::{Cells, OwnBytes, RecordRow, pack_own, unpack_own};

use super::{Operation, Range};

/// As it is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Own {
    /// What its request does, if that is known.
    pub operation: Option<Operation>,
    /// Which list it is about.
    pub list: ListRef,
    /// The id that its request names, whether or not there is such a list.
    pub named: Option<u64>,
    /// The PAN that failed, sealed for the record's row, where an answer repeats it.
    pub repeated: Box<[u8]>,
    /// The key of that row; 0 where nothing is repeated.
    pub row: i64,
}

/// How a row names its list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ListRef {
    /// It has none.
    #[default]
    None,
    /// The one that this request of its file makes, if it makes one.
    Request(u64),
    /// The one with this id, which is there.
    Known(u64),
}

/// As reports need it, with what the register says of the list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// What is kept of the row.
    pub own: Own,
    /// The list, if there is one.
    pub list: Option<(u64, Box<str>, Range)>,
}

impl Own {
    /// Packs it.
    pub fn packed(&self) -> OwnBytes {
        pack_own(self)
    }

    /// Unpacks a row's as it is kept.
    pub fn of(row: &RecordRow) -> Self {
        unpack_own(row).unwrap_or_default()
    }
}

impl Shown {
    /// Puts it in the place of what is kept.
    pub fn put(&self, row: &mut RecordRow) {
        row.own = pack_own(self);
    }

    /// Unpacks a row's that the store has completed.
    pub(super) fn of(row: &RecordRow) -> Self {
        unpack_own(row).unwrap_or_default()
    }
}

/// Whether a row tells of its list already. One whose request makes it may come before the record that does.
pub(super) fn is_whole(row: &RecordRow) -> bool {
    let Shown { own, list } = Shown::of(row);
    list.is_some() || !matches!(own.list, ListRef::Request(_))
}

pub(super) fn own_cells(row: &RecordRow, cell: &mut Cells<'_>) {
    let Shown { own, list, .. } = Shown::of(row);
    cell(own.operation.map_or("", Operation::as_str));
    if let Some((id, name, _)) = list {
        cell(&id.to_string());
        cell(&name);
    }
}
