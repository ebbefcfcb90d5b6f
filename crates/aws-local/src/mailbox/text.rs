//! Plain text with the web addresses in it found.

/// A stretch of plain text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece<'a> {
    Text(&'a str),
    Link(&'a str),
}

/// Cuts `text` into links and what stands between them. A sentence's punctuation behind a link isn't part of
/// it, nor is a closing bracket that the link didn't open.
pub(crate) fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(start) = next_link(rest) {
        let (before, from) = rest.split_at(start);
        let end = from
            .find(|c: char| c.is_whitespace() || c.is_control() || "<>\"`".contains(c))
            .unwrap_or(from.len());
        let link = without_punctuation(&from[..end]);
        if !before.is_empty() {
            pieces.push(Piece::Text(before));
        }
        pieces.push(Piece::Link(link));
        rest = &from[link.len()..];
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest));
    }
    pieces
}

pub(super) fn links(text: &str) -> Vec<&str> {
    let link = |piece| match piece {
        Piece::Link(link) => Some(link),
        Piece::Text(_) => None,
    };
    pieces(text).into_iter().filter_map(link).collect()
}

fn next_link(text: &str) -> Option<usize> {
    [text.find("https://"), text.find("http://")]
        .into_iter()
        .flatten()
        .min()
}

fn without_punctuation(link: &str) -> &str {
    let mut link = link;
    loop {
        let shorter = link.trim_end_matches(['.', ',', ';', ':', '!', '?', '\'']);
        let shorter = match shorter.strip_suffix(')') {
            Some(inner) if shorter.matches(')').count() > shorter.matches('(').count() => inner,
            _ => shorter,
        };
        if shorter.len() == link.len() {
            return link;
        }
        link = shorter;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_end_before_a_sentences_punctuation() {
        let text =
            "See https://example.com/s/abc_-1. Or (http://example.com/a(b)c), please\nhttps://x/?a=1&b=2";
        assert_eq!(
            links(text),
            [
                "https://example.com/s/abc_-1",
                "http://example.com/a(b)c",
                "https://x/?a=1&b=2"
            ]
        );
    }

    #[test]
    fn nothing_is_lost() {
        for text in [
            "",
            "no link",
            "https://a",
            "a https://b <https://c> é https://d…e!",
        ] {
            let joined: String = pieces(text)
                .into_iter()
                .map(|piece| match piece {
                    Piece::Text(text) | Piece::Link(text) => text,
                })
                .collect();
            assert_eq!(joined, text);
        }
    }
}
