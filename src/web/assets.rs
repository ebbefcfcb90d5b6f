//! The stylesheet and the icon, each under a name that holds its content's hash, so that a browser may keep it for ever.
//! The pages' views name them, the router serves them. Compiled in: a page never lacks its looks, whatever is deployed.

use std::sync::LazyLock;

use aws_lc_rs::digest::{SHA256, digest};

/// A file that every page may load.
#[derive(Debug)]
pub struct Asset {
    /// Its name under `/assets/`: "style-0123456789abcdef.css".
    pub name: String,
    /// Its media type.
    pub content_type: &'static str,
    /// Its content.
    pub body: &'static str,
}

static STYLESHEET: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new(
        "style",
        "css",
        "text/css; charset=utf-8",
        include_str!("../../templates/style.css"),
    )
});

static ICON: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new(
        "icon",
        "svg",
        "image/svg+xml",
        include_str!("../../templates/icon.svg"),
    )
});

impl Asset {
    fn new(stem: &str, extension: &str, content_type: &'static str, body: &'static str) -> Self {
        let hash = digest(&SHA256, body.as_bytes());
        let hash = data_encoding::HEXLOWER.encode(&hash.as_ref()[..8]);
        Self {
            name: format!("{stem}-{hash}.{extension}"),
            content_type,
            body,
        }
    }
}

/// The one stylesheet.
pub fn stylesheet() -> &'static Asset {
    &STYLESHEET
}

/// The icon beside a page's title.
pub fn icon() -> &'static Asset {
    &ICON
}

/// The asset called `name`, if there is one.
pub fn find(name: &str) -> Option<&'static Asset> {
    [stylesheet(), icon()]
        .into_iter()
        .find(|asset| asset.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn found_by_their_full_name_only() {
        assert!(find(&stylesheet().name).is_some_and(|asset| asset.body == stylesheet().body));
        assert!(find("style.css").is_none());
        assert!(find("").is_none());
    }

    #[test]
    fn the_stylesheet_stays_small_and_loads_nothing() {
        let css = stylesheet().body;
        assert!(css.len() < 12 * 1024, "{} bytes", css.len());
        assert!(
            !css.contains("url(") && !css.contains("@import"),
            "a page loads nothing but this file"
        );
    }
}
