//! A smoke test of the fuzz targets without libFuzzer, on their corpora and on generated input.

use std::{fs, path::PathBuf};

use proptest::{collection::vec, prelude::*, sample::select};

#[path = "../fuzz/src/lib.rs"]
mod entry_points;

/// Fragments that reach deeper into the parsers than random bytes.
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
    "{\"alg\":\"HS256\",\"kid\":\"dify-shared-v1\"}",
    "\"aud\":\"api.device_flow.approval_grant\",\"exp\":1800000300,",
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
    "version: 0.1.0\nkind: app\napp: {name: a, mode: workflow}\n\
     workflow: {graph: {nodes: [{id: a, data: {type: start}}",
    ", edges: []",
    "- ",
    "\n  ",
    "&a ",
    "*a",
    "!!str ",
    "<<: ",
    "{{ ",
    " }}",
    "{% for a in ",
    "{% endfor %}",
    "{% set a = ",
    " %}",
    "a",
    " ~ ",
    " * ",
    "|",
    "9",
    "'",
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

fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(target);
    let files = fs::read_dir(folder).unwrap().map(|file| fs::read(file.unwrap().path()).unwrap()).collect::<Vec<_>>();
    assert!(!files.is_empty(), "{target} has a corpus");
    files
}

fn check(target: &str, entry_point: fn(&[u8])) {
    for data in corpus(target) {
        entry_point(&data);
    }
    proptest!(ProptestConfig::with_cases(2_000), |(data in input())| entry_point(&data));
}

#[test]
fn bearer_header() {
    check("bearer_header", entry_points::bearer_header);
}

#[test]
fn user_code() {
    check("user_code", entry_points::user_code);
}

#[test]
fn cookies_and_csrf() {
    check("cookies_and_csrf", entry_points::cookies_and_csrf);
}

#[test]
fn console_jwt() {
    check("console_jwt", entry_points::console_jwt);
}

#[test]
fn signed_value() {
    check("signed_value", entry_points::signed_value);
}

#[test]
fn form_codec() {
    check("form_codec", entry_points::form_codec);
}

#[test]
fn page_form() {
    check("page_form", entry_points::page_form);
}

#[test]
fn json_codec() {
    check("json_codec", entry_points::json_codec);
}

#[test]
fn forwarded_for() {
    check("forwarded_for", entry_points::forwarded_for);
}

#[test]
fn dsl_file() {
    check("dsl_file", entry_points::dsl_file);
}

#[test]
fn template() {
    check("template", entry_points::template);
}

#[test]
fn event_frames() {
    check("event_frames", entry_points::event_frames);
}
