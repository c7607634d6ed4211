//! Filters and samples tasks. The same spec and the same tasks always give the same selection.

use std::collections::HashSet;

use fleet_api::Task;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;

use crate::spec::{Selection, TasksSpec};

/// The tasks that `spec` keeps, in the order of `tasks`.
pub fn select(spec: &TasksSpec, tasks: Vec<Task>) -> Vec<Task> {
    let mut kept: Vec<Task> = tasks
        .into_iter()
        .filter(|task| spec.keeps(task.key.as_str()))
        .collect();
    match spec.selection {
        None => {}
        Some(Selection::Limit(limit)) => kept.truncate(limit as usize),
        Some(Selection::Sample { count, seed }) => {
            let chosen = sample(kept.len(), count as usize, seed);
            let mut at = 0;
            kept.retain(|_| {
                at += 1;
                chosen.contains(&(at - 1))
            });
        }
    }
    kept
}

/// `count` different indices below `n`, by a partial Fisher–Yates shuffle on the `ChaCha8` stream.
///
/// The index is drawn by multiply-shift on the raw 64-bit stream and not by a library's range function, whose
/// values may change between versions: a seed must give the same sample for ever.
fn sample(n: usize, count: usize, seed: u64) -> HashSet<usize> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut indices: Vec<usize> = (0..n).collect();
    let count = count.min(n);
    for at in 0..count {
        let room = (n - at) as u128;
        let offset = (u128::from(random.next_u64()) * room) >> 64;
        let offset = usize::try_from(offset).expect("smaller than the number of tasks");
        indices.swap(at, at + offset);
    }
    indices[..count].iter().copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{KeyPattern, TaskSource};

    fn tasks(n: usize) -> Vec<Task> {
        (0..n)
            .map(|n| Task {
                key: format!("t-{n:03}").into(),
                ..Task::default()
            })
            .collect()
    }

    fn spec(include: &[&str], exclude: &[&str], selection: Option<Selection>) -> TasksSpec {
        let patterns = |texts: &[&str]| -> Vec<KeyPattern> {
            texts
                .iter()
                .map(|text| KeyPattern::new(text).unwrap())
                .collect()
        };
        TasksSpec {
            source: TaskSource::Files(vec![]),
            include: patterns(include),
            exclude: patterns(exclude),
            selection,
        }
    }

    fn keys(tasks: &[Task]) -> Vec<&str> {
        tasks.iter().map(|task| task.key.as_str()).collect()
    }

    #[test]
    fn filters_come_before_the_limit() {
        let kept = select(
            &spec(&["t-00*"], &["*-001"], Some(Selection::Limit(3))),
            tasks(20),
        );
        assert_eq!(keys(&kept), ["t-000", "t-002", "t-003"]);
    }

    #[test]
    fn a_seed_gives_the_same_sample_for_ever() {
        let selection = Some(Selection::Sample { count: 5, seed: 7 });
        let kept = select(&spec(&[], &[], selection), tasks(100));
        let again = select(&spec(&[], &[], selection), tasks(100));
        assert_eq!(keys(&kept), keys(&again));
        assert!(kept.is_sorted_by(|a, b| a.key.as_str() < b.key.as_str()));
        let other = Some(Selection::Sample { count: 5, seed: 8 });
        assert_ne!(
            keys(&kept),
            keys(&select(&spec(&[], &[], other), tasks(100)))
        );
        // Written down when the sampler was made: a change here changes everybody's samples.
        insta::assert_snapshot!(keys(&kept).join(" "), @"t-015 t-017 t-061 t-071 t-073");
    }

    #[test]
    fn a_sample_larger_than_the_tasks_is_all_of_them() {
        let selection = Some(Selection::Sample { count: 50, seed: 1 });
        assert_eq!(select(&spec(&[], &[], selection), tasks(4)).len(), 4);
    }

    #[test]
    fn every_task_is_as_likely() {
        let mut hits = [0_u32; 10];
        for seed in 0..2000 {
            for index in sample(10, 3, seed) {
                hits[index] += 1;
            }
        }
        // 600 expected each, standard deviation about 20.
        assert!(hits.iter().all(|&n| (500..700).contains(&n)), "{hits:?}");
    }
}
