//! The items of a Map Run: read from where they are, made into the inputs of its children, and written down before
//! the first child begins. Read halfway through they are forgotten and read again, which nobody has seen yet.

use asl::{Batching, Child, Execution, Failure, Format, Source};
use jiff::Timestamp;
use serde_json::Value;

use super::super::engine::Engine;
use super::super::store::map_runs::{self as kept, Record};
use super::formats;
use super::objects::Objects;
use crate::error::AwsError;

/// How many children are written down in one transaction.
const TOGETHER: usize = 1_000;

/// Items, and where each run of them comes from.
struct Items {
    /// In order; the number of items that come from each.
    sources: Vec<(String, usize)>,
    items: Vec<Value>,
    /// Whether they are an object's fields.
    keyed: bool,
}

impl Items {
    fn of(source: String, (items, keyed): (Vec<Value>, bool)) -> Items {
        Items {
            sources: vec![(source, items.len())],
            items,
            keyed,
        }
    }
}

impl Engine {
    /// Reads a run's items and writes its children down.
    pub(super) async fn read_items(&self, record: &Record) -> Result<Result<(), Failure>, AwsError> {
        let live = self.load(record.execution).await?;
        let parent = &live.execution;
        let read = match &record.run.source {
            Source::Given => Ok(given(parent, record, self.source.now())),
            source => fetch(&self.objects(), source).await,
        };
        let children = match read.and_then(|items| self.children(parent, record, &items)) {
            Ok(children) => children,
            Err(failure) => return Ok(Err(failure)),
        };
        let run = record.id;
        self.store
            .write(move |transaction| kept::clear(transaction, run))
            .await?;
        let mut first = 0;
        let mut left = children.into_iter().peekable();
        while left.peek().is_some() {
            let some: Vec<Child> = left.by_ref().take(TOGETHER).collect();
            let begin = first;
            first += i64::try_from(some.len()).unwrap_or(i64::MAX);
            self.store
                .write(move |transaction| kept::add(transaction, run, begin, &some))
                .await?;
        }
        self.store
            .write(move |transaction| kept::read(transaction, run))
            .await?;
        Ok(Ok(()))
    }

    /// What the items become: ItemSelector first, then ItemBatcher.
    fn children(&self, parent: &Execution, record: &Record, read: &Items) -> Result<Vec<Child>, Failure> {
        let Some(selecting) = parent.selecting(&record.run.arn, self.source.now()) else {
            // Its execution has given it up meanwhile.
            return Ok(Vec::new());
        };
        let mut batching = Batching::new(record.run.batch.as_ref(), &record.run.state);
        let mut children = Vec::new();
        let sources = read
            .sources
            .iter()
            .flat_map(|(source, count)| std::iter::repeat_n(source.as_str(), *count));
        for ((index, item), source) in (0..).zip(&read.items).zip(sources) {
            let item = selecting.select(index, item, read.keyed, source, &mut self.random())?;
            children.extend(batching.push(item)?);
        }
        children.extend(batching.finish());
        Ok(children)
    }
}

fn given(parent: &Execution, record: &Record, now: Timestamp) -> Items {
    let given = parent.selecting(&record.run.arn, now).map(|selecting| {
        let (items, keyed) = selecting.given();
        (items.to_vec(), keyed)
    });
    Items::of("STATE_DATA".to_owned(), given.unwrap_or_default())
}

/// Reads items from S3.
async fn fetch(objects: &Objects<'_>, source: &Source) -> Result<Items, Failure> {
    match source {
        Source::Given => Err(failed("there is nothing to read")),
        Source::Object {
            bucket,
            key,
            version,
            format,
            most,
        } => {
            let data = objects
                .get(bucket, key, version.as_deref())
                .await
                .map_err(failed)?;
            let mut items = read_as(objects, (bucket, key), format, &data, *most).await?;
            limit(&mut items, *most);
            Ok(items)
        }
        Source::Listing {
            bucket,
            prefix,
            load: None,
            most,
        } => {
            let most = most.map_or(usize::MAX, |most| usize::try_from(most).unwrap_or(usize::MAX));
            let listed = objects.list(bucket, prefix, most).await.map_err(failed)?;
            let items = listed.iter().map(formats::listed).collect();
            Ok(Items::of(format!("S3://{bucket}"), (items, false)))
        }
        Source::Listing {
            bucket,
            prefix,
            load: Some(format),
            most,
        } => {
            let mut all = Items {
                sources: Vec::new(),
                items: Vec::new(),
                keyed: false,
            };
            for listed in objects.list(bucket, prefix, usize::MAX).await.map_err(failed)? {
                // Folders, as consoles make them, are no data.
                if listed.key.ends_with('/') && listed.size == 0 {
                    continue;
                }
                let data = objects.get(bucket, &listed.key, None).await.map_err(failed)?;
                let items = read_as(objects, (bucket, &listed.key), format, &data, None).await?;
                all.sources.extend(items.sources);
                all.items.extend(items.items);
                if most.is_some_and(|most| all.items.len() as u64 >= most) {
                    break;
                }
            }
            limit(&mut all, *most);
            Ok(all)
        }
    }
}

async fn read_as(
    objects: &Objects<'_>,
    (bucket, key): (&str, &str),
    format: &Format,
    data: &[u8],
    most: Option<u64>,
) -> Result<Items, Failure> {
    let manifest = match format {
        Format::Inventory => formats::inventory(data).map_err(failed)?,
        Format::Athena { of } => formats::athena(data, of).map_err(failed)?,
        format => {
            let items = formats::items(data, format)
                .map_err(|why| failed(format!("The object s3://{bucket}/{key} can't be read: {why}")))?;
            return Ok(Items::of(format!("S3://{bucket}/{key}"), items));
        }
    };
    let mut all = Items {
        sources: Vec::new(),
        items: Vec::new(),
        keyed: false,
    };
    for (bucket, key) in &manifest.objects {
        let data = objects.get(bucket, key, None).await.map_err(failed)?;
        let data = formats::unpacked(&data, key).map_err(failed)?;
        let (items, _) = formats::items(&data, &manifest.format)
            .map_err(|why| failed(format!("The object s3://{bucket}/{key} can't be read: {why}")))?;
        all.sources.push((format!("S3://{bucket}/{key}"), items.len()));
        all.items.extend(items);
        if most.is_some_and(|most| all.items.len() as u64 >= most) {
            break;
        }
    }
    Ok(all)
}

fn limit(items: &mut Items, most: Option<u64>) {
    if let Some(most) = most {
        items.items.truncate(usize::try_from(most).unwrap_or(usize::MAX));
    }
}

fn failed(why: impl Into<String>) -> Failure {
    Failure {
        error: Some("States.ItemReaderFailed".to_owned()),
        cause: Some(why.into()),
        also: None,
    }
}
