//! The Markdown of a request's message as HTML that is safe to put into a page.
//! Called by the review page. Two guards, each enough alone: the parser's raw HTML is turned into text, and what it gives
//! is cleaned against a list of allowed elements.

use std::{collections::HashSet, fmt, sync::LazyLock};

use askama::filters::HtmlSafe;
use pulldown_cmark::{CowStr, Event, HeadingLevel, LinkType, Options, Parser, Tag, TagEnd, html::push_html};

use crate::domain::display_text::{DisplayLines, DisplayText};

/// Quotes and lists nested deeper than this are flattened: nobody reads them, and browsers give up on them too.
const DEEPEST_NESTING: usize = 12;

/// HTML made from a person's Markdown. Only [`SafeHtml::from_markdown`] makes one, so that nothing else is left unescaped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SafeHtml(String);

impl HtmlSafe for SafeHtml {}

impl fmt::Display for SafeHtml {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl SafeHtml {
    /// Renders `markdown`: headings begin at `h3` (the page's own are `h1` and `h2`), raw HTML shows as text, an image as
    /// its description, and after a link stands the host it leads to, unless the link's text already names it.
    pub fn from_markdown(markdown: &str) -> Self {
        let markdown = DisplayLines::new(markdown);
        let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH;
        let events = safe_events(Parser::new_ext(markdown.as_str(), options));
        let mut html = String::with_capacity(markdown.as_str().len() * 3 / 2);
        push_html(&mut html, events.into_iter());
        Self(CLEANER.clean(&html).to_string())
    }
}

static CLEANER: LazyLock<ammonia::Builder<'static>> = LazyLock::new(|| {
    let mut cleaner = ammonia::Builder::empty();
    cleaner
        .tags(HashSet::from([
            "p",
            "br",
            "strong",
            "em",
            "del",
            "code",
            "pre",
            "blockquote",
            "ul",
            "ol",
            "li",
            "h3",
            "h4",
            "h5",
            "h6",
            "a",
            "hr",
            "table",
            "thead",
            "tbody",
            "tr",
            "th",
            "td",
        ]))
        .add_tag_attributes("a", ["href"])
        .add_tag_attributes("ol", ["start"])
        .set_tag_attribute_value("a", "target", "_blank")
        .url_schemes(HashSet::from(["http", "https", "mailto"]))
        .url_relative(ammonia::UrlRelative::Deny)
        .link_rel(Some("noopener nofollow noreferrer"));
    cleaner
});

fn safe_events<'a>(parser: impl Iterator<Item = Event<'a>>) -> Vec<Event<'a>> {
    let mut safe = Vec::new();
    let mut depth = 0;
    let mut links: Vec<(String, String)> = Vec::new();
    for event in parser {
        if let (Some((_, text)), Event::Text(piece) | Event::Code(piece)) = (links.last_mut(), &event) {
            text.push_str(piece);
        }
        match event {
            Event::Html(raw) | Event::InlineHtml(raw) => safe.push(Event::Text(raw)),
            Event::Start(Tag::HtmlBlock) => safe.push(Event::Start(Tag::Paragraph)),
            Event::End(TagEnd::HtmlBlock) => safe.push(Event::End(TagEnd::Paragraph)),
            Event::Start(Tag::Image { .. }) => safe.push(Event::Text("[image: ".into())),
            Event::End(TagEnd::Image) => safe.push(Event::Text("]".into())),
            Event::Start(Tag::Heading { level, .. }) => {
                let level = two_below(level);
                safe.push(Event::Start(Tag::Heading {
                    level,
                    id: None,
                    classes: vec![],
                    attrs: vec![],
                }));
            }
            Event::End(TagEnd::Heading(level)) => {
                safe.push(Event::End(TagEnd::Heading(two_below(level))));
            }
            Event::Start(Tag::BlockQuote(_) | Tag::List(_) | Tag::Item) => {
                depth += 1;
                if depth <= DEEPEST_NESTING {
                    safe.push(event);
                }
            }
            Event::End(TagEnd::BlockQuote(_) | TagEnd::List(_) | TagEnd::Item) => {
                if depth <= DEEPEST_NESTING {
                    safe.push(event);
                }
                depth -= 1;
            }
            Event::Start(Tag::Link {
                link_type,
                ref dest_url,
                ..
            }) => {
                let named = matches!(link_type, LinkType::Autolink | LinkType::Email);
                links.push((
                    if named { String::new() } else { host_of(dest_url) },
                    String::new(),
                ));
                safe.push(event);
            }
            Event::End(TagEnd::Link) => {
                safe.push(event);
                if let Some((host, text)) = links.pop()
                    && !host.is_empty()
                    && host_of(text.trim()) != host
                    && text.trim() != host
                {
                    safe.push(Event::Text(CowStr::from(format!(" ({host})"))));
                }
            }
            _ => safe.push(event),
        }
    }
    safe
}

fn two_below(level: HeadingLevel) -> HeadingLevel {
    match level {
        HeadingLevel::H1 => HeadingLevel::H3,
        HeadingLevel::H2 => HeadingLevel::H4,
        HeadingLevel::H3 => HeadingLevel::H5,
        _ => HeadingLevel::H6,
    }
}

/// The host in an address (`https://user@host:port/…`), or the recipient of a `mailto:`; empty for anything else.
fn host_of(address: &str) -> String {
    let lower = address.to_lowercase();
    let shown = if let Some(rest) = lower
        .strip_prefix("https://")
        .or_else(|| lower.strip_prefix("http://"))
    {
        // A backslash ends the host as well: browsers read it as a slash.
        let authority = rest.split(['/', '\\', '?', '#']).next().unwrap_or_default();
        authority.rsplit('@').next().unwrap_or_default()
    } else if let Some(rest) = lower.strip_prefix("mailto:") {
        rest.split('?').next().unwrap_or_default()
    } else {
        ""
    };
    DisplayText::new(shown).shortened(100).as_str().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn html(markdown: &str) -> String {
        SafeHtml::from_markdown(markdown).to_string()
    }

    #[test]
    fn headings_begin_below_the_pages_own() {
        assert_eq!(html("# A\n\n#### B"), "<h3>A</h3>\n<h6>B</h6>\n");
    }

    #[test]
    fn raw_html_is_text() {
        assert_eq!(
            html("a <b onclick=x>b</b>"),
            "<p>a &lt;b onclick=x&gt;b&lt;/b&gt;</p>\n"
        );
        let block = html("<script>alert(1)</script>\n\n<form action=//evil.example><input></form>");
        assert!(!block.contains("<script") && !block.contains("<form"), "{block}");
        assert!(block.contains("&lt;script&gt;"), "{block}");
    }

    #[test]
    fn an_image_is_its_description() {
        assert_eq!(
            html("![a plan](https://evil.example/pixel.gif)"),
            "<p>[image: a plan]</p>\n"
        );
    }

    #[test]
    fn a_link_names_its_host() {
        let link = html("[the terms](https://user@terms.example:8443/a?b#c)");
        assert!(
            link.contains(r#"href="https://user@terms.example:8443/a?b#c""#),
            "{link}"
        );
        assert!(
            link.contains(r#"rel="noopener nofollow noreferrer""#) && link.contains(r#"target="_blank""#),
            "{link}"
        );
        assert!(
            link.ends_with("the terms</a> (terms.example:8443)</p>\n"),
            "{link}"
        );
        assert!(html("[https://good.example](https://evil.example/)").contains("(evil.example)"));
        assert!(!html("[https://good.example/x](https://good.example/)").contains('('));
        assert!(!html("<https://good.example/>").contains('('));
    }

    #[test]
    fn other_schemes_lead_nowhere() {
        for address in [
            "javascript:alert(1)",
            "JAVASCRIPT:alert(1)",
            "data:text/html,x",
            "//evil.example/",
            "/s/x",
            "vbscript:x",
        ] {
            let link = html(&format!("[x]({address})"));
            assert!(!link.contains("href"), "{link}");
        }
    }

    #[test]
    fn nothing_of_ours_can_be_named_or_styled() {
        let all = html("# T {#decision .notice}\n\n|a|b|\n|:-|-:|\n|1|2|\n\n3. x");
        assert!(
            !all.contains("id=") && !all.contains("class=") && !all.contains("style="),
            "{all}"
        );
        assert!(
            all.contains("<td>1</td>") && all.contains(r#"<ol start="3">"#),
            "{all}"
        );
    }

    #[test]
    fn deep_nesting_ends() {
        let deep = html(&format!("{}x", ">".repeat(8000)));
        assert_eq!(deep.matches("<blockquote>").count(), DEEPEST_NESTING);
        let list = html(&format!("{}x", "- ".repeat(2000)));
        assert!(list.matches("<ul>").count() <= DEEPEST_NESTING);
    }

    #[test]
    fn disguises_are_shown() {
        assert!(html("pay \u{202E}001").contains('\u{FFFD}'));
    }
}
