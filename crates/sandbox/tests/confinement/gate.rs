//! The gate: nothing runs without its word.

use sandbox::{Gate, GateError, Layer};

use crate::support::{Bench, PROBE};

#[tokio::test]
async fn a_program_that_is_turned_away_never_runs() {
    let (bench, gate) = (Bench::new(), Gate::new().unwrap());
    let file = bench.path("made");
    let child = bench.start(&gate, &[PROBE, "write", &file]);
    drop(gate.meet().await.unwrap());
    let output = child.wait_with_output().await.unwrap();
    assert_eq!(output.status.code(), Some(126));
    assert!(!std::path::Path::new(&file).exists());
}

#[tokio::test]
async fn a_program_whose_owner_is_gone_never_runs() {
    let (bench, gate) = (Bench::new(), Gate::new().unwrap());
    let file = bench.path("made");
    let child = bench.start(&gate, &[PROBE, "write", &file]);
    drop(gate);
    let output = child.wait_with_output().await.unwrap();
    assert_eq!(output.status.code(), Some(126));
    assert!(!std::path::Path::new(&file).exists());
}

#[tokio::test]
async fn what_cannot_be_executed_is_said() {
    let (bench, gate) = (Bench::new(), Gate::new().unwrap());
    let _child = bench.start(&gate, &["/usr/no-such-program"]);
    let refused = gate.meet().await.unwrap().admit().await.unwrap_err();
    let GateError::NotExecuted { reason } = refused else {
        panic!("{refused:?}")
    };
    assert!(
        reason.contains("/usr/no-such-program") && reason.contains("No such file"),
        "{reason}"
    );
}

#[tokio::test]
async fn the_layers_are_named_with_the_reason_of_each_that_is_missing() {
    let layers = Bench::new().probe(&["pair"]).await.layers;
    println!("{layers}");
    for layer in [
        Layer::Limits,
        Layer::Files,
        Layer::Capabilities,
        Layer::SystemCalls,
    ] {
        assert!(layers.holds(layer), "{layer}: {layers}");
    }
    assert!(layers.missing.values().all(|reason| !reason.is_empty()));
}
