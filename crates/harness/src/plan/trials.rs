//! Tasks × variants × trials.

use std::sync::Arc;

use fleet_api::Task;
use run_record::{AgentReport, Attempt, InstanceId, PlannedTrial, TaskKey, TrialId, VariantName};

use crate::spec::Variant;

/// Everything that a run will do.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The trials in the order in which they start.
    pub trials: Vec<TrialPlan>,
    /// Number of different tasks.
    pub tasks: usize,
    /// The variants, in the spec's order.
    pub variants: Vec<Arc<Variant>>,
    /// Trials per task and variant.
    pub trials_per_task: u32,
}

/// One trial to be run.
#[derive(Clone, Debug)]
pub struct TrialPlan {
    /// Its name.
    pub id: TrialId,
    /// What is to be done.
    pub task: Arc<Task>,
    /// With which values of the matrix.
    pub variant: Arc<Variant>,
    /// The attempt that it starts with; not the first when the run goes on.
    pub first_attempt: Attempt,
    /// What that attempt's agent has finished already, so that only its verification is missing.
    pub finished: Option<FinishedWork>,
}

/// The work of an agent that ended before its harness did, in an instance that lives on.
#[derive(Clone, Debug, PartialEq)]
pub struct FinishedWork {
    /// Where it was done.
    pub instance: InstanceId,
    /// What the agent did and left.
    pub report: Box<AgentReport>,
}

impl Plan {
    /// Every task in every variant, `trials_per_task` times.
    ///
    /// All first trials come before all second ones, so that a run that is cut short has covered as many tasks
    /// as it could; within a round the variants of a task stand together, so that they see the same weather.
    pub fn new(tasks: Vec<Task>, variants: Vec<Variant>, trials_per_task: u32) -> Self {
        let tasks: Vec<Arc<Task>> = tasks.into_iter().map(Arc::new).collect();
        let variants: Vec<Arc<Variant>> = variants.into_iter().map(Arc::new).collect();
        let mut trials = Vec::with_capacity(tasks.len() * variants.len());
        for trial in 1..=trials_per_task {
            for task in &tasks {
                for variant in &variants {
                    trials.push(TrialPlan {
                        id: TrialId {
                            task: TaskKey::new(task.key.as_str()),
                            variant: VariantName::new(variant.name.as_str()),
                            trial,
                        },
                        task: Arc::clone(task),
                        variant: Arc::clone(variant),
                        first_attempt: Attempt::FIRST,
                        finished: None,
                    });
                }
            }
        }
        Self {
            trials,
            tasks: tasks.len(),
            variants,
            trials_per_task,
        }
    }
}

impl TrialPlan {
    /// As the journal knows it.
    pub(crate) fn planned(&self) -> PlannedTrial {
        PlannedTrial {
            id: self.id.clone(),
            env_key: self.task.env_key(),
            data_key: self.task.data_key(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_trials_come_first_and_variants_stand_together() {
        let task = |key: &str| Task {
            key: key.into(),
            ..Task::default()
        };
        let variant = |name: &str| Variant {
            name: name.to_owned(),
            values: vec![],
        };
        let plan = Plan::new(
            vec![task("a"), task("b")],
            vec![variant("x"), variant("y")],
            2,
        );
        let names: Vec<String> = plan.trials.iter().map(|t| t.id.to_string()).collect();
        assert_eq!(
            names,
            [
                "a[x]#1", "a[y]#1", "b[x]#1", "b[y]#1", "a[x]#2", "a[y]#2", "b[x]#2", "b[y]#2"
            ]
        );
        assert_eq!(plan.tasks, 2);
    }
}
