//! Diagnostics as text: header, source line with carets, labels, notes, calls, hint.
//!
//! Small on purpose: snippet libraries put the position below the message and walk whole lines,
//! while our header is `file:line:col: error[code]: message` and a line may be 10 MB long.
//! Invariant: what is shown of a line is a window of at most [`WINDOW`] characters around the
//! caret, without control characters, whatever the text holds.

use std::fmt::Write;

use super::sources::floor_boundary;
use super::{Diagnostic, Place, Sources};

/// How many characters of a line are shown.
const WINDOW: usize = 120;

/// How many characters are shown before the caret when a line is cut.
const BEFORE: usize = 60;

pub(super) fn render(d: &Diagnostic, sources: &Sources) -> String {
    let mut out = String::new();
    if let Some(place) = d.place {
        let _ = write!(out, "{}: ", sources.position(place.file, place.span));
    }
    let severity = d.severity.as_str();
    let _ = writeln!(out, "{severity}[{}]: {}", d.code, d.message);
    if let Some(place) = d.place {
        snippet(&mut out, sources, place);
    }
    for label in &d.labels {
        let position = sources.position(label.place.file, label.place.span);
        let _ = writeln!(out, "{position}: note: {}", label.text);
        snippet(&mut out, sources, label.place);
    }
    for frame in &d.trace {
        let _ = write!(out, "  called from {}", frame.caller);
        if let Some(place) = frame.place {
            let _ = write!(out, " at {}", sources.position(place.file, place.span));
        }
        out.push('\n');
    }
    if d.trace_more > 0 {
        let _ = writeln!(out, "  … {} more", d.trace_more);
    }
    for note in &d.notes {
        let _ = writeln!(out, "  = note: {note}");
    }
    if let Some(hint) = &d.hint {
        let _ = writeln!(out, "  = hint: {hint}");
    }
    out
}

/// The line of a place with carets below; a place over several lines is marked on its first.
fn snippet(out: &mut String, sources: &Sources, place: Place) {
    let text = sources.text(place.file);
    let line = sources.line_range(place.file, place.span.lo);
    let lo = floor_boundary(text, place.span.lo as usize).clamp(line.start, line.end);
    let hi = floor_boundary(text, place.span.hi as usize).clamp(lo, line.end);
    let before = &text[line.start..lo];
    let after = &text[lo..line.end];

    // A short line is shown whole; of a long one, a window.
    let long = text[line.clone()].chars().take(WINDOW + 1).count() > WINDOW;
    let from = match before.char_indices().rev().nth(BEFORE) {
        Some((at, c)) if long => at + c.len_utf8(),
        _ => 0,
    };
    let shown_before = &before[from..];
    let room = WINDOW - shown_before.chars().count().min(WINDOW);
    let to = match after.char_indices().nth(room) {
        Some((at, _)) if long => at,
        _ => after.len(),
    };

    let mut shown = String::new();
    let mut carets = String::new();
    if from > 0 {
        shown.push('…');
        carets.push(' ');
    }
    for c in shown_before.chars() {
        let width = push_visible(&mut shown, c);
        carets.extend(std::iter::repeat_n(' ', width));
    }
    for (at, c) in after[..to].char_indices() {
        let width = push_visible(&mut shown, c);
        if at < hi - lo {
            carets.extend(std::iter::repeat_n('^', width));
        }
    }
    if to < after.len() {
        shown.push('…');
    }
    if hi == lo || to == 0 {
        carets.push('^');
    }

    let number = sources
        .line_col(place.file, line.start as u32)
        .line
        .to_string();
    let gutter = " ".repeat(number.len());
    let _ = writeln!(out, "{gutter} |");
    let shown = shown.trim_end();
    if shown.is_empty() {
        let _ = writeln!(out, "{number} |");
    } else {
        let _ = writeln!(out, "{number} | {shown}");
    }
    let _ = writeln!(out, "{gutter} | {carets}");
}

/// Appends a character as a terminal can show it; returns its width.
fn push_visible(out: &mut String, c: char) -> usize {
    match c {
        '\t' => {
            out.push_str("    ");
            4
        }
        // The pictures of the C0 control characters, so that a file cannot drive the terminal.
        '\0'..='\u{1f}' => {
            out.push(char::from_u32(0x2400 + c as u32).unwrap_or('\u{fffd}'));
            1
        }
        '\u{7f}'..='\u{9f}'
        | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2066}'..='\u{2069}' => {
            out.push('\u{fffd}');
            1
        }
        _ => {
            out.push(c);
            1
        }
    }
}
