//! What can be said of a record and its request by themselves: names, ids, bounds, the PAN, and what the issuer owns.

use std::sync::Arc;

use crate::model::{Code, Failure, InRequest, Masked, Outcome};
use crate::services::fields::{self, holds_card_number, record_ref};
use crate::services::reference::is_empty_range;
use crate::services::{Judge, PreparedChunk, Record};
use crate::vault::{Pan, Sealing};

use super::{Ask, Brings, Brought, GivenRange, Head, ListRef, Operation, Own, Range, RequestFailure, Wanted, column};

/// The longest value that an answer repeats. No PAN is nearly so long.
const REPEATED_BYTES_MAX: usize = 64;

/// Judges one record.
pub(super) fn judge(judge: &Judge, sealing: &mut Sealing, record: Record<'_>, into: &mut PreparedChunk) {
    let alone = InRequest { request: record.ordinal + 1, n: 1, records: 1, is_array: false, is_row: true };
    let request = record.request.unwrap_or(alone);
    let mut failures = Vec::new();
    let reference = if request.is_row {
        record_ref(&record, column::RECORD_REF, &mut failures).to_owned()
    } else {
        format!("{}.{}", request.request, request.n)
    };
    let shared = into.last_ask::<Ask>().filter(|last| last.head.request == request.request);
    let head = match shared {
        Some(last) => Ok(Arc::clone(&last.head)),
        None => head(judge, &record, request).map(Arc::new),
    };
    let cell = record.cell(column::PAN);
    let pan = (request.records > 0).then(|| fields::pan(cell, 11..=19));
    let masked = pan.as_ref().and_then(|pan| pan.as_ref().ok()).map_or(Masked::NONE, Pan::masked);
    let mut own = Own { operation: operation(record.cell(column::OPERATION), request.is_row).ok(), ..Own::default() };
    let repeats = judge.answers_sealed && !request.is_row && !cell.is_empty() && cell.len() <= REPEATED_BYTES_MAX;
    let row_id = judge.row_id(record.ordinal);
    let repeated = |sealing: &mut Sealing| match repeats {
        true => sealing.seal_text(cell, row_id).into_boxed_slice(),
        false => Box::default(),
    };
    own.row = if repeats { row_id } else { 0 };
    let mut likely = false;

    match head {
        Err(request_failures) => {
            failures.extend(request_failures.into_iter().map(|(field, code)| Failure { field, code }));
            failures.sort_by_key(|failure| failure.field);
            own.repeated = repeated(sealing);
        }
        Ok(head) => {
            match &head.list {
                Wanted::New(_) => own.list = ListRef::Request(request.request),
                // Unless the register does not know it.
                Wanted::Known(id) => (own.list, own.named) = (ListRef::Known(*id), Some(*id)),
            }
            let adds = head.operation == Operation::Register;
            let brings = match pan {
                None if failures.is_empty() => Brings::Nothing,
                Some(Ok(pan)) if failures.is_empty() => {
                    let repeated = repeated(sealing);
                    let narrowest = head.range.is_none().then(|| judge.ranges.narrowest(pan.digits()).cloned());
                    let new = judge.new_pan(&pan, record.ordinal, sealing);
                    Brings::Pan(Box::new(Brought { new, narrowest: narrowest.flatten(), repeated, pan }))
                }
                failed => {
                    if let Some(Err(code)) = failed {
                        failures.push(Failure { field: column::PAN, code });
                    }
                    own.repeated = repeated(sealing);
                    Brings::Failed
                }
            };
            likely = adds && matches!(brings, Brings::Pan(_));
            into.ask(Ask { head, ordinal: record.ordinal, row: row_id, brings });
        }
    }
    let mut row = record.row(&reference, failures, masked);
    row.outcome = Outcome::Rejected;
    if likely {
        // What it will be unless the register is against it, so that the row can be packed before that is asked.
        row.outcome = Outcome::Registered;
    }
    row.own = own.packed();
    into.rows.push(row);
}

/// What a request's operation is. In JSON a registration need not say that it is one: the API's own body does not.
fn operation(cell: &[u8], is_row: bool) -> Result<Operation, Code> {
    match cell {
        b"REGISTER" => Ok(Operation::Register),
        b"DEREGISTER" => Ok(Operation::Deregister),
        b"" if !is_row => Ok(Operation::Register),
        b"" => Err(Code::FieldMissing),
        _ => Err(Code::FieldInvalid),
    }
}

/// The request that a record is of, or all that is wrong with it.
fn head(judge: &Judge, record: &Record<'_>, request: InRequest) -> Result<Head, Vec<RequestFailure>> {
    // What else it must hold depends on what it does.
    let operation =
        operation(record.cell(column::OPERATION), request.is_row).map_err(|code| vec![(column::OPERATION, code)])?;
    let mut failures = Vec::new();
    let (id, name) = (record.cell(column::LIST_ID), record.cell(column::LIST_NAME));
    let mut list = None;
    match (id, name, operation) {
        (b"", b"", Operation::Register) => failures.push((column::LIST_NAME, Code::FieldMissing)),
        (b"", _, Operation::Deregister) => failures.push((column::LIST_ID, Code::FieldMissing)),
        (b"", name, Operation::Register) => match list_name(name) {
            Some(name) => list = Some(Wanted::New(name.into())),
            None => failures.push((column::LIST_NAME, Code::ListNameInvalid)),
        },
        (id, name, _) => {
            match list_id(id) {
                Some(id) => list = Some(Wanted::Known(id)),
                None => failures.push((column::LIST_ID, Code::FieldInvalid)),
            }
            if !name.is_empty() {
                failures.push((column::LIST_NAME, Code::FieldInvalid));
            }
        }
    }
    let range = given_range(judge, record, &mut failures);
    if matches!(list, Some(Wanted::New(_))) && request.records == 0 && range.is_none() && failures.is_empty() {
        failures.push((column::PAN, Code::PansOrRangeMissing));
    }
    match list {
        Some(list) if failures.is_empty() => {
            Ok(Head { request: request.request, operation, list, range, ids: judge.ids.clone() })
        }
        _ => Err(failures),
    }
}

fn given_range(judge: &Judge, record: &Record<'_>, failures: &mut Vec<RequestFailure>) -> Option<GivenRange> {
    let (low, high) = (record.cell(column::RANGE_LOW), record.cell(column::RANGE_HIGH));
    if low.is_empty() && high.is_empty() {
        return None;
    }
    let mut bound = |column: u8, digits: &[u8]| -> Option<Box<str>> {
        let right = (11..=19).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit);
        let text = std::str::from_utf8(digits).ok().filter(|_| right);
        if text.is_none() {
            failures.push((column, Code::RangeInvalid));
        }
        text.map(Into::into)
    };
    let (low, high) = (bound(column::RANGE_LOW, low), bound(column::RANGE_HIGH, high));
    let (low, high) = (low?, high?);
    if is_empty_range(low.as_bytes(), high.as_bytes()) {
        failures.push((Failure::WHOLE, Code::RangeInvalid));
        return None;
    }
    let owned = judge.ranges.around(low.as_bytes(), high.as_bytes()).map(|owned| Range::of(owned, &low, &high));
    Some(GivenRange { low, high, owned })
}

/// `[a-zA-Z0-9 -]{1,64}`, and no card number in disguise: a name is shown in the clear.
fn list_name(text: &[u8]) -> Option<&str> {
    let letters = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b' ' | b'-');
    let right = (1..=64).contains(&text.len()) && text.iter().all(letters) && !holds_card_number(text);
    std::str::from_utf8(text).ok().filter(|_| right)
}

/// 18 digits. One that begins with 0 was never given out.
fn list_id(text: &[u8]) -> Option<u64> {
    let right = text.len() == 18 && text.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(text).ok().filter(|_| right)?.parse().ok()
}
