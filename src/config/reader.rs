//! Takes typed values out of a TOML document, and remembers every problem it meets on the way.
//!
//! Deserializing with serde stops at the first mistake; an operator who mends a file wants all of them at once. So a
//! value that is wrong is noted with its key path and line, and reading goes on as if it were absent. A [`Section`]
//! knows the keys it was asked for: whatever else the file holds there is not a key of this version.

use std::cell::RefCell;
use std::ops::Range;
use std::path::{Component, Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Problem;

/// The file being read.
pub(super) struct Document<'d> {
    text: &'d str,
    /// Relative paths start here.
    directory: &'d Path,
    problems: RefCell<Vec<Problem>>,
}

impl<'d> Document<'d> {
    pub(super) const fn new(text: &'d str, directory: &'d Path) -> Self {
        Self { text, directory, problems: RefCell::new(Vec::new()) }
    }

    pub(super) fn note(&self, place: &Place, message: impl Into<String>) {
        let problem = self.problem(place, message);
        self.problems.borrow_mut().push(problem);
    }

    fn problem(&self, place: &Place, message: impl Into<String>) -> Problem {
        Problem { line: place.at.map(|at| self.line(at)), key: place.path.clone(), message: message.into() }
    }

    fn resolve(&self, text: &str) -> PathBuf {
        normal(&self.directory.join(text))
    }

    /// The line that holds the byte `at`.
    fn line(&self, at: usize) -> usize {
        self.text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1
    }

    /// In the order of the file; what is nowhere in it comes first.
    pub(super) fn into_problems(self) -> Vec<Problem> {
        let mut problems = self.problems.into_inner();
        problems.sort();
        problems.dedup();
        problems
    }
}

/// Where a problem is: a key path, and a byte of the file if it stands there.
#[derive(Clone, Debug, Default)]
pub(super) struct Place {
    pub(super) path: String,
    pub(super) at: Option<usize>,
}

impl Place {
    pub(super) fn key(&self, key: &str) -> Self {
        let path = if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) };
        Self { path, at: self.at }
    }

    fn index(&self, index: usize, at: usize) -> Self {
        Self { path: format!("{}[{index}]", self.path), at: Some(at) }
    }
}

/// A table of the document; an absent one reads as empty, so that its required keys are reported one by one.
pub(super) struct Section<'d> {
    document: &'d Document<'d>,
    place: Place,
    table: Option<&'d DeTable<'d>>,
    known: RefCell<Vec<&'static str>>,
}

impl<'d> Section<'d> {
    pub(super) fn root(document: &'d Document<'d>, table: &'d DeTable<'d>) -> Self {
        Self::new(document, Place::default(), Some(table))
    }

    const fn new(document: &'d Document<'d>, place: Place, table: Option<&'d DeTable<'d>>) -> Self {
        Self { document, place, table, known: RefCell::new(Vec::new()) }
    }

    /// Where the key stands, or would stand.
    pub(super) fn place(&self, key: &'static str) -> Place {
        self.get(key).map_or_else(|| self.place.key(key), |value| value.place)
    }

    pub(super) fn note(&self, key: &'static str, message: impl Into<String>) {
        self.document.note(&self.place(key), message);
    }

    /// A problem that is only to be known about.
    pub(super) fn problem(&self, key: &'static str, message: &str) -> Problem {
        self.document.problem(&self.place(key), message)
    }

    pub(super) const fn document(&self) -> &'d Document<'d> {
        self.document
    }

    /// Whether the key is written, rightly or wrongly.
    pub(super) fn has(&self, key: &'static str) -> bool {
        self.get(key).is_some()
    }

    pub(super) fn optional<T>(&self, key: &'static str, read: impl FnOnce(&Value<'d>) -> Option<T>) -> Option<T> {
        self.get(key).and_then(|value| read(&value))
    }

    pub(super) fn required<T>(&self, key: &'static str, read: impl FnOnce(&Value<'d>) -> Option<T>) -> Option<T> {
        match self.get(key) {
            Some(value) => read(&value),
            None => {
                self.note(key, "required, but absent");
                None
            }
        }
    }

    pub(super) fn or<T>(&self, key: &'static str, default: T, read: impl FnOnce(&Value<'d>) -> Option<T>) -> T {
        self.optional(key, read).unwrap_or(default)
    }

    /// A path as if it were written here.
    pub(super) fn resolve(&self, text: &str) -> PathBuf {
        self.document.resolve(text)
    }

    /// The table `[key]`.
    pub(super) fn section(&self, key: &'static str) -> Self {
        match self.optional(key, Value::section) {
            Some(section) => section,
            None => Self::new(self.document, self.place.key(key), None),
        }
    }

    /// The tables `[[key]]`.
    pub(super) fn sections(&self, key: &'static str) -> Vec<Self> {
        let Some(value) = self.get(key) else { return Vec::new() };
        if value.value.is_table() {
            value.note(format!("expected one or more tables: write [[{key}]] instead of [{key}]"));
            return Vec::new();
        }
        value.elements().unwrap_or_default().iter().filter_map(Value::section).collect()
    }

    /// Reports every key that was not asked for. To be called once all have been.
    pub(super) fn refuse_unknown(&self) {
        let known = self.known.borrow();
        for key in self.table.into_iter().flat_map(|table| table.keys()) {
            let (name, span) = (key.get_ref(), key.span());
            if known.contains(&name.as_ref()) {
                continue;
            }
            let nearest = nearest(name, known.iter().copied());
            let hint = nearest.map(|it| format!("; did you mean `{it}`?")).unwrap_or_default();
            let place = Place { path: self.place.key(name).path, at: Some(span.start) };
            self.document.note(&place, format!("not a key of this version{hint}"));
        }
    }

    fn get(&self, key: &'static str) -> Option<Value<'d>> {
        if !self.known.borrow().contains(&key) {
            self.known.borrow_mut().push(key);
        }
        let (_, value) = self.table?.iter().find(|(name, _)| name.get_ref() == key)?;
        Some(Value::new(self.document, self.place.key(key).path, value))
    }

    #[cfg(test)]
    pub(super) fn known(&self) -> Vec<&'static str> {
        self.known.borrow().clone()
    }
}

/// A value of the document, with its key path.
pub(super) struct Value<'d> {
    document: &'d Document<'d>,
    pub(super) place: Place,
    value: &'d DeValue<'d>,
}

impl<'d> Value<'d> {
    fn new(document: &'d Document<'d>, path: String, value: &'d Spanned<DeValue<'d>>) -> Self {
        let Range { start, .. } = value.span();
        Self { document, place: Place { path, at: Some(start) }, value: value.get_ref() }
    }

    pub(super) fn note(&self, message: impl Into<String>) {
        self.document.note(&self.place, message);
    }

    /// The value, or the problem noted.
    pub(super) fn checked<T>(&self, value: Result<T, impl Into<String>>) -> Option<T> {
        value.map_err(|message| self.note(message)).ok()
    }

    fn expected<T>(&self, what: &str, found: Option<T>) -> Option<T> {
        let kind = match self.value {
            DeValue::String(_) => "a string",
            DeValue::Integer(_) => "an integer",
            DeValue::Float(_) => "a float",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "an array",
            DeValue::Table(_) => "a table",
        };
        self.checked(found.ok_or_else(|| format!("expected {what}, found {kind}")))
    }

    pub(super) fn is_text(&self) -> bool {
        self.value.is_str()
    }

    /// A string that is not empty and holds no control character.
    pub(super) fn text(&self) -> Option<&'d str> {
        let text = self.expected("a string", self.value.as_str())?;
        if text.is_empty() {
            self.note("must not be empty");
            return None;
        }
        if text.chars().any(char::is_control) {
            self.note("holds a control character");
            return None;
        }
        Some(text)
    }

    /// A string that may be anything, for values with rules of their own.
    pub(super) fn raw(&self) -> Option<&'d str> {
        self.expected("a string", self.value.as_str())
    }

    pub(super) fn flag(&self) -> Option<bool> {
        self.expected("true or false", self.value.as_bool())
    }

    /// A whole number from `low` to `high`.
    pub(super) fn number<T: Copy + TryFrom<i64> + TryInto<i64>>(&self, low: T, high: T) -> Option<T> {
        let number = self.expected("a whole number", self.integer())?;
        let bound = |it: T| it.try_into().unwrap_or(i64::MAX);
        let inside = (bound(low)..=bound(high)).contains(&number);
        let number = if inside { T::try_from(number).ok() } else { None };
        self.checked(number.ok_or_else(|| format!("must be from {} to {}", bound(low), bound(high))))
    }

    /// The integer as written; one too large for 64 bits reads as the largest, which every bound refuses.
    pub(super) fn integer(&self) -> Option<i64> {
        let DeValue::Integer(digits) = self.value else { return None };
        let low = if digits.as_str().starts_with('-') { i64::MIN } else { i64::MAX };
        Some(i64::from_str_radix(digits.as_str(), digits.radix()).unwrap_or(low))
    }

    /// One of the words; `later` are those that the documentation knows and this version does not.
    pub(super) fn word<T: Copy>(&self, words: &[(&str, T)], later: &[&str]) -> Option<T> {
        let text = self.raw()?;
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
            return Some(*value);
        }
        let listed = words.iter().map(|(word, _)| format!("\"{word}\"")).collect::<Vec<_>>().join(" or ");
        self.note(if later.contains(&text) {
            format!("this version does not serve \"{text}\" yet; it knows {listed}")
        } else {
            format!("must be {listed}")
        });
        None
    }

    /// A path, made absolute: relative ones start at the file's own directory.
    pub(super) fn path(&self) -> Option<PathBuf> {
        self.text().map(|text| self.resolve(text))
    }

    /// The same for a path that is only part of a value.
    pub(super) fn resolve(&self, text: &str) -> PathBuf {
        self.document.resolve(text)
    }

    /// An array of at least one element; wrong elements are noted and make the whole absent.
    pub(super) fn list<T>(&self, read: impl Fn(&Value<'d>) -> Option<T>) -> Option<Vec<T>> {
        if self.elements()?.is_empty() {
            self.note("must not be empty");
            return None;
        }
        self.list_or_nothing(read)
    }

    /// The same of an array that may have none.
    pub(super) fn list_or_nothing<T>(&self, read: impl Fn(&Value<'d>) -> Option<T>) -> Option<Vec<T>> {
        let elements = self.elements()?;
        let count = elements.len();
        let values: Vec<T> = elements.iter().filter_map(read).collect();
        (values.len() == count).then_some(values)
    }

    fn elements(&self) -> Option<Vec<Self>> {
        let array = self.expected("an array", self.value.as_array())?;
        let element = |(index, value): (usize, &'d Spanned<DeValue<'d>>)| Self {
            document: self.document,
            place: self.place.index(index, value.span().start),
            value: value.get_ref(),
        };
        Some(array.iter().enumerate().map(element).collect())
    }

    pub(super) fn section(&self) -> Option<Section<'d>> {
        let table = self.expected("a table", self.value.as_table())?;
        Some(Section::new(self.document, self.place.clone(), Some(table)))
    }
}

/// The candidate most like `word`, if one is like it at all.
fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= candidate.len().max(3) / 3)
        .min()
        .map(|(_, candidate)| candidate)
}

/// The path without `.` and `..`, by its text alone.
fn normal(path: &Path) -> PathBuf {
    let mut whole = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                whole.pop();
            }
            Component::Prefix(_) | Component::RootDir | Component::Normal(_) => whole.push(part),
        }
    }
    whole
}
