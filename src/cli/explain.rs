//! temp
use super::*;
pub(super) fn explain(_: &str, _: bool) -> ExitCode {
    ExitCode::Ok
}
