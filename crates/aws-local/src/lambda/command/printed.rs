//! Reads what a process prints, in whole lines as far as there are any, so that its two outputs don't tear each other's
//! lines apart.

use tokio::io::{AsyncRead, AsyncReadExt};

/// A line longer than this comes in parts, in bytes.
const LINE: usize = 16 * 1024;

/// One of a process's outputs.
pub(super) struct Printed<P> {
    pipe: Option<P>,
    buffer: Vec<u8>,
}

impl<P: AsyncRead + Unpin> Printed<P> {
    pub(super) fn of(pipe: Option<P>) -> Printed<P> {
        Printed {
            pipe,
            buffer: Vec::new(),
        }
    }

    /// The next lines; `None` when it is over. May be dropped while it waits, without loss.
    pub(super) async fn next(&mut self) -> Option<String> {
        loop {
            let pipe = self.pipe.as_mut()?;
            match pipe.read_buf(&mut self.buffer).await {
                Ok(0) | Err(_) => {
                    self.pipe = None;
                    return Some(self.rest()).filter(|rest| !rest.is_empty());
                }
                Ok(_) => {}
            }
            let end = self.buffer.iter().rposition(|byte| *byte == b'\n');
            let end = match end {
                Some(end) => end + 1,
                None if self.buffer.len() >= LINE => whole_characters(&self.buffer),
                None => continue,
            };
            let lines: Vec<u8> = self.buffer.drain(..end).collect();
            return Some(text(&lines));
        }
    }

    /// The line that hasn't ended yet; empty where there is none.
    pub(super) fn rest(&mut self) -> String {
        text(&std::mem::take(&mut self.buffer))
    }
}

/// How many bytes are whole characters, or none at all.
fn whole_characters(bytes: &[u8]) -> usize {
    match std::str::from_utf8(bytes) {
        Err(error) if error.error_len().is_none() && error.valid_up_to() > 0 => error.valid_up_to(),
        _ => bytes.len(),
    }
}

/// With the lines' ends as they are everywhere: Lambda's runtimes put a carriage return between the lines of one message.
fn text(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    if text.contains('\r') {
        text.replace("\r\n", "\n").replace('\r', "\n")
    } else {
        text.into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lines_come_whole() {
        let printed: &[u8] = "one\ntwo\rtwo and a half\r\nthr\u{e9}e".as_bytes();
        let mut printed = Printed::of(Some(printed));
        assert_eq!(
            printed.next().await.as_deref(),
            Some("one\ntwo\ntwo and a half\n")
        );
        assert_eq!(printed.next().await.as_deref(), Some("thr\u{e9}e"));
        assert_eq!(printed.next().await, None);
    }

    #[tokio::test]
    async fn a_line_without_end_comes_in_parts_of_whole_characters() {
        let long = format!("a{}", "\u{e9}".repeat(LINE));
        let mut printed = Printed::of(Some(long.as_bytes()));
        let mut all = String::new();
        while let Some(part) = printed.next().await {
            assert!(!part.contains('\u{fffd}'), "{} bytes", part.len());
            all.push_str(&part);
        }
        assert_eq!(all, long);
    }
}
