//! Pass 1: the whole text, proven or refused.

use std::sync::Arc;

use memchr::memchr_iter;

use crate::model::{Code, Header, Refusal};
use crate::parse::Options;
use crate::parse::encoding::{MARK, OPENING_BYTES, Opening, Utf8};
use crate::parse::sensitive::Sniffer;

use super::json::keys::KeyWatch;
use super::json::layout::Form;
use super::{Format, Layout, csv, json};

/// A file whose encoding, control records, columns and structure are as they must be.
#[derive(Clone, Debug, PartialEq)]
pub struct Proven {
    /// Its header, which agrees with the feed; `None` where none is required and none is there.
    pub header: Option<Header>,
    /// How many records it has.
    pub records: u64,
    /// SHA-256 of all its bytes but the header's, the trailer's and a byte order mark: the same content under another
    /// batch key has the same. So have all files without records and with the same column line.
    pub content_digest: [u8; 32],
    /// What pass 2 needs to know.
    pub layout: Arc<Layout>,
}

/// Reads a whole text, piece by piece, and finds the failure that comes first in the order of the contract, wherever in
/// the file it stands: encoding, header, columns, structure, trailer, count, digest.
///
/// However the text is split into pieces, the answer is the same. At most one record is kept in memory.
pub struct Survey {
    /// The first bytes, until there are enough to tell the encoding.
    first: Vec<u8>,
    opening: Option<Opening>,
    utf8: Utf8,
    sniffer: Sniffer,
    /// Line feeds so far.
    newlines: u64,
    /// The failure that no other precedes.
    encoding: Option<Refusal>,
    /// The first failure after it. The classes come in the order of the text, so that the first found is the one.
    later: Option<Refusal>,
    structure: Structure,
    /// Whether the text's head is looked at as a line of columns.
    sniffs: bool,
    /// Keys of JSON. A text that is taken for the wrong one of the two, by its name or its feed, is watched both ways.
    keys: Option<KeyWatch>,
}

/// What is read, once the first bytes have said how it is written.
enum Structure {
    Unknown(Box<Options>),
    Csv(Box<csv::structure::Structure>),
    Json(Box<json::structure::Structure>),
    D1(Box<json::d1::structure::Structure>),
}

impl Survey {
    /// Begins a file of this feed.
    pub fn new(options: Options) -> Self {
        Self {
            first: Vec::with_capacity(OPENING_BYTES),
            opening: None,
            utf8: Utf8::default(),
            sniffer: Sniffer::default(),
            newlines: 0,
            encoding: None,
            later: None,
            structure: Structure::Unknown(Box::new(options)),
            sniffs: true,
            keys: None,
        }
    }

    /// Takes the next bytes of the text.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.opening.is_some() {
            return self.read(bytes);
        }
        let (head, rest) = bytes.split_at((OPENING_BYTES - self.first.len()).min(bytes.len()));
        self.first.extend_from_slice(head);
        if self.first.len() == OPENING_BYTES {
            self.open();
            self.read(rest);
        }
    }

    /// The header, once it was read and agrees with the feed; it can be told even of a file that is refused for what follows.
    pub fn header(&self) -> Option<&Header> {
        match &self.structure {
            Structure::Unknown(_) => None,
            Structure::Csv(structure) => structure.known_header(),
            Structure::Json(structure) => structure.known_header(),
            Structure::D1(structure) => structure.known_header(),
        }
    }

    /// Says that the text has ended.
    pub fn finish(mut self) -> Result<Proven, Refusal> {
        if self.opening.is_none() {
            if self.first.is_empty() {
                return Err(Refusal::new(Code::FileEmpty, "The file has no bytes; expected is text.").early());
            }
            self.open();
        }
        let sensitive = self.sniffer.finish();
        let named = self.keys.as_ref().and_then(KeyWatch::found);
        // A header that is wrong comes first, and so does the encoding; everything else comes after the keys.
        let comes_first = self.encoding.is_some()
            || match &self.structure {
                Structure::Json(structure) => structure.is_before_requests(),
                Structure::D1(structure) => structure.is_before_requests(),
                Structure::Csv(_) | Structure::Unknown(_) => true,
            };
        let decided = match (self.decide(), named) {
            // What a batch says of persons is passed over otherwise.
            (Ok(_), Some(line)) => Err(json::object::sensitive().at(line)),
            (decided, _) => decided,
        };
        decided.map_err(|refusal| match named {
            Some(line) if !comes_first => json::object::sensitive().at(line),
            named => {
                let sensitive = refusal.sensitive || sensitive || named.is_some();
                Refusal { sensitive, ..refusal }
            }
        })
    }

    /// The first bytes are there.
    fn open(&mut self) {
        let first = std::mem::take(&mut self.first);
        let opening = Opening::of(&first);
        self.opening = Some(opening);
        if let Opening::Foreign(name) = opening {
            let description = format!("The file is {name}; expected is UTF-8.");
            self.encoding = Some(Refusal::new(Code::EncodingInvalid, description).at(1));
        }
        let marked = opening == Opening::Marked;
        let text = if marked { &first[MARK.len()..] } else { &first[..] };
        self.begin(text, marked);
        self.read(text);
    }

    /// The format is decided.
    fn begin(&mut self, text: &[u8], marked: bool) {
        let Structure::Unknown(options) = &self.structure else { return };
        let options = Options::clone(options);
        let format = options.format.unwrap_or_else(|| Format::of_first(text, options.controls));
        let is_like_json = looks_like_json(text);
        let batch = options.d1.clone().filter(|_| format == Format::D1Batch && json::d1::names::fits(options.columns));
        if let Some(batch) = batch {
            self.sniffs = !is_like_json;
            self.structure = Structure::D1(Box::new(json::d1::structure::Structure::new(options, batch)));
            self.watch(marked, is_like_json);
            return;
        }
        self.structure = match (format, options.columns.request) {
            (Format::Jsonl | Format::Json, Some(request)) => {
                self.sniffs = !is_like_json;
                let form = if format == Format::Json { Form::Whole } else { Form::Lines };
                Structure::Json(Box::new(json::structure::Structure::new(options, request, form)))
            }
            // A service that takes no JSON refuses it as the CSV that it is not.
            _ => Structure::Csv(Box::new(csv::structure::Structure::new(options))),
        };
        self.watch(marked, is_like_json);
    }

    fn watch(&mut self, marked: bool, is_like_json: bool) {
        if is_like_json || matches!(self.structure, Structure::Json(_) | Structure::D1(_)) {
            self.keys = Some(KeyWatch::default());
        }
        match &mut self.structure {
            Structure::Csv(structure) if marked => structure.begin_marked(),
            Structure::Json(structure) if marked => structure.begin_marked(),
            Structure::D1(structure) if marked => structure.begin_marked(),
            _ => {}
        }
    }

    fn read(&mut self, bytes: &[u8]) {
        if let Some(keys) = &mut self.keys {
            keys.push(bytes);
        }
        if self.sniffs {
            self.sniffer.push(bytes);
        }
        if self.encoding.is_some() {
            return;
        }
        if let Err(at) = self.utf8.push(bytes) {
            let line = self.newlines + newlines(&bytes[..at]) + 1;
            let description = "The line holds bytes that are not UTF-8; expected is UTF-8 throughout.";
            self.encoding = Some(Refusal::new(Code::EncodingInvalid, description).at(line));
            return;
        }
        self.newlines += newlines(bytes);
        if self.later.is_none() {
            self.later = match &mut self.structure {
                Structure::Unknown(_) => None,
                Structure::Csv(structure) => structure.push(bytes).err(),
                Structure::Json(structure) => structure.push(bytes).err(),
                Structure::D1(structure) => structure.push(bytes).err(),
            };
        }
    }

    fn decide(self) -> Result<Proven, Refusal> {
        if let Some(refusal) = self.encoding {
            return Err(refusal);
        }
        let result = match self.later {
            Some(refusal) => Err(refusal),
            None => match self.structure {
                Structure::Unknown(_) => {
                    Err(Refusal::new(Code::FileEmpty, "The file has no bytes; expected is text.").early())
                }
                Structure::Csv(structure) => structure.finish(),
                Structure::Json(structure) => structure.finish(),
                Structure::D1(structure) => structure.finish(),
            },
        };
        if !self.utf8.is_open() {
            return result;
        }
        // The text stops within a character. In a record that is a cut record; elsewhere it is the encoding.
        Err(match result {
            Err(refusal) if refusal.code == Code::TrailerMissing => refusal,
            Ok(_) => {
                Refusal::new(Code::TrailerMissing, "The file ends within a character.").at(self.newlines + 1).early()
            }
            Err(_) => {
                let description = "The file ends within a character; expected is UTF-8 throughout.";
                Refusal::new(Code::EncodingInvalid, description).at(self.newlines + 1).early()
            }
        })
    }
}

/// Whether a text begins as JSON does, in whatever encoding.
fn looks_like_json(text: &[u8]) -> bool {
    let first = text.iter().find(|byte| !byte.is_ascii_whitespace() && byte.is_ascii() && **byte != 0);
    first.is_some_and(|byte| matches!(byte, b'{' | b'['))
}

fn newlines(bytes: &[u8]) -> u64 {
    u64::try_from(memchr_iter(b'\n', bytes).count()).unwrap_or(u64::MAX)
}
