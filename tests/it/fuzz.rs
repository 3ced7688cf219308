//! The fuzz targets' entry points, on what is kept of their corpora and on made-up input: a smoke run, without libFuzzer.

use std::{fs, path::PathBuf};

use proptest::{collection::vec, prelude::*, sample::select};

#[path = "../fuzz/src/lib.rs"]
mod entry_points;

/// Pieces that get further than noise does.
const PIECES: &[&str] = &[
    "Bearer ",
    "bearer",
    "dfoa_",
    "dfoe_",
    "app-",
    "Basic ",
    "ABCD",
    "wdjp",
    "-",
    " ",
    "\t",
    "\n",
    "access_token",
    "{\"alg\":\"HS256\"}",
    "{\"user_id\":\"0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b\",\"exp\":1900000000,\"sub\":\"Console API Passport\"}",
    "{\"sub\":\"0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b\",\"exp\":1900000000}",
    "{\"id\":\"a\",\"inputs\":{",
    "\"query\":\"hi\"",
    "\"files\":[{",
    "1e400",
    "-0.5",
    "csrf_token",
    "=",
    ";",
    "; ",
    "&",
    "%",
    "%00",
    "%ff",
    "+",
    "client_id",
    "device_label",
    "difyctl",
    "{",
    "}",
    "[",
    "]",
    "\"",
    ":",
    ",",
    ", ",
    "null",
    "\\u0000",
    "\\ud800",
    "10.0.0.2",
    "1.2.3.4",
    "::1",
    "[2001:db8::1]:443",
    "::ffff:10.0.0.1",
    "\u{202e}",
    "é",
    "\0",
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    "version: 0.6.0\nkind: app\napp: {name: a, mode: chat}\nmodel_config: {model: {provider: echo, name: echo}",
    "version: 0.1.0\nkind: app\napp: {name: a, mode: workflow}\nworkflow: {graph: {nodes: [{id: a, data: {type: start}}",
    ", edges: []",
    "- ",
    "\n  ",
    "&a ",
    "*a",
    "!!str ",
    "<<: ",
    "data: ",
    "event: ping",
    "\n\n",
    "\r\n",
];

fn input() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => select(PIECES).prop_map(|piece| piece.as_bytes().to_vec()),
        1 => vec(any::<u8>(), 0..8),
        1 => "[3-9A-HJ-NP-Ya-z -]{1,12}".prop_map(String::into_bytes),
    ];
    vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

fn kept(target: &str) -> Vec<Vec<u8>> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(target);
    let files = fs::read_dir(folder).unwrap().map(|file| fs::read(file.unwrap().path()).unwrap()).collect::<Vec<_>>();
    assert!(!files.is_empty(), "{target} has a corpus");
    files
}

macro_rules! smoke {
    ($($target:ident)*) => {$(
        #[test]
        fn $target() {
            for data in kept(stringify!($target)) {
                entry_points::$target(&data);
            }
            proptest!(ProptestConfig::with_cases(2_000), |(data in input())| entry_points::$target(&data));
        }
    )*};
}

smoke!(bearer_header user_code cookies_and_csrf console_jwt form_codec page_form json_codec forwarded_for dsl_file event_frames);
