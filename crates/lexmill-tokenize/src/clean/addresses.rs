//! Addresses of the web and of e-mail.

use super::numbers::{is_digit, joins_digits};
use super::*;

const SCHEMES: [&[u8]; 4] = [b"https", b"http", b"ftps", b"ftp"];

pub(super) fn urls(mut edit: Edit<'_, '_>, counts: &mut CleaningCounts) -> bool {
    let text = edit.text;
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(found) = memchr2(b':', b'.', &bytes[at..]) {
        let mark = at + found;
        at = mark + 1;
        let url = match bytes[mark] {
            b':' => url_with_scheme(text, edit.done, mark),
            _ => url_with_www(text, edit.done, mark),
        };
        if let Some((start, end)) = url {
            edit.replace(start, end, URL);
            counts.urls += 1;
            at = end;
        }
    }
    edit.finish()
}

/// Where the URL begins and ends whose scheme ends at `colon`. It does not begin before `floor`.
fn url_with_scheme(text: &str, floor: usize, colon: usize) -> Option<(usize, usize)> {
    let bytes = text.as_bytes();
    let host = colon + 3;
    if bytes.get(colon..host)? != b"://" {
        return None;
    }
    let before = &bytes[floor..colon];
    let ends_in = |scheme: &&&[u8]| {
        before
            .len()
            .checked_sub(scheme.len())
            .is_some_and(|n| before[n..].eq_ignore_ascii_case(scheme))
    };
    let start = colon - SCHEMES.iter().find(ends_in)?.len();
    let host_end = if bytes.get(host) == Some(&b'[') {
        let end = run_end(text, host + 1, |c| c.is_ascii_hexdigit() || matches!(c, ':' | '.'));
        let end = (end > host + 1 && bytes.get(end) == Some(&b']')).then_some(end + 1)?;
        run_end(text, end, |c| c == ':' || c.is_ascii_digit())
    } else {
        text[host..].chars().next().filter(|c| is_address_letter(*c))?;
        run_end(text, host, |c| is_address_letter(c) || "-._~%+:@".contains(c))
    };
    Some((start, url_end(text, host, host_end)))
}

/// Where the URL begins and ends that begins with `www` and the `.` at `dot`.
fn url_with_www(text: &str, floor: usize, dot: usize) -> Option<(usize, usize)> {
    let bytes = text.as_bytes();
    let (_, www) = bytes[floor..dot].split_last_chunk::<3>()?;
    let start = dot - 3;
    let glued = |c| c == '-' || joins_digits(c);
    if !www.eq_ignore_ascii_case(b"www")
        || text[floor..start].chars().next_back().is_some_and(glued)
    {
        return None;
    }
    let label = |from| run_end(text, from, |c| is_address_letter(c) || c == '-');
    let (mut labels, mut end) = (0, dot);
    while bytes.get(end) == Some(&b'.') {
        let next = label(end + 1);
        if next == end + 1 {
            break;
        }
        labels += 1;
        end = next;
    }
    if labels < 2 {
        return None;
    }
    if bytes.get(end) == Some(&b':') {
        let port = run_end(text, end + 1, |c| c.is_ascii_digit());
        end = if port > end + 1 { port } else { end };
    }
    Some((start, url_end(text, dot + 1, end)))
}

/// Where a URL ends, path and all, whose host begins with a letter at `host` and may end at
/// `host_end`.
fn url_end(text: &str, host: usize, host_end: usize) -> usize {
    if !text[host_end..].starts_with(['/', '?', '#']) {
        let host = text[..host_end].trim_end_matches(|c| !is_address_letter(c) && c != ']');
        return host.len();
    }
    // A bracket that was not opened belongs to the text around: (see http://example.com/).
    let (mut round, mut square) = (0, 0);
    let end = run_end(text, host_end, |c| match c {
        '(' => {
            round += 1;
            true
        }
        '[' => {
            square += 1;
            true
        }
        ')' => {
            round -= 1;
            round >= 0
        }
        ']' => {
            square -= 1;
            square >= 0
        }
        '<' | '>' | '"' | '{' | '}' | '|' | '\\' | '^' | '`' => false,
        c => c.is_ascii_graphic() || is_address_letter(c),
    });
    let trailing = |c| ".,;:!?'*_~([&".contains(c);
    host + text[host..end].trim_end_matches(trailing).len()
}

pub(super) fn emails(mut edit: Edit<'_, '_>, counts: &mut CleaningCounts) -> bool {
    let text = edit.text;
    let mut at = 0;
    while let Some(found) = memchr(b'@', &text.as_bytes()[at..]) {
        let mark = at + found;
        at = mark + 1;
        if let Some(start) = mailbox_start(&text[edit.done..mark])
            && let Some(end) = mail_domain_end(text, mark + 1)
        {
            edit.replace(edit.done + start, end, EMAIL);
            counts.emails += 1;
            at = end;
        }
    }
    edit.finish()
}

/// Where in the text before an `@` the address begins.
fn mailbox_start(before: &str) -> Option<usize> {
    let local = |c| is_address_letter(c) || "._%+-".contains(c);
    let outside = before.trim_end_matches(local);
    let mailbox = before[outside.len()..].trim_start_matches(['.', '%', '+', '-']);
    // `@user@example.social` is a handle.
    let is_address = !mailbox.is_empty() && !mailbox.ends_with('.') && !outside.ends_with('@');
    is_address.then_some(before.len() - mailbox.len())
}

/// Where the domain at `from` ends, which must be one of at least two labels.
fn mail_domain_end(text: &str, from: usize) -> Option<usize> {
    let (mut at, mut end) = (from, None);
    loop {
        let run = run_end(text, at, |c| is_address_letter(c) || c == '-');
        let label = text[at..run].trim_end_matches('-');
        if label.is_empty() || label.starts_with('-') {
            return end;
        }
        let top_level = label.chars().all(char::is_alphabetic) && label.chars().nth(1).is_some();
        if at > from && (top_level || label.starts_with("xn--")) {
            end = Some(at + label.len());
        }
        if at + label.len() < run || !text[run..].starts_with('.') {
            return end;
        }
        at = run + 1;
    }
}

/// Letters and digits of addresses. In scripts that are written without spaces the text goes on
/// right after an address, and in Korean a particle does.
fn is_address_letter(c: char) -> bool {
    match c.is_ascii() {
        true => c.is_ascii_alphanumeric(),
        false => {
            let hangul = matches!(
                c,
                '\u{1100}'..='\u{11ff}'
                    | '\u{3130}'..='\u{318f}'
                    | '\u{a960}'..='\u{a97f}'
                    | '\u{ac00}'..='\u{d7ff}'
                    | '\u{ffa0}'..='\u{ffdc}'
            );
            !hangul && (joins_digits(c) || is_digit(c))
        }
    }
}
