//! The scripted agent against a live desk: what each skill achieves on each example task.

use std::{fs, path::Path};

use helpdesk::agent::{self, AgentEnv, AgentResult, ErrorKind, Skill};
use serde_json::Value;

use crate::{
    common::{Desk, examples},
    verify,
};

fn tasks() -> Vec<Value> {
    serde_json::from_str(&fs::read_to_string(examples().join("tasks/helpdesk.json")).unwrap())
        .unwrap()
}

fn environment(url: &str, task: &Value, folder: &Path, trial: u32) -> AgentEnv {
    AgentEnv::from_variables(|name| match name {
        "FLEET_APP_URL" => Some(url.to_owned()),
        "FLEET_TASK_PROMPT" => Some(task["prompt"].as_str().unwrap().to_owned()),
        "FLEET_TASK_KEY" => Some(task["key"].as_str().unwrap().to_owned()),
        "HARNESS_RESULT_FILE" => Some(folder.join("result.json").display().to_string()),
        "HARNESS_TRANSCRIPT_FILE" => Some(folder.join("transcript.jsonl").display().to_string()),
        "HARNESS_TRIAL" => Some(trial.to_string()),
        _ => None,
    })
    .unwrap()
}

async fn attempt(task: &Value, skill: Skill, trial: u32) -> (AgentResult, f64) {
    let desk = Desk::open(task["data_id"].as_str().unwrap()).await;
    let env = environment(&desk.url, task, desk.folder.path(), trial);
    let result = agent::run(&env, skill, &mut |_| {}).await.unwrap();
    let answer = result.final_answer.clone().unwrap_or_default();
    let score = verify::score(&task["verifier"], &desk.seed(), &desk.current(), &answer);
    desk.stop().await;
    (result, score)
}

/// Everything that is not a full score with a completed trial.
async fn misses(skill: Skill, trial: u32) -> Vec<(String, f64, bool)> {
    let mut misses = Vec::new();
    for task in tasks() {
        let (result, score) = attempt(&task, skill, trial).await;
        if score < 1.0 || !result.completed {
            let key = task["key"]
                .as_str()
                .unwrap()
                .trim_start_matches("helpdesk-")
                .to_owned();
            misses.push((key, score, result.completed));
        }
    }
    misses
}

fn listed(misses: &[(&str, f64, bool)]) -> Vec<(String, f64, bool)> {
    misses
        .iter()
        .map(|(key, score, completed)| ((*key).to_owned(), *score, *completed))
        .collect()
}

#[tokio::test]
async fn the_expert_solves_every_task() {
    assert_eq!(misses(Skill::Expert, 1).await, listed(&[]));
}

#[tokio::test]
async fn the_regular_overlooks_exceptions_and_gives_up_on_long_jobs() {
    let expected = [
        ("close-waiting", 0.0, true),
        ("refund-escalate", 0.0, true),
        ("outage-priority", 0.0, false),
    ];
    assert_eq!(misses(Skill::Regular, 1).await, listed(&expected));
}

#[tokio::test]
async fn the_regular_slips_in_every_other_trial() {
    let expected = [
        ("parcel-arrival", 0.0, true),
        ("tag-login", 0.0, true),
        ("close-waiting", 0.0, true),
        ("refund-escalate", 0.0, true),
        ("outage-priority", 0.0, false),
    ];
    assert_eq!(misses(Skill::Regular, 2).await, listed(&expected));
}

#[tokio::test]
async fn the_novice_solves_what_is_simple() {
    let expected = [
        ("disputed-amount", 0.0, true),
        ("assign-oldest-billing", 0.0, true),
        ("parcel-arrival", 0.0, true),
        ("new-ticket", 0.0, true),
        ("tag-login", 0.0, true),
        ("merge-duplicate", 0.0, false),
        ("close-waiting", 0.0, true),
        ("vip-business", 0.6, false),
        ("away-handover", 0.0, true),
        ("refund-too-late", 0.0, true),
        ("refund-escalate", 0.0, true),
        ("email-change", 0.0, true),
        ("busiest-agent", 0.0, true),
        ("outage-priority", 0.0, false),
    ];
    assert_eq!(misses(Skill::Novice, 1).await, listed(&expected));
}

#[tokio::test]
async fn result_and_transcript_are_left() {
    let desk = Desk::open("default").await;
    let task = &tasks()[0];
    let env = environment(&desk.url, task, desk.folder.path(), 1);
    let mut lines = Vec::new();
    let result = agent::run(&env, Skill::Regular, &mut |line| {
        lines.push(line.to_owned());
    })
    .await
    .unwrap();
    assert_eq!((result.exit_code(), result.steps_taken), (0, 1));
    assert_eq!(lines, ["STEP 1: open the ticket (GET /api/tickets/7)"]);
    let written: Value =
        serde_json::from_str(&fs::read_to_string(desk.folder.path().join("result.json")).unwrap())
            .unwrap();
    assert_eq!(written["final_answer"], "Priya Raman");
    assert_eq!(written["completed"], true);
    assert!(
        written.get("usage").is_none(),
        "the agent has no model, so it reports no usage"
    );
    let transcript = fs::read_to_string(desk.folder.path().join("transcript.jsonl")).unwrap();
    let roles: Vec<Value> = transcript
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["role"].clone())
        .collect();
    assert_eq!(roles, ["user", "assistant", "tool", "assistant"]);
    desk.stop().await;
}

#[tokio::test]
async fn a_missing_environment_is_not_the_agents_fault() {
    let desk = Desk::open("default").await;
    let url = desk.url.clone();
    let folder = desk.stop().await;
    let env = environment(&url, &tasks()[0], folder.path(), 1);
    let result = agent::run(&env, Skill::Expert, &mut |_| {}).await.unwrap();
    assert_eq!(result.error_kind, Some(ErrorKind::Infrastructure));
    assert_eq!(result.exit_code(), 75);
}

#[tokio::test]
async fn steps_are_limited_and_strange_prompts_refused() {
    let desk = Desk::open("default").await;
    let mut env = environment(&desk.url, &tasks()[3], desk.folder.path(), 1);
    env.max_steps = Some(1);
    let result = agent::run(&env, Skill::Expert, &mut |_| {}).await.unwrap();
    assert_eq!((result.exit_code(), result.steps_taken), (1, 1));
    env.prompt = "Write a poem.".to_owned();
    let result = agent::run(&env, Skill::Expert, &mut |_| {}).await.unwrap();
    assert_eq!((result.exit_code(), result.steps_taken), (1, 0));
    assert!(verify::changes(&desk.seed(), &desk.current()).is_empty());
    desk.stop().await;
}
