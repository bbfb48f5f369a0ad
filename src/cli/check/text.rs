//! Findings for people, as compilers print them: code, sentence, `FILE:LINE`, the line with a caret under what is wrong, what to do.

use std::fmt::Write as _;
use std::io::{self, BufWriter, Stdout, Write as _};

use annotate_snippets::{AnnotationKind, Group, Level as Shade, Origin, Renderer, Snippet};

use crate::model::{Decision, Outcome};
use crate::pipeline::{Finding, Findings, Foreseen, Level};

use super::{Said, Shown};

pub(super) struct Text<'a> {
    out: BufWriter<Stdout>,
    file: &'a str,
    renderer: Renderer,
}

impl<'a> Text<'a> {
    pub(super) const fn new(out: BufWriter<Stdout>, file: &'a str, colours: bool) -> Self {
        Self { out, file, renderer: if colours { Renderer::styled() } else { Renderer::plain() } }
    }
}

impl Findings for Text<'_> {
    fn found(&mut self, finding: &Finding) -> io::Result<()> {
        let rendered = self.renderer.render(&[group(self.file, finding)]);
        writeln!(self.out, "{rendered}\n")
    }
}

impl Shown for Text<'_> {
    fn ended(&mut self, foreseen: &Foreseen, said: &Said<'_>) -> io::Result<()> {
        writeln!(self.out, "{}", closing_line(foreseen, said))?;
        self.out.flush()
    }
}

fn group<'a>(file: &'a str, finding: &'a Finding) -> Group<'a> {
    let shade = match finding.level {
        Level::Error => Shade::ERROR,
        Level::Note => Shade::NOTE,
    };
    let mut title = shade.primary_title(finding.description.as_str());
    if let Some(code) = finding.code {
        title = title.id(code.as_str());
    }
    let group = match (&finding.excerpt, finding.line) {
        (Some(excerpt), _) => {
            let mark = AnnotationKind::Primary.span(excerpt.mark.clone()).label(finding.field);
            let line = usize::try_from(excerpt.line).unwrap_or(usize::MAX);
            title.element(Snippet::source(excerpt.text.as_str()).line_start(line).path(file).annotation(mark))
        }
        (None, Some(line)) => title.element(Origin::path(file).line(usize::try_from(line).unwrap_or(usize::MAX))),
        (None, None) => title.element(Origin::path(file)),
    };
    let group = group.element(Shade::HELP.message(finding.remedy));
    match about(finding) {
        about if about.is_empty() => group,
        about => group.element(Shade::NOTE.message(about)),
    }
}

/// Which record it is, where the line does not say it; and whose move it is, where it is not the sender's.
fn about(finding: &Finding) -> String {
    let mut parts = Vec::new();
    if !finding.record_ref.is_empty() {
        parts.push(format!("record {}", finding.record_ref));
    }
    let masked = finding.masked.to_string();
    if !masked.is_empty() {
        parts.push(format!("PAN {masked}"));
    }
    if finding.owner != "sender" {
        parts.push(format!("a matter for the {}", finding.owner));
    }
    parts.join(", ")
}

/// One line that says it all.
fn closing_line(foreseen: &Foreseen, said: &Said<'_>) -> String {
    let mut line = format!("{} would ", said.file);
    // Writing to a string cannot fail.
    let _ = match (foreseen.decision, &foreseen.refusal) {
        (None, _) => write!(line, "never be taken"),
        (Some(Decision::Duplicate), _) => {
            let first = foreseen.duplicate_of.as_deref().unwrap_or("an earlier file");
            write!(line, "be answered as the same file again, as {first}")
        }
        (Some(Decision::Refused), Some(refusal)) => write!(line, "be refused: {}", refusal.code),
        (Some(_), _) => write!(line, "be accepted"),
    };
    if let Some(records) = foreseen.records {
        let _ = write!(line, "; {records} record{}", if records == 1 { "" } else { "s" });
    }
    for outcome in Outcome::ALL {
        match foreseen.tally.of(outcome) {
            0 => {}
            count => _ = write!(line, ", {count} {}", outcome.as_str()),
        }
    }
    if !foreseen.codes.is_empty() {
        let codes: Vec<String> =
            foreseen.codes.iter().map(|(code, count)| format!("{count} {}", code.as_str())).collect();
        let _ = write!(line, " ({})", codes.join(", "));
    }
    line
}
