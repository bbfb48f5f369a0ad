//! Reference data: which account ranges and which card products are an issuer's own.
//!
//! Both come as small CSV files that an operator keeps. They are read whole and every mistake in them is reported at once;
//! a file with one mistake is not used at all. A mistake names line and column and what is expected, never a value.

mod products;
mod ranges;
mod table;

pub use self::products::{CardProduct, CardProducts, IssuerProducts};
pub use self::ranges::{AccountRange, AccountRanges, IssuerRanges, is_empty_range, is_same_range, lies_within};
pub use self::table::Mistake;
