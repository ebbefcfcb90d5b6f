//! The lines of execution: how they part, fail, join, are given up, and which of them can go on.

use std::sync::Arc;

use serde_json::Value;

use super::Execution;
use super::state::{At, Branch, Failed, Phase};
use crate::definition::Work;
use crate::journal::{BranchId, Failure};
use crate::variables::Variables;

impl Execution {
    pub(super) fn fail_branch(&mut self, id: BranchId, failure: &Failure) -> Result<(), String> {
        let branch = self.branches.get_mut(&id).ok_or("there is no such branch")?;
        let kind = branch.visit_mut()?.kind;
        branch.at = At::Failed { kind };
        let (prev, parent) = (
            branch.prev,
            branch
                .parent
                .ok_or("the machine's own line fails as an execution")?,
        );
        let parent = self
            .branches
            .get_mut(&parent)
            .ok_or("the branch has no parent")?
            .visit_mut()?;
        let failed = match &mut parent.phase {
            Phase::Branching { failed, .. } => failed,
            Phase::Mapping(mapping) => {
                mapping.fail(failure, prev, Some(id));
                return Ok(());
            }
            _ => return Err("the parent has no branches".into()),
        };
        failed.get_or_insert_with(|| Failed {
            failure: failure.clone(),
            prev,
        });
        Ok(())
    }

    pub(super) fn branch_out(&mut self, id: BranchId, input: &Value) -> Result<(), String> {
        let branch = self.branches.get(&id).ok_or("there is no such branch")?;
        let visit = branch.visit().ok_or("the branch is in no state")?;
        let definition = Arc::clone(&self.definition);
        let state = definition
            .machine(branch.machine)
            .and_then(|machine| machine.states.get(&visit.state));
        let Some(Work::Parallel {
            branches: machines, ..
        }) = state.map(|state| &state.work)
        else {
            return Err("the state is no Parallel".into());
        };
        let (prev, variables) = (branch.prev, visit.variables.clone());
        let mut children = Vec::with_capacity(machines.len());
        for &machine in machines {
            let child = BranchId(self.next_branch);
            self.next_branch = self
                .next_branch
                .checked_add(1)
                .ok_or("there are too many branches")?;
            let state = definition
                .machine(machine)
                .ok_or("there is no such machine")?
                .start_at
                .clone();
            let at = At::Arriving {
                state,
                input: input.clone(),
            };
            self.branches.insert(
                child,
                Branch {
                    parent: Some(id),
                    iteration: None,
                    machine,
                    at,
                    prev,
                    variables: Variables::inside(&variables),
                },
            );
            children.push(child);
            self.ready.push(child);
        }
        let visit = self
            .branches
            .get_mut(&id)
            .ok_or("there is no such branch")?
            .visit_mut()?;
        visit.phase = Phase::Branching {
            children,
            failed: None,
        };
        Ok(())
    }

    pub(super) fn join(&mut self, id: BranchId) -> Result<(), String> {
        let children = self.children(id)?;
        let mut outputs = Vec::with_capacity(children.len());
        for child in &children {
            match self.branches.remove(child).map(|branch| branch.at) {
                Some(At::Done { output }) => outputs.push(output),
                _ => return Err("a branch is not done".into()),
            }
        }
        self.forget(&children);
        let visit = self
            .branches
            .get_mut(&id)
            .ok_or("there is no such branch")?
            .visit_mut()?;
        visit.phase = Phase::Result(Value::Array(outputs));
        Ok(())
    }

    pub(super) fn children(&self, id: BranchId) -> Result<Vec<BranchId>, String> {
        match self
            .branches
            .get(&id)
            .and_then(Branch::visit)
            .map(|visit| &visit.phase)
        {
            Some(Phase::Branching { children, .. }) => Ok(children.clone()),
            _ => Err("the state has no branches".into()),
        }
    }

    /// Removes branches, and what is below them.
    pub(super) fn forget(&mut self, ids: &[BranchId]) {
        let mut ids = ids.to_vec();
        while let Some(id) = ids.pop() {
            if let Some(branch) = self.branches.remove(&id)
                && let Some(visit) = branch.visit()
            {
                ids.extend(visit.phase.children());
            }
            self.ready.remove(id);
            self.waiting.set(id, None);
        }
    }

    /// Puts a branch among those that are ready or wait for a time, or takes it out. It depends on the entries alone,
    /// so that a replayed execution goes on in the same order.
    pub(super) fn refresh(&mut self, id: BranchId, urgent: bool) {
        match self.can_go_on(id) {
            true if urgent => self.ready.push_first(id),
            true => self.ready.push(id),
            false => self.ready.remove(id),
        }
        self.waiting.set(id, self.due_at(id));
    }

    fn can_go_on(&self, id: BranchId) -> bool {
        let Some(branch) = self.branches.get(&id) else {
            return false;
        };
        match &branch.at {
            At::Arriving { .. } => true,
            At::Done { .. } => branch.parent.is_none() || branch.iteration.is_some(),
            At::Failed { .. } | At::Aborted => false,
            At::In(visit) => match &visit.phase {
                Phase::Begin | Phase::Result(_) | Phase::Failed(_) => true,
                Phase::Waiting { .. } | Phase::BackingOff { .. } | Phase::Running(_) => false,
                Phase::Branching { children, failed } => {
                    failed.is_some() || children.iter().all(|child| self.is_done(*child))
                }
                Phase::Mapping(mapping) => mapping.can_go_on(),
                Phase::Gathered(gathered) => gathered.can_go_on(),
            },
        }
    }

    fn is_done(&self, id: BranchId) -> bool {
        matches!(
            self.branches.get(&id).map(|branch| &branch.at),
            Some(At::Done { .. })
        )
    }
}
