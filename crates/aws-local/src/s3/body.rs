//! A request's body: taken out of the chunks in which SDKs send it, and held against the checksums that came
//! with it.

use bytes::{Bytes, BytesMut};
use crc::{CRC_32_ISCSI, CRC_32_ISO_HDLC, CRC_64_NVME, Crc};
use data_encoding::{BASE64, HEXLOWER_PERMISSIVE};
use http::HeaderMap;
use md5::{Digest, Md5};
use sha1::Sha1;
use sha2::Sha256;

use crate::error::AwsError;

static CRC32: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);
static CRC32C: Crc<u32> = Crc::<u32>::new(&CRC_32_ISCSI);
static CRC64NVME: Crc<u64> = Crc::<u64>::new(&CRC_64_NVME);

/// A checksum algorithm of S3's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Algorithm {
    Crc32,
    Crc32c,
    Crc64Nvme,
    Sha1,
    Sha256,
}

impl Algorithm {
    const ALL: [Algorithm; 5] = [
        Algorithm::Crc32,
        Algorithm::Crc32c,
        Algorithm::Crc64Nvme,
        Algorithm::Sha1,
        Algorithm::Sha256,
    ];

    /// As in `x-amz-checksum-algorithm`.
    pub(super) fn name(self) -> &'static str {
        match self {
            Algorithm::Crc32 => "CRC32",
            Algorithm::Crc32c => "CRC32C",
            Algorithm::Crc64Nvme => "CRC64NVME",
            Algorithm::Sha1 => "SHA1",
            Algorithm::Sha256 => "SHA256",
        }
    }

    pub(super) fn by_name(name: &str) -> Option<Algorithm> {
        Algorithm::ALL
            .into_iter()
            .find(|algorithm| algorithm.name().eq_ignore_ascii_case(name))
    }

    pub(super) fn header(self) -> &'static str {
        match self {
            Algorithm::Crc32 => "x-amz-checksum-crc32",
            Algorithm::Crc32c => "x-amz-checksum-crc32c",
            Algorithm::Crc64Nvme => "x-amz-checksum-crc64nvme",
            Algorithm::Sha1 => "x-amz-checksum-sha1",
            Algorithm::Sha256 => "x-amz-checksum-sha256",
        }
    }

    /// The element of XML answers: `ChecksumCRC32`.
    pub(super) fn element(self) -> String {
        format!("Checksum{}", self.name())
    }
}

/// A checksum being worked out.
pub(super) enum Running {
    Crc32(crc::Digest<'static, u32>),
    Crc64(crc::Digest<'static, u64>),
    Sha1(Sha1),
    Sha256(Sha256),
}

impl Running {
    pub(super) fn new(algorithm: Algorithm) -> Running {
        match algorithm {
            Algorithm::Crc32 => Running::Crc32(CRC32.digest()),
            Algorithm::Crc32c => Running::Crc32(CRC32C.digest()),
            Algorithm::Crc64Nvme => Running::Crc64(CRC64NVME.digest()),
            Algorithm::Sha1 => Running::Sha1(Sha1::new()),
            Algorithm::Sha256 => Running::Sha256(Sha256::new()),
        }
    }

    pub(super) fn update(&mut self, data: &[u8]) {
        match self {
            Running::Crc32(digest) => digest.update(data),
            Running::Crc64(digest) => digest.update(data),
            Running::Sha1(digest) => digest.update(data),
            Running::Sha256(digest) => digest.update(data),
        }
    }

    pub(super) fn finish(self) -> String {
        match self {
            Running::Crc32(digest) => BASE64.encode(&digest.finalize().to_be_bytes()),
            Running::Crc64(digest) => BASE64.encode(&digest.finalize().to_be_bytes()),
            Running::Sha1(digest) => BASE64.encode(&digest.finalize()),
            Running::Sha256(digest) => BASE64.encode(&digest.finalize()),
        }
    }
}

/// The checksum of `data`, in base64.
pub(super) fn checksum(algorithm: Algorithm, data: &[u8]) -> String {
    let mut running = Running::new(algorithm);
    running.update(data);
    running.finish()
}

/// A checksum in base64, and of which kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Checksum {
    pub(super) algorithm: Algorithm,
    /// For an object in parts whose checksum is one over its parts' checksums, with `-N` behind it.
    pub(super) value: String,
}

impl Checksum {
    /// `x-amz-checksum-type`.
    pub(super) fn kind(&self) -> &'static str {
        if self.value.contains('-') {
            "COMPOSITE"
        } else {
            "FULL_OBJECT"
        }
    }
}

/// What was sent, once it is known to have come through unharmed.
pub(super) struct Content {
    pub(super) data: Bytes,
    pub(super) md5: [u8; 16],
    /// The client's, or the one that S3 makes for itself.
    pub(super) checksum: Checksum,
}

/// Reads the content that is to be stored.
pub(super) fn content(headers: &HeaderMap, body: Bytes) -> Result<Content, AwsError> {
    let (data, trailers) = unchunked(headers, body)?;
    let md5: [u8; 16] = Md5::digest(&data).into();
    verify_md5(headers, md5)?;
    if let Some(expected) = text(headers, "x-amz-content-sha256")
        && expected.len() == 64
        && let Ok(expected) = HEXLOWER_PERMISSIVE.decode(expected.as_bytes())
        && expected[..] != Sha256::digest(&data)[..]
    {
        return Err(AwsError::new(
            "XAmzContentSHA256Mismatch",
            "The provided 'x-amz-content-sha256' header does not match what was computed.",
        ));
    }
    let sent = Algorithm::ALL.into_iter().find_map(|algorithm| {
        let header = algorithm.header();
        let trailer = trailers
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(header))
            .map(|(_, value)| value.clone());
        let value = trailer.or_else(|| text(headers, header).map(str::to_owned))?;
        Some(Checksum { algorithm, value })
    });
    let checksum = match sent {
        Some(sent) => {
            if checksum(sent.algorithm, &data) != sent.value {
                return Err(AwsError::new(
                    "BadDigest",
                    format!(
                        "The {} you specified did not match the calculated checksum.",
                        sent.algorithm.name()
                    ),
                ));
            }
            sent
        }
        None => Checksum {
            algorithm: Algorithm::Crc64Nvme,
            value: checksum(Algorithm::Crc64Nvme, &data),
        },
    };
    Ok(Content { data, md5, checksum })
}

/// Reads a body that is an instruction in XML.
pub(super) fn document(headers: &HeaderMap, body: Bytes) -> Result<Bytes, AwsError> {
    let (data, _) = unchunked(headers, body)?;
    verify_md5(headers, Md5::digest(&data).into())?;
    Ok(data)
}

fn verify_md5(headers: &HeaderMap, md5: [u8; 16]) -> Result<(), AwsError> {
    let Some(expected) = text(headers, "content-md5") else {
        return Ok(());
    };
    match BASE64.decode(expected.as_bytes()) {
        Ok(bytes) if bytes == md5 => Ok(()),
        Ok(bytes) if bytes.len() == md5.len() => Err(AwsError::new(
            "BadDigest",
            "The Content-MD5 you specified did not match what we received.",
        )),
        _ => Err(AwsError::new(
            "InvalidDigest",
            "The Content-MD5 you specified was invalid.",
        )),
    }
}

type Trailers = Vec<(String, String)>;

/// The data of a body in `aws-chunked` encoding, with its trailers; any other body as it is. Each chunk is
/// `size;chunk-signature=…`, the data, and the end is a chunk of size 0. Signatures aren't checked, as
/// everywhere here.
fn unchunked(headers: &HeaderMap, body: Bytes) -> Result<(Bytes, Trailers), AwsError> {
    let streaming = text(headers, "x-amz-content-sha256").is_some_and(|kind| kind.starts_with("STREAMING-"));
    let encoded = text(headers, "content-encoding")
        .is_some_and(|encodings| encodings.split(',').any(|name| name.trim() == "aws-chunked"));
    if !streaming && !encoded {
        return Ok((body, Vec::new()));
    }
    let incomplete = || AwsError::new("IncompleteBody", "The request body terminated unexpectedly");
    let mut data = BytesMut::with_capacity(body.len());
    let mut rest = &body[..];
    loop {
        let (line, after) = line(rest).ok_or_else(incomplete)?;
        let size = line.split(|byte| *byte == b';').next().unwrap_or_default();
        let size = std::str::from_utf8(size)
            .ok()
            .and_then(|size| usize::from_str_radix(size.trim(), 16).ok())
            .ok_or_else(incomplete)?;
        rest = after;
        if size == 0 {
            break;
        }
        data.extend_from_slice(rest.get(..size).ok_or_else(incomplete)?);
        rest = rest[size..].strip_prefix(b"\r\n").ok_or_else(incomplete)?;
    }
    let mut trailers = Vec::new();
    while let Some((line, after)) = line(rest) {
        if let Ok(line) = std::str::from_utf8(line)
            && let Some((name, value)) = line.split_once(':')
        {
            trailers.push((name.trim().to_owned(), value.trim().to_owned()));
        }
        rest = after;
    }
    let expected = text(headers, "x-amz-decoded-content-length").and_then(|length| length.parse().ok());
    if expected.is_some_and(|expected: usize| expected != data.len()) {
        return Err(incomplete());
    }
    Ok((data.freeze(), trailers))
}

/// Up to the next line's end, and what follows.
fn line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.windows(2).position(|pair| pair == b"\r\n")?;
    Some((&bytes[..end], &bytes[end + 2..]))
}

/// A header's value where it is text.
pub(super) fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| {
                (
                    http::HeaderName::from_static(name),
                    value.parse().expect("a value"),
                )
            })
            .collect()
    }

    #[test]
    fn the_checksums_are_the_published_ones() {
        // The check values of the CRC catalogue and of FIPS 180, for "123456789".
        let data = b"123456789";
        assert_eq!(
            checksum(Algorithm::Crc32, data),
            BASE64.encode(&0xcbf4_3926_u32.to_be_bytes())
        );
        assert_eq!(
            checksum(Algorithm::Crc32c, data),
            BASE64.encode(&0xe306_9283_u32.to_be_bytes())
        );
        assert_eq!(
            checksum(Algorithm::Crc64Nvme, data),
            BASE64.encode(&0xae8b_1486_0a79_9888_u64.to_be_bytes())
        );
        assert_eq!(checksum(Algorithm::Sha1, data), "98O8HYCOBHMq32eZZczDTKeuNEE=");
    }

    #[test]
    fn chunks_are_put_together_and_their_trailer_is_checked() {
        let body =
            "5;chunk-signature=abc\r\n12345\r\n4\r\n6789\r\n0\r\nx-amz-checksum-crc32:y/Q5Jg==\r\n\r\n";
        let sent = headers(&[
            ("content-encoding", "aws-chunked"),
            ("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"),
            ("x-amz-decoded-content-length", "9"),
        ]);
        let read = content(&sent, body.into()).map_err(|error| error.code().to_owned());
        let read = read.expect("it is complete");
        assert_eq!(read.data, "123456789");
        assert_eq!(read.checksum.algorithm, Algorithm::Crc32);
        for (damaged, code) in [
            (body.replace("6789", "6780"), "BadDigest"),
            (body.replace("5;", "F;"), "IncompleteBody"),
            (body.replace("5;", "FFFFFFFFFFFFFFFF;"), "IncompleteBody"),
            ("5\r\n12345\r\n0\r\n\r\n".to_owned(), "IncompleteBody"),
            (String::new(), "IncompleteBody"),
        ] {
            let refused = content(&sent, damaged.into())
                .map(|_| ())
                .expect_err("it is damaged");
            assert_eq!(refused.code(), code);
        }
    }

    #[test]
    fn a_wrong_md5_is_refused() {
        let right = headers(&[("content-md5", "JfnnlDI7RTiF9RgfG2JNCw==")]);
        assert!(content(&right, "123456789".into()).is_ok());
        let refused = |headers| {
            content(&headers, "12345678".into())
                .map(|_| ())
                .expect_err("wrong")
        };
        assert_eq!(refused(right).code(), "BadDigest");
        assert_eq!(refused(headers(&[("content-md5", "x")])).code(), "InvalidDigest");
    }
}
