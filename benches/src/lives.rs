//! How fast whole lives of approvals are: a workflow starts and waits, Bob's mail comes, the page is fetched, the
//! answer is posted, the workflow has ended with it. Pages over HTTP on loopback, AWS embedded, in one process.

use crate::measure::{cpu_time, ms, peak_memory_mb, sorted};
use crate::world::{Life, World};
use countersign::cli::embedded::{Embedded, Start};
use countersign::config::local::Settings;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

/// Prints a row for each way of keeping and each number at once.
pub(crate) async fn print(lives: usize) {
    println!("Whole lives of approvals, {lives} a row; times in ms");
    println!(
        "                      lives/s   POST to end p50   p99   page p50   p99   CPU/life   peak memory"
    );
    for in_file in [false, true] {
        for at_once in [1, 8, 32] {
            row(in_file, at_once, lives).await;
        }
    }
}

async fn row(in_file: bool, at_once: usize, lives: usize) {
    let folder = in_file
        .then(|| std::env::temp_dir().join(format!("countersign-bench-{}-{at_once}", std::process::id())));
    let embedded = Embedded::start(Start {
        port: 0,
        aws_port: 0,
        data: folder.clone(),
        time_travel: false,
        settings: Settings::default(),
    });
    let embedded = embedded.await.unwrap_or_else(|error| panic!("{error:?}"));
    let world = Arc::new(World::new(embedded.aws.clone(), &embedded.sdk).await);
    for _ in 0..20 {
        world.life().await;
    }
    let (began, cpu) = (Instant::now(), cpu_time());
    let left = Arc::new(AtomicUsize::new(lives));
    let mut people = tokio::task::JoinSet::new();
    for _ in 0..at_once {
        let (world, left) = (Arc::clone(&world), Arc::clone(&left));
        people.spawn(async move {
            let mut done = Vec::new();
            while left
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1))
                .is_ok()
            {
                done.push(world.life().await);
            }
            done
        });
    }
    let done: Vec<Life> = people.join_all().await.into_iter().flatten().collect();
    let (took, cpu) = (began.elapsed(), cpu_time().saturating_sub(cpu));
    let posts = sorted(done.iter().map(|life| life.post_to_end));
    let pages = sorted(done.iter().map(|life| life.page));
    #[expect(clippy::cast_precision_loss, reason = "a table for people")]
    let (rate, each) = (
        lives as f64 / took.as_secs_f64(),
        cpu.as_secs_f64() * 1000.0 / lives as f64,
    );
    println!(
        "{:<9} {at_once:>2} at once  {rate:>7.0}   {:>15.1} {:>5.1}   {:>8.1} {:>5.1}   {each:>8.1}   {:>8.0} MB",
        if in_file { "in a file" } else { "in memory" },
        ms(&posts, 50),
        ms(&posts, 99),
        ms(&pages, 50),
        ms(&pages, 99),
        peak_memory_mb(),
    );
    embedded.stop().await;
    if let Some(folder) = folder {
        std::fs::remove_dir_all(folder).unwrap();
    }
}

/// Lives in a file, one after another: what `benches/run` counts the disk flushes of.
pub(crate) async fn one_after_another(lives: usize) {
    let folder = std::env::temp_dir().join(format!("countersign-bench-{}", std::process::id()));
    let embedded = Embedded::start(Start {
        port: 0,
        aws_port: 0,
        data: Some(folder.clone()),
        time_travel: false,
        settings: Settings::default(),
    });
    let embedded = embedded.await.unwrap_or_else(|error| panic!("{error:?}"));
    let world = World::new(embedded.aws.clone(), &embedded.sdk).await;
    for _ in 0..lives {
        world.life().await;
    }
    embedded.stop().await;
    std::fs::remove_dir_all(folder).unwrap();
}
