//! The configuration, as written and as decided.
