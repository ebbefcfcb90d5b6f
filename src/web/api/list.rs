//! `GET /api/v1/requests`: lists, newest first. `status` is `pending` (without one), `attention` or `done` (with
//! `month`); `assignee`, `tag`, `workflow`, `execution`, `externalId`, `createdBefore` and `createdAfter` narrow it; `cursor`
//! goes on where a page ended.

use super::show::summary;
use super::{ApiError, answer, unavailable};
use crate::domain::api_key::Scope;
use crate::domain::request_fields::Problem;
use crate::flow::list::{self, Wanted};
use crate::store::{Known, Listed, Place};
use crate::web::error::WebError;
use crate::web::{Web, auth};
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::sync::Arc;

/// How many a page holds, unless `limit` says otherwise.
const USUAL: usize = 25;
/// And at most.
const MOST: usize = 100;

/// Lists requests.
pub(super) async fn list(
    State(web): State<Arc<Web>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, WebError> {
    auth::caller(&web, &headers, Scope::Read)?;
    let asked =
        Asked::read(query.as_deref().unwrap_or_default(), web.flow.clock.now()).map_err(ApiError::Invalid)?;
    let page = list::page(&web.flow, &asked.wanted, asked.after, asked.most)
        .await
        .map_err(|cause| unavailable(&cause))?;
    let requests: Vec<Value> = page.approvals.iter().map(summary).collect();
    let shown = json!({"requests": requests, "nextCursor": page.next.map(|place| place.cursor())});
    Ok(answer(StatusCode::OK, &shown))
}

/// A query, read.
#[derive(PartialEq, Debug)]
struct Asked {
    wanted: Wanted,
    after: Option<Place>,
    most: usize,
}

impl Asked {
    fn read(query: &str, now: Timestamp) -> Result<Self, Vec<Problem>> {
        let pairs: Vec<(String, String)> = serde_urlencoded::from_str(query).unwrap_or_default();
        let mut problems = Vec::new();
        let mut problem = |field: &str, message: &str| {
            problems.push(Problem {
                field: field.to_owned(),
                message: message.to_owned(),
            });
        };
        let (mut status, mut month) = ("pending".to_owned(), now.strftime("%Y-%m").to_string());
        let (mut known, mut after, mut most) = (Vec::new(), None, USUAL);
        let (mut created_before, mut created_after) = (None, None);
        for (name, value) in pairs {
            match name.as_str() {
                "status" => status = value,
                "month" if is_month(&value) => month = value,
                "month" => problem("month", "must be a month, such as 2026-11"),
                "assignee" => known.push(Known::Assignee(value)),
                "workflow" => known.push(Known::Workflow(value)),
                "execution" => known.push(Known::Execution(value)),
                "externalId" => known.push(Known::ExternalId(value)),
                "tag" => match value.split_once('=') {
                    Some((name, value)) => known.push(Known::Tag(name.to_owned(), value.to_owned())),
                    None => problem("tag", "must be a name and a value, such as team=legal"),
                },
                "createdBefore" | "createdAfter" => match value.parse::<Timestamp>() {
                    Ok(at) if name == "createdBefore" => created_before = Some(at),
                    Ok(at) => created_after = Some(at),
                    Err(_) => problem(
                        &name,
                        "must be a time with its zone, such as 2026-11-21T09:00:00Z",
                    ),
                },
                "cursor" => match Place::from_cursor(&value) {
                    Some(place) => after = Some(place),
                    None => problem("cursor", "must be a nextCursor as it was given"),
                },
                "limit" => match value.parse() {
                    Ok(limit) if (1..=MOST).contains(&limit) => most = limit,
                    _ => problem("limit", "must be a number from 1 to 100"),
                },
                _ => problem(
                    "(query)",
                    "has a parameter that isn't known; known are status, month, assignee, tag, workflow, execution, externalId, createdBefore, createdAfter, limit and cursor",
                ),
            }
        }
        let list = match status.as_str() {
            "pending" => Listed::Pending,
            "attention" => Listed::Attention,
            "done" => Listed::Done(month),
            _ => {
                problem("status", "must be pending, attention or done");
                Listed::Pending
            }
        };
        if problems.is_empty() {
            let wanted = Wanted {
                list,
                known,
                created_before,
                created_after,
            };
            Ok(Self { wanted, after, most })
        } else {
            Err(problems)
        }
    }
}

fn is_month(text: &str) -> bool {
    text.len() == 7 && format!("{text}-01").parse::<jiff::civil::Date>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Result<Asked, Vec<Problem>> {
        Asked::read(query, "2026-11-21T09:00:00Z".parse().expect("a time"))
    }

    #[test]
    fn a_query_is_read_or_refused_by_its_parameters() {
        let asked = read("status=done&tag=team%3Dlegal&assignee=bob%40example.com&limit=5").expect("right");
        assert_eq!(asked.wanted.list, Listed::Done("2026-11".to_owned()));
        assert_eq!(
            asked.wanted.known,
            [
                Known::Tag("team".to_owned(), "legal".to_owned()),
                Known::Assignee("bob@example.com".to_owned())
            ]
        );
        assert_eq!((asked.most, asked.after), (5, None));
        assert_eq!(read("").expect("right").wanted.list, Listed::Pending);
        for (query, field) in [
            ("status=open", "status"),
            ("month=2026-13", "month"),
            ("tag=legal", "tag"),
            ("limit=101", "limit"),
            ("limit=0", "limit"),
            ("cursor=x", "cursor"),
            ("colour=blue", "(query)"),
        ] {
            assert_eq!(read(query).expect_err(query)[0].field, field, "{query}");
        }
    }
}
