//! Rows that no test proves, each with the reason. A row that gets a test leaves this list.

pub(super) const EXCEPTIONS: &[(&str, &str)] = &[
    (
        "S1",
        "its tests come with the part of the program that they prove",
    ),
    (
        "S2",
        "its tests come with the part of the program that they prove",
    ),
    (
        "S3",
        "its tests come with the part of the program that they prove",
    ),
    (
        "S4",
        "its tests come with the part of the program that they prove",
    ),
    (
        "S5",
        "its tests come with the part of the program that they prove",
    ),
    (
        "S6",
        "its tests come with the part of the program that they prove",
    ),
    (
        "S7",
        "its tests come with the part of the program that they prove",
    ),
    (
        "S8",
        "its tests come with the part of the program that they prove",
    ),
    (
        "S9",
        "its tests come with the part of the program that they prove",
    ),
    (
        "S10",
        "its tests come with the part of the program that they prove",
    ),
    (
        "S11",
        "its tests come with the part of the program that they prove",
    ),
    (
        "S12",
        "its tests come with the part of the program that they prove",
    ),
    (
        "S13",
        "its tests come with the part of the program that they prove",
    ),
    (
        "S14",
        "its tests come with the part of the program that they prove",
    ),
    (
        "S15",
        "its tests come with the part of the program that they prove",
    ),
    (
        "S16",
        "its tests come with the part of the program that they prove",
    ),
    (
        "S17",
        "its tests come with the part of the program that they prove",
    ),
    (
        "S18",
        "its tests come with the part of the program that they prove",
    ),
    (
        "S19",
        "its tests come with the part of the program that they prove",
    ),
    (
        "S20",
        "its tests come with the part of the program that they prove",
    ),
    (
        "S21",
        "its tests come with the part of the program that they prove",
    ),
    (
        "S22",
        "its tests come with the part of the program that they prove",
    ),
    (
        "S23",
        "its tests come with the part of the program that they prove",
    ),
    (
        "S24",
        "its tests come with the part of the program that they prove",
    ),
    (
        "A1",
        "its tests come with the part of the program that they prove",
    ),
    (
        "A2",
        "its tests come with the part of the program that they prove",
    ),
    (
        "A3",
        "its tests come with the part of the program that they prove",
    ),
    (
        "A4",
        "its tests come with the part of the program that they prove",
    ),
    (
        "A5",
        "its tests come with the part of the program that they prove",
    ),
    (
        "A6",
        "its tests come with the part of the program that they prove",
    ),
    (
        "A7",
        "its tests come with the part of the program that they prove",
    ),
    (
        "A8",
        "its tests come with the part of the program that they prove",
    ),
    (
        "A9",
        "its tests come with the part of the program that they prove",
    ),
    (
        "A10",
        "its tests come with the part of the program that they prove",
    ),
    (
        "A11",
        "its tests come with the part of the program that they prove",
    ),
    (
        "A12",
        "its tests come with the part of the program that they prove",
    ),
    (
        "A13",
        "its tests come with the part of the program that they prove",
    ),
    (
        "A15",
        "its tests come with the part of the program that they prove",
    ),
    (
        "A16",
        "its tests come with the part of the program that they prove",
    ),
    (
        "A17",
        "its tests come with the part of the program that they prove",
    ),
    (
        "A18",
        "its tests come with the part of the program that they prove",
    ),
    (
        "K1",
        "its tests come with the part of the program that they prove",
    ),
    (
        "K2",
        "its tests come with the part of the program that they prove",
    ),
    (
        "K4",
        "its tests come with the part of the program that they prove",
    ),
    (
        "K5",
        "its tests come with the part of the program that they prove",
    ),
    (
        "K6",
        "its tests come with the part of the program that they prove",
    ),
    (
        "K7",
        "its tests come with the part of the program that they prove",
    ),
    (
        "K8",
        "its tests come with the part of the program that they prove",
    ),
    (
        "K9",
        "its tests come with the part of the program that they prove",
    ),
    (
        "K12",
        "its tests come with the part of the program that they prove",
    ),
    (
        "K13",
        "its tests come with the part of the program that they prove",
    ),
    (
        "K15",
        "its tests come with the part of the program that they prove",
    ),
    (
        "K17",
        "its tests come with the part of the program that they prove",
    ),
    (
        "K19",
        "its tests come with the part of the program that they prove",
    ),
    (
        "V1",
        "its tests come with the part of the program that they prove",
    ),
    (
        "V2",
        "its tests come with the part of the program that they prove",
    ),
    (
        "V3",
        "its tests come with the part of the program that they prove",
    ),
    (
        "V4",
        "its tests come with the part of the program that they prove",
    ),
    (
        "V5",
        "its tests come with the part of the program that they prove",
    ),
    (
        "V6",
        "its tests come with the part of the program that they prove",
    ),
    (
        "V7",
        "its tests come with the part of the program that they prove",
    ),
    (
        "V8",
        "its tests come with the part of the program that they prove",
    ),
    (
        "V9",
        "its tests come with the part of the program that they prove",
    ),
    (
        "V10",
        "its tests come with the part of the program that they prove",
    ),
    (
        "C1",
        "its tests come with the part of the program that they prove",
    ),
    (
        "C2",
        "its tests come with the part of the program that they prove",
    ),
    (
        "C3",
        "its tests come with the part of the program that they prove",
    ),
    (
        "C4",
        "its tests come with the part of the program that they prove",
    ),
    (
        "C7",
        "its tests come with the part of the program that they prove",
    ),
    (
        "C8",
        "its tests come with the part of the program that they prove",
    ),
    (
        "C10",
        "its tests come with the part of the program that they prove",
    ),
];
