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
