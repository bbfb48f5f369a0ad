//! The record services: each a folder with its record, its rules, its columns, its answer.

pub mod reference;
