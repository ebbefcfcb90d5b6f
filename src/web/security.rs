//! What guards every answer: the headers, and the refusal of forms that were sent from elsewhere.
//! The router lays `headers` around everything; `sign.rs` asks `is_from_elsewhere` before it reads a form.

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;

/// On every answer. No script at all, styles and images of ours alone, forms to us alone, in nobody's frame.
/// `same-origin` and not `no-referrer`: with the latter a form's POST carries `Origin: null`.
const HEADERS: [(HeaderName, &str); 9] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    (header::REFERRER_POLICY, "same-origin"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::STRICT_TRANSPORT_SECURITY, "max-age=31536000"),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("permissions-policy"),
        "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
    ),
    (HeaderName::from_static("x-robots-tag"), "noindex, nofollow"),
];

/// Puts the headers on an answer. What says nothing about being kept isn't kept.
pub async fn headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Whether a form was sent from another site's page. A browser that says where it comes from is believed, as it
/// alone knows; one that says nothing (and a program) still has to bring the form's token.
pub fn is_from_elsewhere(headers: &HeaderMap, own_origin: &str) -> bool {
    let text = |name: HeaderName| {
        headers
            .get(name)
            .map(|value| value.to_str().unwrap_or("unreadable"))
    };
    if let Some(site) = text(HeaderName::from_static("sec-fetch-site")) {
        return !matches!(site, "same-origin" | "none");
    }
    let Some(origin) = text(header::ORIGIN) else {
        return false;
    };
    let host = text(header::HOST).unwrap_or_default();
    let same_host = origin
        .split_once("://")
        .is_some_and(|(_, authority)| authority.eq_ignore_ascii_case(host));
    !(origin.eq_ignore_ascii_case(own_origin) || same_host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn elsewhere(headers: &[(&'static str, &'static str)]) -> bool {
        let headers = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        is_from_elsewhere(&headers.collect(), "https://sign.example.com")
    }

    #[test]
    fn forms_come_from_our_page_only() {
        assert!(!elsewhere(&[
            ("sec-fetch-site", "same-origin"),
            ("origin", "https://sign.example.com")
        ]));
        assert!(elsewhere(&[
            ("sec-fetch-site", "cross-site"),
            ("origin", "https://sign.example.com")
        ]));
        assert!(elsewhere(&[("sec-fetch-site", "same-site")]));
        assert!(elsewhere(&[
            ("origin", "https://evil.example"),
            ("host", "sign.example.com")
        ]));
        assert!(elsewhere(&[("origin", "null"), ("host", "sign.example.com")]));
        assert!(elsewhere(&[("origin", "null"), ("host", "null")]));
        assert!(!elsewhere(&[
            ("origin", "http://localhost:8085"),
            ("host", "localhost:8085")
        ]));
        assert!(!elsewhere(&[
            ("origin", "https://SIGN.example.com"),
            ("host", "internal:8080")
        ]));
        assert!(!elsewhere(&[]));
    }

    #[test]
    fn the_policy_has_no_way_around_it() {
        for (_, value) in HEADERS {
            assert!(!value.contains("unsafe") && !value.contains('*'), "{value}");
        }
    }
}
