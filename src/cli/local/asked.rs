//! Whom a waiting execution waits for, told on the terminal with the addresses to answer at: on a laptop the author is
//! every one of them.

use super::super::terminal::{STRONG, styled};
use crate::domain::display_text::DisplayText;
use aws_local::{ApprovalsOf, PendingApproval};
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc::UnboundedSender;

/// When it is looked whether somebody has been asked, after the workflow began to wait: the mail goes out first.
const LOOKS: [Duration; 4] = [
    Duration::from_millis(100),
    Duration::from_millis(400),
    Duration::from_secs(1),
    Duration::from_secs(3),
];
/// How many addresses are remembered as told.
const REMEMBERED: usize = 10_000;

/// Finds out who is asked.
#[derive(Clone)]
pub(super) struct Asked {
    approvals: ApprovalsOf,
    told: Arc<Mutex<HashSet<String>>>,
    lines: UnboundedSender<String>,
}

impl Asked {
    /// Asks `approvals`; what is found goes to `lines`.
    pub(super) fn new(approvals: ApprovalsOf, lines: UnboundedSender<String>) -> Self {
        Self {
            approvals,
            told: Arc::default(),
            lines,
        }
    }

    /// Looks, for a while, whom the execution waits for. `head` is what its lines begin with.
    pub(super) fn look(&self, execution: String, head: String) {
        let asked = self.clone();
        tokio::spawn(async move {
            for pause in LOOKS {
                tokio::time::sleep(pause).await;
                let found = (asked.approvals)(execution.clone()).await;
                let lines = asked.fresh(&found, &head);
                if !lines.is_empty() {
                    // Nobody tells anything any more once it is stopped.
                    let _ = asked.lines.send(lines.join("\n"));
                    return;
                }
            }
        });
    }

    /// A line for everybody who wasn't told of before, and one for the address alone.
    fn fresh(&self, found: &[PendingApproval], head: &str) -> Vec<String> {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.len() > REMEMBERED {
            told.clear();
        }
        let mut lines = Vec::new();
        for approval in found {
            for (name, address) in &approval.waiting_for {
                if told.insert(address.clone()) {
                    let name = DisplayText::new(name).shortened(40).isolated();
                    let title = DisplayText::new(&approval.title).shortened(60).isolated();
                    lines.push(format!("{head}{name} is asked: {title}"));
                    lines.push(format!("          {}", styled(STRONG, address)));
                }
            }
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tokio::sync::mpsc::unbounded_channel;

    #[tokio::test(start_paused = true)]
    async fn who_is_asked_is_told_once_the_mail_is_out_and_never_again() {
        let looks = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&looks);
        let approvals: ApprovalsOf = Arc::new(move |execution| {
            let look = counted.fetch_add(1, Ordering::SeqCst);
            let asked = |name: &str| (name.to_owned(), format!("http://127.0.0.1/s/{}", name.len()));
            let waiting_for = match (execution.as_str(), look) {
                ("one", 1..) => vec![asked("Bob"), asked("Carol\u{1b}[31m")],
                _ => Vec::new(),
            };
            Box::pin(async move {
                vec![PendingApproval {
                    title: "Approve release 1.4".to_owned(),
                    status: "pending".to_owned(),
                    waiting_for,
                }]
            })
        });
        let (sender, mut lines) = unbounded_channel();
        let asked = Asked::new(approvals, sender);
        asked.look("one".to_owned(), "HEAD ".to_owned());
        let told = lines.recv().await.expect("told");
        assert_eq!(looks.load(Ordering::SeqCst), 2);
        assert_eq!(
            anstream::adapter::strip_str(&told).to_string(),
            "HEAD Bob is asked: Approve release 1.4\n          http://127.0.0.1/s/3\n\
             HEAD Carol\u{fffd}[31m is asked: Approve release 1.4\n          http://127.0.0.1/s/10"
        );

        // Neither what was told before nor what asks nobody is worth a line, and the looking ends.
        asked.look("one".to_owned(), String::new());
        asked.look("two".to_owned(), String::new());
        tokio::time::sleep(Duration::from_mins(1)).await;
        assert!(lines.try_recv().is_err());
        assert_eq!(looks.load(Ordering::SeqCst), 2 + 2 * LOOKS.len());
    }
}
