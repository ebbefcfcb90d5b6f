//! XML as S3 writes and reads it.

use std::fmt::Write;

use roxmltree::{Document, Node};

use super::refusal::malformed;
use crate::error::AwsError;

const NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";

/// Writes elements one after the other.
pub(super) struct Xml(String);

impl Xml {
    /// A document whose root is `root`, with what `content` writes into it.
    pub(super) fn document(root: &str, content: impl FnOnce(&mut Xml)) -> String {
        let mut xml = Xml(format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{root} xmlns=\"{NAMESPACE}\">"
        ));
        content(&mut xml);
        // Writing to a String can't fail.
        let _ = write!(xml.0, "</{root}>");
        xml.0
    }

    pub(super) fn element(&mut self, name: &str, content: impl FnOnce(&mut Xml)) {
        let _ = write!(self.0, "<{name}>");
        content(self);
        let _ = write!(self.0, "</{name}>");
    }

    pub(super) fn text(&mut self, name: &str, value: impl std::fmt::Display) {
        let _ = write!(self.0, "<{name}>{}</{name}>", escaped(&value.to_string()));
    }

    /// Text by itself.
    pub(super) fn content(&mut self, text: &str) {
        self.0.push_str(&escaped(text));
    }

    pub(super) fn some(&mut self, name: &str, value: Option<impl std::fmt::Display>) {
        if let Some(value) = value {
            self.text(name, value);
        }
    }

    /// Whoever owns everything here.
    pub(super) fn owner(&mut self, name: &str) {
        self.element(name, |xml| {
            xml.text(
                "ID",
                "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
            );
            xml.text("DisplayName", "embedded");
        });
    }
}

/// Text for between tags. Keys may hold control characters; they are written as AWS writes them, though XML
/// 1.0 knows no way to.
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c if c.is_control() && c != '\n' && c != '\t' => {
                let _ = write!(out, "&#x{:x};", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out
}

/// Reads a request's document whose root is `root`, in whatever namespace, and gives `read` the root.
pub(super) fn read<T>(
    body: &[u8],
    root: &str,
    read: impl FnOnce(Node<'_, '_>) -> Result<T, AwsError>,
) -> Result<T, AwsError> {
    let text = std::str::from_utf8(body).map_err(|_| malformed())?;
    let document = Document::parse(text).map_err(|_| malformed())?;
    let element = document.root_element();
    if element.tag_name().name() != root {
        return Err(malformed());
    }
    read(element)
}

pub(super) fn children<'a, 'i>(node: Node<'a, 'i>, name: &'static str) -> impl Iterator<Item = Node<'a, 'i>> {
    node.children()
        .filter(move |child| child.is_element() && child.tag_name().name() == name)
}

/// The text of the child `name`, put together where it is written in pieces.
pub(super) fn child_text(node: Node<'_, '_>, name: &'static str) -> Option<String> {
    let child = children(node, name).next()?;
    Some(child.children().filter_map(|piece| piece.text()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_can_be_read() {
        let odd = "a & <b> \"c\" ü";
        let written = Xml::document("Delete", |xml| {
            xml.element("Object", |xml| xml.text("Key", odd));
        });
        let keys = read(written.as_bytes(), "Delete", |root| {
            Ok(children(root, "Object")
                .filter_map(|object| child_text(object, "Key"))
                .collect::<Vec<_>>())
        });
        assert_eq!(keys, Ok(vec![odd.to_owned()]));
        assert!(read(b"<Other/>", "Delete", |_| Ok(())).is_err());
        assert!(read(b"<Delete>", "Delete", |_| Ok(())).is_err());
    }
}
