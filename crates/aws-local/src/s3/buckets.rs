//! The operations on buckets.

use bytes::Bytes;
use http::{Response, StatusCode};
use rusqlite::params;

use super::refusal::{conflict, malformed, no_such_bucket};
use super::store::{self, Bucket};
use super::xml::{self, Xml};
use super::{Asked, S3, document, empty, iso_date, set};
use crate::REGION;
use crate::error::AwsError;

pub(super) async fn list(s3: &S3, asked: Asked) -> Result<Response<Bytes>, AwsError> {
    let limit = asked.number("max-buckets", 10_000)?.clamp(1, 10_000);
    let prefix = asked.query.get("prefix").unwrap_or_default().to_owned();
    let after = asked
        .query
        .get("continuation-token")
        .unwrap_or_default()
        .to_owned();
    let mut buckets = s3
        .store
        .read(move |connection| store::buckets(connection, &prefix, &after, limit + 1))
        .await?;
    let more = buckets.len() > limit;
    buckets.truncate(limit);
    let next = buckets.last().filter(|_| more).map(|bucket| bucket.name.clone());
    Ok(document(Xml::document("ListAllMyBucketsResult", |xml| {
        xml.owner("Owner");
        xml.element("Buckets", |xml| {
            for bucket in &buckets {
                xml.element("Bucket", |xml| {
                    xml.text("Name", &bucket.name);
                    xml.text("CreationDate", iso_date(bucket.created));
                    xml.text("BucketRegion", region(bucket));
                });
            }
        });
        xml.some("ContinuationToken", next);
        xml.some("Prefix", asked.query.text("prefix"));
    })))
}

pub(super) async fn create(s3: &S3, asked: Asked) -> Result<Response<Bytes>, AwsError> {
    check_name(&asked.bucket)?;
    let body = super::body::document(&asked.headers, asked.body.clone())?;
    let asked_region = if body.is_empty() {
        None
    } else {
        xml::read(&body, "CreateBucketConfiguration", |root| {
            Ok(xml::child_text(root, "LocationConstraint").filter(|region| region != REGION))
        })?
    };
    let created = s3.source.now().as_millisecond();
    let name = asked.bucket.clone();
    let there = s3
        .store
        .write(move |transaction| {
            let there = store::bucket(transaction, &name)?;
            if there.is_none() {
                transaction.execute(
                    "INSERT INTO buckets (name, created, region) VALUES (?1, ?2, ?3)",
                    params![name, created, asked_region],
                )?;
            }
            Ok(there)
        })
        .await?;
    // In its oldest region alone, S3 takes a second creation for a success.
    if there.is_some_and(|bucket| region(&bucket) != REGION) {
        return Err(conflict(
            "BucketAlreadyOwnedByYou",
            "Your previous request to create the named bucket succeeded and you already own it.",
            &asked.bucket,
        ));
    }
    let mut response = empty(StatusCode::OK);
    set(&mut response, "location", &format!("/{}", asked.bucket));
    Ok(response)
}

pub(super) async fn head(s3: &S3, asked: Asked) -> Result<Response<Bytes>, AwsError> {
    let bucket = find(s3, &asked.bucket).await?;
    let mut response = empty(StatusCode::OK);
    set(&mut response, "x-amz-bucket-region", region(&bucket));
    set(&mut response, "x-amz-access-point-alias", "false");
    Ok(response)
}

pub(super) async fn delete(s3: &S3, asked: Asked) -> Result<Response<Bytes>, AwsError> {
    let name = asked.bucket;
    s3.store
        .write(move |transaction| {
            if store::bucket(transaction, &name)?.is_none() {
                return Ok(Err(no_such_bucket(&name)));
            }
            let mut any =
                transaction.prepare_cached("SELECT EXISTS (SELECT 1 FROM objects WHERE bucket = ?1)")?;
            if any.query_row([&name], |row| row.get(0))? {
                return Ok(Err(conflict(
                    "BucketNotEmpty",
                    "The bucket you tried to delete is not empty",
                    &name,
                )));
            }
            super::uploads::abort_all(transaction, &name)?;
            transaction.execute("DELETE FROM buckets WHERE name = ?1", [&name])?;
            Ok(Ok(()))
        })
        .await??;
    Ok(empty(StatusCode::NO_CONTENT))
}

pub(super) async fn location(s3: &S3, asked: Asked) -> Result<Response<Bytes>, AwsError> {
    let bucket = find(s3, &asked.bucket).await?;
    let text = Xml::document("LocationConstraint", |xml| {
        xml.content(bucket.region.as_deref().unwrap_or_default());
    });
    Ok(document(text))
}

pub(super) async fn versioning(s3: &S3, asked: Asked) -> Result<Response<Bytes>, AwsError> {
    let bucket = find(s3, &asked.bucket).await?;
    let text = Xml::document("VersioningConfiguration", |xml| {
        xml.some("Status", bucket.versioning);
    });
    Ok(document(text))
}

pub(super) async fn set_versioning(s3: &S3, asked: Asked) -> Result<Response<Bytes>, AwsError> {
    let body = super::body::document(&asked.headers, asked.body)?;
    let status = xml::read(&body, "VersioningConfiguration", |root| {
        xml::child_text(root, "Status")
            .filter(|status| status == "Enabled" || status == "Suspended")
            .ok_or_else(malformed)
    })?;
    let name = asked.bucket;
    s3.store
        .write(move |transaction| {
            let changed = transaction.execute(
                "UPDATE buckets SET versioning = ?2 WHERE name = ?1",
                params![name, status],
            )?;
            Ok(if changed == 0 {
                Err(no_such_bucket(&name))
            } else {
                Ok(())
            })
        })
        .await??;
    Ok(empty(StatusCode::OK))
}

async fn find(s3: &S3, name: &str) -> Result<Bucket, AwsError> {
    let wanted = name.to_owned();
    let found = s3
        .store
        .read(move |connection| store::bucket(connection, &wanted))
        .await?;
    found.ok_or_else(|| no_such_bucket(name))
}

fn region(bucket: &Bucket) -> &str {
    bucket.region.as_deref().unwrap_or(REGION)
}

/// The rules for names of general purpose buckets.
fn check_name(name: &str) -> Result<(), AwsError> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let ends_plain = name.starts_with(plain) && name.ends_with(plain);
    let right = (3..=63).contains(&name.len())
        && ends_plain
        && name.chars().all(|c| plain(c) || c == '.' || c == '-')
        && !name.contains("..")
        && name.parse::<std::net::Ipv4Addr>().is_err();
    if right {
        Ok(())
    } else {
        Err(AwsError::new("InvalidBucketName", "The specified bucket is not valid.").with("BucketName", name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_s3_takes() {
        for name in ["abc", "a.b-c", "1234", &"a".repeat(63)] {
            assert_eq!(check_name(name), Ok(()), "{name}");
        }
        for name in [
            "ab",
            "Abc",
            "a_b",
            "-abc",
            "abc.",
            "a..b",
            "127.0.0.1",
            &"a".repeat(64),
        ] {
            assert!(check_name(name).is_err(), "{name}");
        }
    }
}
