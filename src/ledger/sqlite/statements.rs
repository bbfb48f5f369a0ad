//! Statements of many rows: how they are put together, and how a number of them is run.

use std::sync::Arc;

use sqlx::query::Query;
use sqlx::sqlite::SqliteArguments;
use sqlx::{Arguments, AssertSqlSafe, Encode, Executor, Sqlite, SqliteConnection, Type};

use crate::ledger::LedgerError;

/// Keys of one query, and rows of one statement that is not worth more.
pub(super) const ROWS_A_STATEMENT: usize = 1000;

/// Rows of one insert: each statement is a hop to the connection's thread and back.
pub(super) const ROWS_AN_INSERT: usize = 4000;

/// A statement with its values.
pub(super) type Statement = Query<'static, Sqlite, SqliteArguments>;

/// Values for a statement's marks, in their order.
#[derive(Default)]
pub(super) struct Values(SqliteArguments);

impl Values {
    pub(super) fn with_capacity(values: usize) -> Self {
        let mut arguments = SqliteArguments::default();
        arguments.reserve(values, 0);
        Self(arguments)
    }

    pub(super) fn into_arguments(self) -> SqliteArguments {
        self.0
    }

    /// The value of the next mark. (`Query::bind` moves the whole query for each.)
    pub(super) fn add<'v, V: Encode<'v, Sqlite> + Type<Sqlite>>(&mut self, value: V) -> Result<(), LedgerError> {
        self.0.add(value).map_err(|error| LedgerError::Database(sqlx::Error::Encode(error)))
    }
}

/// Inserts of items, as many in each as [`ROWS_AN_INSERT`]; at most eight columns, since a statement has 32 766 marks at most.
/// `sql` writes a statement for so many rows; `row` adds the values of one.
pub(super) fn in_parts<'i, I>(
    items: &'i [I],
    columns: usize,
    sql: impl Fn(usize) -> String,
    mut row: impl FnMut(&mut Values, &'i I) -> Result<(), LedgerError>,
) -> impl Iterator<Item = Result<Statement, LedgerError>> {
    let mut of_full_parts: Option<Arc<str>> = None;
    items.chunks(ROWS_AN_INSERT).map(move |part| {
        let full = part.len() == ROWS_AN_INSERT;
        let text = if full {
            Arc::clone(of_full_parts.get_or_insert_with(|| sql(ROWS_AN_INSERT).into()))
        } else {
            sql(part.len()).into()
        };
        let mut values = Values::with_capacity(part.len() * columns);
        for item in part {
            row(&mut values, item)?;
        }
        Ok(sqlx::query_with(AssertSqlSafe(text), values.into_arguments()).persistent(full))
    })
}

/// Runs statements one after the other; while the store is at one, the next is put together. How many rows each changed.
pub(super) async fn execute_all(
    on: &mut SqliteConnection,
    mut statements: impl Iterator<Item = Result<Statement, LedgerError>>,
) -> Result<Vec<u64>, LedgerError> {
    let mut changed = Vec::new();
    let mut next = statements.next().transpose()?;
    while let Some(statement) = next {
        // The statement goes to the connection's thread at the first poll, which comes before that of its neighbour.
        let (done, following) = tokio::join!(biased; on.execute(statement), async { statements.next().transpose() });
        changed.push(done?.rows_affected());
        next = following?;
    }
    Ok(changed)
}

/// `(?,?),(?,?)`: the VALUES of a statement of many rows.
pub(super) fn values(rows: usize, columns: usize) -> String {
    rows_of(rows, &vec!["?"; columns].join(","))
}

/// As many rows of `row`, which may hold more than marks.
pub(super) fn rows_of(rows: usize, row: &str) -> String {
    vec![format!("({row})"); rows].join(",")
}

/// `?,?`: as many places for values.
pub(super) fn marks(count: usize) -> String {
    vec!["?"; count].join(",")
}
