//! What can be said of a record by itself: its fields, and whether its product is the issuer's.

use crate::model::{Code, Failure, Masked};
use crate::services::fields::{self, holds_card_number, is_id, record_ref};
use crate::services::{Expiry, Judge, PreparedChunk, Record};
use crate::vault::Sealing;

use super::{Ask, NewContract, Own, Status, column};

/// Judges one record.
pub(super) fn judge(judge: &Judge, sealing: &mut Sealing, record: Record<'_>, into: &mut PreparedChunk) {
    let mut failures = Vec::new();
    let reference = record_ref(&record, column::RECORD_REF, &mut failures);
    let mut take = |column: u8, result: Result<(), Code>| {
        if let Err(code) = result {
            failures.push(Failure { field: column, code });
        }
    };
    let pan = fields::pan(record.cell(column::PAN), 11..=19);
    // An id is kept and shown in clear: it must not give the record's own PAN away.
    let holds_pan =
        |id: &str| pan.as_ref().is_ok_and(|pan| memchr::memmem::find(id.as_bytes(), pan.digits()).is_some());
    let id = text_of(record.cell(column::CONTRACT_ID), 64);
    let id = id.and_then(|id| if holds_pan(id) { Err(Code::FieldInvalid) } else { Ok(id) });
    take(column::CONTRACT_ID, id.map(|_| ()));
    take(column::PAN, pan.as_ref().map(|_| ()).map_err(|code| *code));
    let expiry = match record.cell(column::EXPIRY) {
        b"" => Err(Code::FieldMissing),
        text => Expiry::parse(text).ok_or(Code::ExpiryInvalid),
    };
    take(column::EXPIRY, expiry.map(|_| ()));
    let product = text_of(record.cell(column::PRODUCT), 48);
    take(column::PRODUCT, product.map(|_| ()));
    let status = match record.cell(column::STATUS) {
        b"" => Err(Code::FieldMissing),
        word => Status::from_word(word).ok_or(Code::FieldInvalid),
    };
    take(column::STATUS, status.map(|_| ()));

    let masked = pan.as_ref().map_or(Masked::NONE, crate::vault::Pan::masked);
    let mut row = record.row(reference, failures, masked);
    // Nor may it give away one that stands in the wrong place.
    let shown = id.ok().filter(|id| pan.is_ok() || !holds_card_number(id.as_bytes()));
    row.own = Own::packed(shown.unwrap_or_default(), Vec::new());
    if let (Ok(id), Ok(pan), Ok(expiry), Ok(product), Ok(status)) = (id, pan, expiry, product, status)
        && row.failures.is_empty()
    {
        if judge.products.get(product).is_none() {
            row.failures.push(Failure { field: column::PRODUCT, code: Code::ProductUnknown });
        } else {
            into.ask(Ask(Box::new(NewContract {
                id: id.into(),
                row: judge.row_id(record.ordinal),
                pan: judge.new_pan(&pan, record.ordinal, sealing),
                expiry,
                product: product.into(),
                status,
            })));
        }
    }
    into.rows.push(row);
}

fn text_of(cell: &[u8], chars_max: usize) -> Result<&str, Code> {
    match std::str::from_utf8(cell) {
        Ok("") => Err(Code::FieldMissing),
        Ok(text) if is_id(cell, chars_max) => Ok(text),
        _ => Err(Code::FieldInvalid),
    }
}
