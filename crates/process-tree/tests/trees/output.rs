//! Output of any size and kind: kept within its limit, byte for byte, in bounded memory.

use crate::support::{Case, MIB, levels};
use process_tree::{LeaderStatus, OutputSink};

/// The most memory this test process has used, in bytes.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib: u64 = line
        .unwrap()
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .unwrap();
    kib * 1024
}

#[tokio::test]
async fn a11_a_flood_keeps_its_head_and_its_tail() {
    let bytes = 100_000_000;
    let case = Case::new("flood", &[&bytes.to_string()], 1);
    let exit = case.run().await;
    assert_eq!(exit.status, LeaderStatus::Exited(0));
    assert_eq!(exit.stdout.bytes_seen, bytes);
    assert_eq!(exit.stdout.bytes_kept, MIB);
    assert!(exit.stdout.truncated && exit.stdout.reached_end);
    let kept = case.stdout_text();
    let marker = format!("\n[harness: {} bytes dropped]\n", bytes - MIB);
    let (head, tail) = kept.split_once(&marker).unwrap();
    assert_eq!((head.len() as u64, tail.len() as u64), (MIB / 2, MIB / 2));
    assert!(head.starts_with("0123456789abcde\n") && tail.ends_with("0123456789abcde\n"));
    assert!(peak_memory() < 64 * MIB, "{}", peak_memory());
}

#[tokio::test]
async fn a12_a_result_line_survives_a_line_that_never_ends() {
    let case = Case::new("long-line", &["50000000"], 1);
    let exit = case.run().await;
    assert_eq!(exit.last_json_line.unwrap(), b"{\"completed\":true}");
    assert!(exit.stdout.truncated);
    assert!(peak_memory() < 64 * MIB, "{}", peak_memory());
}

#[tokio::test]
async fn a13_bytes_that_are_not_text_are_kept_as_they_are() {
    for level in levels().await {
        let case = Case::new("bytes", &[], level);
        let exit = case.run().await;
        let every: Vec<u8> = (0..=255).chain((0..=255).rev()).collect();
        assert_eq!(case.stdout(), every);
        assert_eq!((exit.stdout.bytes_seen, exit.stdout.bytes_kept), (512, 512));
        assert!(!exit.stdout.truncated);
        assert_eq!(exit.stderr.bytes_seen, 0);
    }
}

#[tokio::test]
async fn memory_sinks_hand_back_their_bytes() {
    let mut case = Case::new("flood", &["10000"], 1);
    case.command.stdout = OutputSink::Memory { limit: 20_000 };
    case.command.stderr = OutputSink::Null;
    let exit = case.run().await;
    assert_eq!(exit.stdout.memory.unwrap().len(), 10_000);
    assert_eq!(exit.stderr.memory, None);

    case.command.stdout = OutputSink::Memory { limit: 100 };
    let exit = case.run().await;
    assert!(exit.stdout.truncated);
    assert_eq!(exit.stdout.bytes_kept, 100);
    let memory = String::from_utf8(exit.stdout.memory.unwrap()).unwrap();
    assert!(
        memory.contains("\n[harness: 9900 bytes dropped]\n"),
        "{memory}"
    );
}

#[tokio::test]
async fn a_full_disk_does_not_stop_the_command() {
    let mut case = Case::new("flood", &["5000000"], 1);
    case.command.stdout = OutputSink::File {
        path: "/dev/full".into(),
        limit: 4 * MIB,
    };
    let exit = case.run().await;
    assert_eq!(exit.status, LeaderStatus::Exited(0));
    assert_eq!(exit.stdout.bytes_seen, 5_000_000);
    assert!(exit.stdout.write_error.is_some() && exit.stdout.truncated);
}
