//! What a list is asked for by, as names and values: the query of the API, the fields of the operators' function.
//! `status` is `pending` (without one), `attention` or `done` (with `month`); the others narrow it; `cursor` goes on where
//! a part ended.

use super::Wanted;
use crate::domain::request_fields::Problem;
use crate::store::{Known, Listed, Place};
use jiff::Timestamp;

/// How many a part holds, unless `limit` says otherwise.
const USUAL: usize = 25;
/// And at most.
const MOST: usize = 100;

/// Which part of which list is asked for.
#[derive(PartialEq, Debug)]
pub struct Asked {
    /// The requests.
    pub wanted: Wanted,
    /// Where an earlier part ended.
    pub after: Option<Place>,
    /// How many at most.
    pub most: usize,
}

impl Asked {
    /// Reads names and values; a name may come several times. What is wrong is told by its name.
    pub fn read(pairs: Vec<(String, String)>, now: Timestamp) -> Result<Self, Vec<Problem>> {
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
        let pairs = serde_urlencoded::from_str(query).expect("a query");
        Asked::read(pairs, "2026-11-21T09:00:00Z".parse().expect("a time"))
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
