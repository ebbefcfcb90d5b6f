//! Who opens a page, as far as a request tells: where from, with what, and whether it says of itself that it is a
//! machine. Used by `sign.rs`. Nothing is decided by it; it only keeps the history honest about mail gateways.

use crate::flow::review::Visit;
use axum::extract::ConnectInfo;
use axum::http::{Extensions, HeaderMap, Method, header};
use std::net::SocketAddr;

/// What programs that open links call themselves, in lower case.
const MACHINES: [&str; 18] = [
    "bot",
    "crawl",
    "spider",
    "preview",
    "scanner",
    "safelinks",
    "headless",
    "curl",
    "wget",
    "python",
    "go-http",
    "java/",
    "okhttp",
    "barracuda",
    "mimecast",
    "proofpoint",
    "libwww",
    "node-fetch",
];

/// The longest browser name that is kept, in characters.
const MOST_OF_A_BROWSER: usize = 300;

/// Whether a page was asked for by what says of itself that it is a machine.
pub fn visit(method: &Method, headers: &HeaderMap) -> Visit {
    let agent = text(headers, header::USER_AGENT.as_str()).to_lowercase();
    let fetched_ahead = ["purpose", "sec-purpose"]
        .iter()
        .any(|name| text(headers, name).contains("prefetch"));
    let machine = *method == Method::HEAD
        || agent.is_empty()
        || fetched_ahead
        || MACHINES.iter().any(|name| agent.contains(name));
    if machine { Visit::Machine } else { Visit::Browser }
}

/// The browser, by its own word.
pub fn browser(headers: &HeaderMap) -> Option<String> {
    let agent: String = text(headers, header::USER_AGENT.as_str())
        .chars()
        .take(MOST_OF_A_BROWSER)
        .collect();
    (!agent.is_empty()).then_some(agent)
}

/// The address of whoever connected. Behind a proxy that is the proxy: what a header claims isn't believed.
pub fn address(extensions: &Extensions) -> Option<String> {
    extensions
        .get::<ConnectInfo<SocketAddr>>()
        .map(|ConnectInfo(address)| address.ip().to_string())
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: &'static str, value: &'static str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(
            header::USER_AGENT,
            "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Firefox/140.0"
                .parse()
                .expect("a header"),
        );
        headers.insert(name, value.parse().expect("a header"));
        headers
    }

    #[test]
    fn a_browser_is_taken_for_one_and_what_calls_itself_a_machine_is_not() {
        assert_eq!(visit(&Method::GET, &with("accept", "text/html")), Visit::Browser);
        assert_eq!(visit(&Method::HEAD, &with("accept", "text/html")), Visit::Machine);
        assert_eq!(
            visit(&Method::GET, &with("sec-purpose", "prefetch;prerender")),
            Visit::Machine
        );
        for agent in [
            "",
            "Googlebot/2.1",
            "Mozilla/5.0 HeadlessChrome/140",
            "curl/8",
            "Microsoft Preview Service",
        ] {
            assert_eq!(
                visit(&Method::GET, &with("user-agent", agent)),
                Visit::Machine,
                "{agent}"
            );
        }
    }
}
