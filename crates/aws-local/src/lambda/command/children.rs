//! The functions' processes: each leads a process group, which is killed as a whole. When this process ends without
//! having killed them (it may be killed itself), a little shell does it: it reads from a pipe which groups there are, and
//! kills those that are left when the pipe closes.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write;
use std::process::Stdio;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, Command};

/// Reads `+ GROUP` and `- GROUP`.
const GUARD: &str = r#"
groups=" "
while read -r change group; do
    case $change in
        +) groups="$groups$group " ;;
        -) groups="${groups%% $group *} ${groups#* $group }" ;;
    esac
done
for group in $groups; do kill -s KILL -- "-$group"; done
"#;

/// All processes of all functions.
#[derive(Default)]
pub(in crate::lambda) struct Children {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    endpoint: Option<String>,
    groups: BTreeSet<i32>,
    guard: Guard,
    ended: bool,
}

#[derive(Default)]
enum Guard {
    #[default]
    NotNeeded,
    Watching {
        pipe: File,
        /// Reaped by the runtime when it has ended.
        _shell: Child,
    },
    /// There is no shell to be had.
    Impossible,
}

impl Children {
    pub(in crate::lambda) fn served_at(&self, endpoint: &str) {
        self.state().endpoint = Some(endpoint.to_owned());
    }

    /// Where the embedded AWS is served.
    pub(super) fn endpoint(&self) -> Option<String> {
        self.state().endpoint.clone()
    }

    /// Kills all of them, and begins no more.
    pub(in crate::lambda) fn end(&self) {
        let mut state = self.state();
        state.ended = true;
        for group in &state.groups {
            kill(*group);
        }
        state.guard = Guard::Impossible;
    }

    /// Starts a process in a group of its own, which ends with the value.
    pub(super) fn spawn(self: &Arc<Self>, command: &mut Command) -> std::io::Result<Process> {
        let mut state = self.state();
        if state.ended {
            return Err(std::io::Error::other("the embedded AWS has ended"));
        }
        let child = command.process_group(0).kill_on_drop(true).spawn()?;
        let group = child
            .id()
            .and_then(|id| i32::try_from(id).ok())
            .unwrap_or_default();
        state.groups.insert(group);
        state.tell_guard('+', group);
        drop(state);
        Ok(Process {
            child,
            group,
            children: Arc::clone(self),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn tell_guard(&mut self, change: char, group: i32) {
        if matches!(self.guard, Guard::NotNeeded) {
            self.guard = watch().unwrap_or_else(|error| {
                tracing::debug!(error = %error, "no shell to end functions' processes when this one is killed");
                Guard::Impossible
            });
        }
        if let Guard::Watching { pipe, .. } = &mut self.guard
            && writeln!(pipe, "{change} {group}").is_err()
        {
            self.guard = Guard::Impossible;
        }
    }
}

fn watch() -> std::io::Result<Guard> {
    let mut shell = Command::new("/bin/sh")
        .args(["-c", GUARD])
        // A Ctrl-C on the terminal is not meant for it.
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let pipe = shell
        .stdin
        .take()
        .ok_or_else(|| std::io::Error::other("it has no input"))?;
    Ok(Guard::Watching {
        pipe: File::from(pipe.into_owned_fd()?),
        _shell: shell,
    })
}

/// A process and all that it started.
pub(super) struct Process {
    pub(super) child: Child,
    group: i32,
    children: Arc<Children>,
}

impl Drop for Process {
    fn drop(&mut self) {
        kill(self.group);
        let mut state = self.children.state();
        state.groups.remove(&self.group);
        if !state.ended {
            state.tell_guard('-', self.group);
        }
    }
}

fn kill(group: i32) {
    if let Some(group) = Pid::from_raw(group) {
        // It may have ended by itself.
        let _ = kill_process_group(group, Signal::KILL);
    }
}
