//! S3 over its protocol, as a program's SDK would speak to it.

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};

use crate::{AwsLocal, Options};

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().expect("text"))
    }

    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("text")
    }

    /// The texts of all elements `name`, at any depth.
    fn elements(&self, name: &str) -> Vec<String> {
        let document = roxmltree::Document::parse(self.text()).expect("XML");
        let all = document
            .descendants()
            .filter(|node| node.tag_name().name() == name);
        all.map(|node| node.text().unwrap_or_default().to_owned())
            .collect()
    }

    fn element(&self, name: &str) -> String {
        self.elements(name).into_iter().next().unwrap_or_default()
    }
}

const SIGNED: &str = "AWS4-HMAC-SHA256 Credential=any/20261121/us-east-1/s3/aws4_request, SignedHeaders=host";

async fn call(
    aws: &AwsLocal,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<Bytes>,
) -> Answer {
    let mut request = Request::builder()
        .method(method)
        .uri(format!("http://127.0.0.1:8086{path}"))
        .header("authorization", SIGNED);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = aws.handle(request.body(body.into()).expect("a request")).await;
    let (parts, body) = response.into_parts();
    Answer {
        status: parts.status,
        headers: parts.headers,
        body,
    }
}

fn options() -> Options {
    Options::in_memory(|| "2026-11-21T09:00:00.123Z".parse().expect("a time"))
}

/// With a bucket named `bucket`.
async fn started() -> AwsLocal {
    let aws = AwsLocal::start(options()).await.expect("it starts");
    assert_eq!(call(&aws, "PUT", "/bucket", &[], "").await.status, 200);
    aws
}

#[tokio::test]
async fn an_object_comes_back_as_it_was_put() {
    let aws = started().await;
    let headers = [
        ("content-type", "text/plain"),
        ("content-encoding", "gzip,aws-chunked"),
        ("x-amz-meta-who", "Alice"),
        ("cache-control", "no-cache"),
    ];
    let chunked = "5\r\nHello\r\n0\r\n\r\n";
    let put = call(&aws, "PUT", "/bucket/a%2Fb%20%C3%BC", &headers, chunked).await;
    assert_eq!(put.status, 200, "{}", put.text());
    assert_eq!(put.header("etag"), "\"8b1a9953c4611296a827abf8c47804d7\"");
    assert_eq!(put.header("x-amz-version-id"), "");
    let got = call(&aws, "GET", "/bucket/a/b%20%C3%BC", &[], "").await;
    assert_eq!((got.status, got.text()), (StatusCode::OK, "Hello"));
    for (name, value) in [
        ("content-type", "text/plain"),
        ("content-encoding", "gzip"),
        ("x-amz-meta-who", "Alice"),
        ("cache-control", "no-cache"),
        ("content-length", "5"),
        ("last-modified", "Sat, 21 Nov 2026 09:00:00 GMT"),
        ("etag", "\"8b1a9953c4611296a827abf8c47804d7\""),
    ] {
        assert_eq!(got.header(name), value, "{name}");
    }
    let part = call(&aws, "GET", "/bucket/a/b%20%C3%BC", &[("range", "bytes=1-2")], "").await;
    assert_eq!((part.status, part.text()), (StatusCode::PARTIAL_CONTENT, "el"));
    assert_eq!(part.header("content-range"), "bytes 1-2/5");
    let head = call(&aws, "HEAD", "/bucket/a/b%20%C3%BC", &[], "").await;
    assert_eq!((head.header("content-length"), head.body.len()), ("5", 0));
    let head = call(&aws, "HEAD", "/bucket/nothing", &[], "").await;
    assert_eq!((head.status, head.body.len()), (StatusCode::NOT_FOUND, 0));
}

#[tokio::test]
async fn refusals_are_in_s3s_words() {
    let aws = started().await;
    for (method, path, body, status, code) in [
        ("GET", "/bucket/none", "", 404, "NoSuchKey"),
        ("GET", "/none/key", "", 404, "NoSuchBucket"),
        ("GET", "/none?list-type=2", "", 404, "NoSuchBucket"),
        ("PUT", "/No_Bucket", "", 400, "InvalidBucketName"),
        ("GET", "/bucket/none?versionId=x", "", 404, "NoSuchVersion"),
        ("POST", "/bucket?delete", "<Delete>", 400, "MalformedXML"),
        (
            "PUT",
            "/bucket/key?partNumber=1&uploadId=x",
            "x",
            404,
            "NoSuchUpload",
        ),
        (
            "PUT",
            "/bucket/key?partNumber=0&uploadId=x",
            "x",
            400,
            "InvalidArgument",
        ),
        (
            "GET",
            "/bucket?list-type=2&max-keys=x",
            "",
            400,
            "InvalidArgument",
        ),
        (
            "GET",
            "/bucket?list-type=2&continuation-token=x",
            "",
            400,
            "InvalidArgument",
        ),
        ("GET", "/bucket?policy", "", 501, "UnsupportedOperation"),
    ] {
        let refused = call(&aws, method, path, &[], body).await;
        assert_eq!(
            (refused.status.as_u16(), refused.element("Code").as_str()),
            (status, code),
            "{path}"
        );
    }
    let refused = call(&aws, "GET", "/bucket/a%3Cb", &[], "").await;
    assert_eq!(refused.element("Key"), "a<b");
    let long = format!("/bucket/{}", "k".repeat(1025));
    assert_eq!(
        call(&aws, "PUT", &long, &[], "").await.element("Code"),
        "KeyTooLongError"
    );
}

#[tokio::test]
async fn a_write_may_depend_on_what_is_there() {
    let aws = started().await;
    let once = [("if-none-match", "*")];
    assert_eq!(call(&aws, "PUT", "/bucket/key", &once, "1").await.status, 200);
    assert_eq!(call(&aws, "PUT", "/bucket/key", &once, "2").await.status, 412);
    let etag = call(&aws, "GET", "/bucket/key", &[], "")
        .await
        .header("etag")
        .to_owned();
    let same = [("if-match", etag.as_str())];
    assert_eq!(call(&aws, "PUT", "/bucket/key", &same, "3").await.status, 200);
    assert_eq!(call(&aws, "PUT", "/bucket/key", &same, "4").await.status, 412);
    assert_eq!(call(&aws, "GET", "/bucket/key", &[], "").await.text(), "3");
    let changed = call(&aws, "GET", "/bucket/key", &[("if-none-match", &etag)], "").await;
    assert_eq!(changed.status, 200);
}

async fn keys(aws: &AwsLocal, query: &str) -> (Vec<String>, Vec<String>, String) {
    let list = call(aws, "GET", &format!("/bucket?list-type=2&{query}"), &[], "").await;
    assert_eq!(list.status, 200, "{}", list.text());
    let prefixes = list.elements("CommonPrefixes").len();
    let all = list.elements("Prefix");
    let gathered = all[all.len() - prefixes..].to_vec();
    (
        list.elements("Key"),
        gathered,
        list.element("NextContinuationToken"),
    )
}

#[tokio::test]
async fn a_list_is_in_the_order_of_bytes_and_in_pages() {
    let aws = started().await;
    let names = ["a", "a/b/c", "a/b/d", "a/e", "a0", "b/1", "b/2", "c", "é", "z"];
    for name in names {
        let path: Vec<String> = name.bytes().map(|byte| format!("%{byte:02X}")).collect();
        assert_eq!(
            call(&aws, "PUT", &format!("/bucket/{}", path.concat()), &[], "x")
                .await
                .status,
            200
        );
    }
    let sorted = ["a", "a/b/c", "a/b/d", "a/e", "a0", "b/1", "b/2", "c", "z", "é"];
    assert_eq!(keys(&aws, "").await.0, sorted);
    assert_eq!(keys(&aws, "start-after=b%2F1").await.0, ["b/2", "c", "z", "é"]);
    assert_eq!(keys(&aws, "prefix=a%2F").await.0, ["a/b/c", "a/b/d", "a/e"]);
    let (found, gathered, _) = keys(&aws, "delimiter=%2F").await;
    assert_eq!(found, ["a", "a0", "c", "z", "é"]);
    assert_eq!(gathered, ["a/", "b/"]);
    let (found, gathered, _) = keys(&aws, "delimiter=%2F&prefix=a%2F").await;
    assert_eq!(
        (found, gathered),
        (vec!["a/e".to_owned()], vec!["a/b/".to_owned()])
    );

    // Page by page, whatever the pages' size, it is the same list.
    for size in 1..=4 {
        for delimiter in ["", "&delimiter=%2F"] {
            let (mut found, mut gathered) = (Vec::new(), Vec::new());
            let mut token = String::new();
            loop {
                let page = keys(&aws, &format!("max-keys={size}{delimiter}{token}")).await;
                assert!(page.0.len() + page.1.len() <= size);
                found.extend(page.0);
                gathered.extend(page.1);
                if page.2.is_empty() {
                    break;
                }
                token = format!("&continuation-token={}", page.2.replace('=', "%3D"));
            }
            let whole = keys(&aws, delimiter).await;
            assert_eq!(
                (found, gathered),
                (whole.0, whole.1),
                "pages of {size}{delimiter}"
            );
        }
    }
    assert_eq!(keys(&aws, "max-keys=0").await.0, Vec::<String>::new());
    let encoded = call(
        &aws,
        "GET",
        "/bucket?list-type=2&encoding-type=url&prefix=%C3%A9",
        &[],
        "",
    )
    .await;
    assert_eq!(encoded.elements("Key"), ["%C3%A9"]);
}

#[tokio::test]
async fn many_are_deleted_at_once_and_then_the_bucket() {
    let aws = started().await;
    for key in ["a", "b", "c"] {
        call(&aws, "PUT", &format!("/bucket/{key}"), &[], "x").await;
    }
    assert_eq!(
        call(&aws, "DELETE", "/bucket", &[], "").await.element("Code"),
        "BucketNotEmpty"
    );
    let body = "<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Object><Key>a</Key></Object>\
                <Object><Key>none</Key></Object><Object><Key>c</Key></Object></Delete>";
    let deleted = call(&aws, "POST", "/bucket?delete", &[], body).await;
    assert_eq!(deleted.elements("Key"), ["a", "none", "c"]);
    assert_eq!(keys(&aws, "").await.0, ["b"]);
    assert_eq!(call(&aws, "DELETE", "/bucket/b", &[], "").await.status, 204);
    assert_eq!(call(&aws, "DELETE", "/bucket", &[], "").await.status, 204);
    assert_eq!(call(&aws, "HEAD", "/bucket", &[], "").await.status, 404);
}

#[tokio::test]
async fn versions_are_kept_once_that_is_asked_for() {
    let aws = started().await;
    call(&aws, "PUT", "/bucket/key", &[], "before").await;
    let enable = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    assert_eq!(
        call(&aws, "PUT", "/bucket?versioning", &[], enable).await.status,
        200
    );
    assert_eq!(
        call(&aws, "GET", "/bucket?versioning", &[], "")
            .await
            .element("Status"),
        "Enabled"
    );
    let first = call(&aws, "PUT", "/bucket/key", &[], "first")
        .await
        .header("x-amz-version-id")
        .to_owned();
    call(&aws, "PUT", "/bucket/key", &[], "second").await;
    let pinned = format!("/bucket/key?versionId={}", first.replace('=', "%3D"));
    assert_eq!(call(&aws, "GET", &pinned, &[], "").await.text(), "first");
    assert_eq!(
        call(&aws, "GET", "/bucket/key?versionId=null", &[], "")
            .await
            .text(),
        "before"
    );
    let deleted = call(&aws, "DELETE", "/bucket/key", &[], "").await;
    assert_eq!(deleted.header("x-amz-delete-marker"), "true");
    let marker = deleted.header("x-amz-version-id").to_owned();
    let gone = call(&aws, "GET", "/bucket/key", &[], "").await;
    assert_eq!(
        (gone.status.as_u16(), gone.header("x-amz-delete-marker")),
        (404, "true")
    );
    assert_eq!(keys(&aws, "").await.0, Vec::<String>::new());
    let versions = call(&aws, "GET", "/bucket?versions", &[], "").await;
    assert_eq!(versions.elements("IsLatest"), ["true", "false", "false", "false"]);
    // Page by page the same ones come, in the same order.
    let (mut paged, mut at) = (Vec::new(), String::new());
    loop {
        let page = call(&aws, "GET", &format!("/bucket?versions&max-keys=1{at}"), &[], "").await;
        paged.extend(page.elements("VersionId"));
        if page.element("IsTruncated") == "false" {
            break;
        }
        at = format!(
            "&key-marker=key&version-id-marker={}",
            page.element("NextVersionIdMarker")
        );
    }
    assert_eq!(paged, versions.elements("VersionId"));
    // Without its marker the object is there again.
    call(
        &aws,
        "DELETE",
        &format!("/bucket/key?versionId={marker}"),
        &[],
        "",
    )
    .await;
    assert_eq!(call(&aws, "GET", "/bucket/key", &[], "").await.text(), "second");
    assert_eq!(call(&aws, "DELETE", &pinned, &[], "").await.status, 204);
    assert_eq!(
        call(&aws, "GET", &pinned, &[], "").await.element("Code"),
        "NoSuchVersion"
    );
}

async fn upload(aws: &AwsLocal, parts: &[Bytes]) -> (String, Vec<String>) {
    let begun = call(
        aws,
        "POST",
        "/bucket/big?uploads",
        &[("x-amz-meta-who", "Bob")],
        "",
    )
    .await;
    let id = begun.element("UploadId");
    let mut tags = Vec::new();
    for (n, part) in parts.iter().enumerate() {
        let path = format!("/bucket/big?partNumber={}&uploadId={id}", n + 1);
        let sent = call(aws, "PUT", &path, &[], part.clone()).await;
        assert_eq!(sent.status, 200, "{}", sent.text());
        tags.push(sent.header("etag").to_owned());
    }
    (id, tags)
}

fn completion(tags: &[String]) -> String {
    let parts = tags.iter().enumerate().map(|(n, tag)| {
        format!(
            "<Part><PartNumber>{}</PartNumber><ETag>{tag}</ETag></Part>",
            n + 1
        )
    });
    format!(
        "<CompleteMultipartUpload>{}</CompleteMultipartUpload>",
        parts.collect::<Vec<_>>().concat()
    )
}

#[tokio::test]
async fn parts_become_one_object() {
    let folder = crate::testing::folder("s3");
    let options = Options {
        data: Some(folder.path().to_owned()),
        ..options()
    };
    let aws = AwsLocal::start(options.clone()).await.expect("it starts");
    call(&aws, "PUT", "/bucket", &[], "").await;
    let five = 5 * 1024 * 1024;
    let parts: Vec<Bytes> = vec![
        vec![b'a'; five + 7].into(),
        vec![b'b'; five].into(),
        "the end".into(),
    ];
    let (id, tags) = upload(&aws, &parts).await;
    let path = format!("/bucket/big?uploadId={id}");
    assert_eq!(
        call(&aws, "GET", &path, &[], "").await.elements("PartNumber"),
        ["1", "2", "3"]
    );
    let wrong = completion(&[tags[1].clone(), tags[0].clone()]);
    assert_eq!(
        call(&aws, "POST", &path, &[], wrong).await.element("Code"),
        "InvalidPart"
    );
    let done = call(&aws, "POST", &path, &[], completion(&tags)).await;
    assert!(done.element("ETag").ends_with("-3\""), "{}", done.text());
    assert_eq!(
        call(&aws, "POST", &path, &[], completion(&tags))
            .await
            .element("Code"),
        "NoSuchUpload"
    );
    drop(aws);

    // What was completed is there after the process was killed.
    let aws = AwsLocal::start(options).await.expect("it starts again");
    let got = call(
        &aws,
        "GET",
        "/bucket/big",
        &[("x-amz-checksum-mode", "ENABLED")],
        "",
    )
    .await;
    assert_eq!(got.body, parts.concat());
    assert_eq!(got.header("x-amz-meta-who"), "Bob");
    let sum = super::body::checksum(super::body::Algorithm::Crc64Nvme, &got.body);
    assert_eq!(got.header("x-amz-checksum-crc64nvme"), sum);
    let across = format!("bytes={}-{}", five + 5, five + 8);
    let across = call(&aws, "GET", "/bucket/big", &[("range", &across)], "").await;
    assert_eq!(across.text(), "aabb");
    let third = call(&aws, "GET", "/bucket/big?partNumber=3", &[], "").await;
    assert_eq!(
        (third.text(), third.header("x-amz-mp-parts-count")),
        ("the end", "3")
    );
    let copied = call(
        &aws,
        "PUT",
        "/bucket/copy",
        &[("x-amz-copy-source", "bucket/big")],
        "",
    )
    .await;
    assert_eq!(copied.status, 200, "{}", copied.text());
    assert_eq!(
        call(&aws, "GET", "/bucket/copy", &[], "").await.body,
        parts.concat()
    );
}

#[tokio::test]
async fn small_parts_are_refused_and_an_upload_can_be_given_up() {
    let aws = started().await;
    let (id, tags) = upload(&aws, &["one".into(), "two".into()]).await;
    let path = format!("/bucket/big?uploadId={id}");
    assert_eq!(
        call(&aws, "POST", &path, &[], completion(&tags))
            .await
            .element("Code"),
        "EntityTooSmall"
    );
    let under_way = call(&aws, "GET", "/bucket?uploads", &[], "").await;
    assert_eq!(under_way.elements("UploadId"), [id]);
    assert_eq!(call(&aws, "DELETE", &path, &[], "").await.status, 204);
    assert!(
        call(&aws, "GET", "/bucket?uploads", &[], "")
            .await
            .elements("UploadId")
            .is_empty()
    );
    assert_eq!(
        call(&aws, "GET", "/bucket/big", &[], "").await.element("Code"),
        "NoSuchKey"
    );
}

#[tokio::test]
async fn a_presigned_address_is_answered() {
    let aws = started().await;
    for signed in [
        "X-Amz-Credential=any%2F20261121%2Fus-east-1%2Fs3%2Faws4_request",
        "AWSAccessKeyId=any&Signature=x%3D&Expires=1795262400",
    ] {
        let request = |method: &str, body: &'static str| {
            let request = Request::builder().method(method);
            let request = request.uri(format!("http://bucket.localhost:8086/v2/email/account?{signed}"));
            request
                .body(Bytes::from_static(body.as_bytes()))
                .expect("a request")
        };
        assert_eq!(aws.handle(request("PUT", "Hello")).await.status(), 200);
        assert_eq!(aws.handle(request("GET", "")).await.body(), "Hello");
    }
}
