use std::{
    io::Write as _,
    process::{Command, Stdio},
};

use rand::{Rng as _, SeedableRng as _, rngs::StdRng, seq::IndexedRandom as _};
use serde_json::{Value, json};

use super::Document;
use crate::dsl::error::DslError;

fn read(text: &str) -> Result<Value, DslError> {
    Document::read(text).map(|document| document.value)
}

/// Prints the JSON of each YAML text that it reads as a JSON list, and null for a text that `PyYAML` or JSON refuses.
const PYYAML: &str = "
import json, sys, yaml
def value(text):
    try:
        return json.dumps(yaml.safe_load(text), allow_nan=False)
    except Exception:
        return None
print(json.dumps([value(text) for text in json.load(sys.stdin)]))
";

/// What `PyYAML` makes of each text; `None` without the Python of `tests/run`.
fn pyyaml(texts: &[String]) -> Option<Vec<Option<Value>>> {
    let Some(python) = std::env::var_os("TEST_PYTHON") else {
        eprintln!("no TEST_PYTHON: tests/run sets it");
        return None;
    };
    let mut process =
        Command::new(python).args(["-c", PYYAML]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    process.stdin.take().unwrap().write_all(json!(texts).to_string().as_bytes()).unwrap();
    let output = process.wait_with_output().unwrap();
    assert!(output.status.success());
    let values: Vec<Option<String>> = serde_json::from_slice(&output.stdout).unwrap();
    Some(values.into_iter().map(|value| value.map(|value| serde_json::from_str(&value).unwrap())).collect())
}

#[test]
fn scalars_have_the_values_of_pyyaml() {
    let table = [
        ("1e3", json!("1e3")),
        ("1.5e3", json!("1.5e3")),
        ("1.5e+3", json!(1500.0)),
        ("1.5E-3", json!(0.0015)),
        ("0o17", json!("0o17")),
        ("017", json!(15)),
        ("08", json!("08")),
        ("0.10", json!(0.1)),
        ("00", json!(0)),
        ("-0x1F", json!(-31)),
        ("0b101", json!(5)),
        ("0b", json!("0b")),
        ("1_000", json!(1000)),
        ("1_000.5_0", json!(1000.5)),
        ("_1", json!("_1")),
        ("+12", json!(12)),
        ("-7", json!(-7)),
        ("- 7", json!([7])),
        ("1.", json!(1.0)),
        (".5", json!(0.5)),
        ("-.5", json!("-.5")),
        (".", json!(".")),
        ("..5", json!("..5")),
        ("1.2.3", json!("1.2.3")),
        ("0.6.0", json!("0.6.0")),
        ("12:30", json!(750)),
        ("1:30:20", json!(5420)),
        ("012:30", json!("012:30")),
        ("12:60", json!("12:60")),
        ("12:30.5", json!(750.5)),
        ("0:01.5", json!(1.5)),
        ("yes", json!(true)),
        ("Yes", json!(true)),
        ("YES", json!(true)),
        ("yES", json!("yES")),
        ("on", json!(true)),
        ("Off", json!(false)),
        ("no", json!(false)),
        ("y", json!("y")),
        ("n", json!("n")),
        ("true", json!(true)),
        ("null", json!(null)),
        ("NULL", json!(null)),
        ("~", json!(null)),
        ("nULL", json!("nULL")),
        ("'12'", json!("12")),
        ("\"no\"", json!("no")),
        ("! 12", json!(12)),
        ("! '12'", json!(12)),
        ("!!str 12", json!("12")),
        ("!!int '12'", json!(12)),
        ("!!float 1", json!(1.0)),
        ("!!bool 'YES'", json!(true)),
        ("!!null x", json!(null)),
        ("9223372036854775807", json!(i64::MAX)),
        ("-9223372036854775808", json!(i64::MIN)),
        ("18446744073709551615", json!(u64::MAX)),
        ("|\n  a\n  b\n", json!("a\nb\n")),
        (">-\n  a\n  b\n", json!("a b")),
        ("a\n b", json!("a b")),
        ("a#b", json!("a#b")),
        ("http://a.b:80/c", json!("http://a.b:80/c")),
    ];
    compare(&table);
}

#[test]
fn structures_have_the_values_of_pyyaml() {
    let table = [
        ("a: 'first\nsecond'", json!({"a": "first second"})),
        ("a: \"first\nsecond\\\n third\"", json!({"a": "first secondthird"})),
        ("a:\n  b: 'first\n\nsecond'\n  c: 1", json!({"a": {"b": "first\nsecond", "c": 1}})),
        ("a: [1,\n2\n]\nb: 3", json!({"a": [1, 2], "b": 3})),
        ("a: {\n\"b\": 1,\n\"c\": [\n2]\n}", json!({"a": {"b": 1, "c": [2]}})),
        ("a: 1\nb: 2\na: 3", json!({"a": 3, "b": 2})),
        ("{1e3: a, 0o17: b, y: c}", json!({"1e3": "a", "0o17": "b", "y": "c"})),
        ("yes: a\n2: b\n1.5: c\n~: d\n017: e", json!({"true": "a", "2": "b", "1.5": "c", "null": "d", "15": "e"})),
        ("? a\n: b\n? c\n", json!({"a": "b", "c": null})),
        ("a: &x {b: 1}\nc: *x", json!({"a": {"b": 1}, "c": {"b": 1}})),
        (
            "a: &x {b: 1, c: 2}\nd:\n  e: 3\n  <<: *x\n  c: 4",
            json!({"a": {"b": 1, "c": 2}, "d": {"b": 1, "c": 4, "e": 3}}),
        ),
        ("<<: [{a: 1, b: 1}, {a: 2, c: 2}]\nd: 3", json!({"a": 1, "c": 2, "b": 1, "d": 3})),
        ("'<<': 1", json!({"<<": 1})),
        ("a:\n- 1\n- 2\nb:\n  - 3", json!({"a": [1, 2], "b": [3]})),
        ("- - 1\n  - 2\n-\n  a: 1", json!([[1, 2], {"a": 1}])),
        ("a:\nb:", json!({"a": null, "b": null})),
        ("[a: 1, b]", json!([{"a": 1}, "b"])),
        ("{a, b: }", json!({"a": null, "b": null})),
        ("a: b # c\n# d\ne: 'f # g'", json!({"a": "b", "e": "f # g"})),
        ("%YAML 1.1\n---\na: 1\n...\n", json!({"a": 1})),
        ("a: |+\n  b\n\nc: |2-\n   d\n", json!({"a": "b\n\n", "c": " d"})),
        ("a: \"\\x41\\u00e9\\U0001F99C\\n\\e\\_\"", json!({"a": "Aé🦜\n\u{1b}\u{a0}"})),
        ("a: 'it''s'\r\nb: 1\r\n", json!({"a": "it's", "b": 1})),
        ("\u{feff}a: 1", json!({"a": 1})),
        ("", json!(null)),
        ("# nothing", json!(null)),
        ("a: b: c", json!(null)),
    ];
    compare(&table[..table.len() - 1]);
    assert!(read("a: b: c").is_err());
}

fn compare(table: &[(&str, Value)]) {
    for (text, expected) in table {
        assert_eq!(&read(text).map_err(|fault| fault.to_string()), &Ok(expected.clone()), "{text}");
    }
    let texts: Vec<String> = table.iter().map(|(text, _)| (*text).to_owned()).collect();
    for (pyyaml, (text, expected)) in pyyaml(&texts).into_iter().flatten().zip(table) {
        assert_eq!(pyyaml.as_ref(), Some(expected), "PyYAML reads another value from {text}");
    }
}

/// Dates are the one kind of scalar that has another value there: they stay text here.
#[test]
fn dates_and_numbers_without_a_json_form_are_text_or_rejected() {
    assert_eq!(read("2026-01-01").unwrap(), json!("2026-01-01"));
    assert_eq!(read("=").unwrap(), json!("="));
    assert_eq!(read("12345678901234567890123").unwrap(), json!(12_345_678_901_234_567_890_123.0));
    for (text, expected) in [
        ("a: .inf", "a (line 1): is a number that JSON does not have"),
        ("a:\n- .NaN", "a[0] (line 2): is a number that JSON does not have"),
        ("a: 1.0e+999", "a (line 1): is a number that JSON does not have"),
        ("a: !!timestamp 2026-01-01", "a (line 1): has a tag that is not supported"),
        ("a: !x {}", "a (line 1): has a tag that is not supported"),
        ("a: !!int x", "a (line 1): is not an integer"),
    ] {
        let refused = read(text).unwrap_err().to_string();
        assert!(refused.starts_with(expected), "{text}: {refused}");
    }
}

#[test]
fn errors_contain_place_line_and_fix() {
    for (text, expected) in [
        ("a: 'b", "a (line 1): the quotation mark of this text is not closed; add it"),
        ("a:\n  b: [1, 2\nc: 3", "a.b"),
        ("a:\n\tb: 1", "a tab"),
        ("a:\n  b: 1\n c: 2", "the indentation does not fit"),
        ("a: b: c", "put quotation marks around a text that contains `: `"),
        ("a: *b", "a (line 1): this alias has no anchor above it"),
        ("a: &b [*b]", "a[0] (line 1): this alias stands inside its own anchor"),
        ("a: @b", "a text may not begin with `@`"),
        ("a: \"\\q\"", "this escape is unknown"),
        ("a: 'b' c", "text follows a closed quotation mark"),
        ("a: 1\n--- \nb: 2", "line 2: a second document begins here; keep only one"),
        ("? [a]\n: b", "a key is a list or a mapping"),
        ("<<: 1", "`<<` merges mappings only"),
        ("a: 1\nb", "this line is no `key: value`"),
        ("a: ]", "bracket"),
    ] {
        let refused = read(text).unwrap_err().to_string();
        assert!(refused.contains(expected), "{text}\n said    {refused}\n instead {expected}");
        assert!(refused.contains("line"), "{refused}");
    }
}

/// Random documents: what `PyYAML` reads has the same value here.
#[test]
fn documents_that_pyyaml_reads_have_the_same_value() {
    // A comment directly after a quotation mark or bracket, and `|` on a line of its own, are refused here.
    const PARTS: [&str; 66] = [
        "a",
        "b: ",
        "c:\n",
        "- ",
        "  ",
        "\n",
        "\n\n",
        "\n  ",
        "\n    ",
        "'",
        "''",
        "\"",
        "\\n",
        "\\\n",
        "[",
        "]",
        "{",
        "}",
        ", ",
        ": ",
        "? ",
        "\n# x\n",
        " #y",
        "d: |\n  ",
        "e: >-\n  ",
        "f: |2\n   ",
        "&q ",
        "*q",
        "<<: ",
        "!!str ",
        "! ",
        "1",
        "0o7",
        "012",
        "1e3",
        "1.5e+3",
        "yes",
        "~",
        "null",
        "12:30",
        "é",
        "🦜",
        "x y",
        "a: 1\n",
        "b: 2\n",
        "- 1\n",
        "  c: 3\n",
        "  - d\n",
        "{a: 1}",
        "[1, 2]",
        "'q'",
        "\"r\"",
        "\r\n",
        "\t",
        "-",
        ":",
        ",",
        "%",
        "---\n",
        "...\n",
        "=",
        ".5",
        "g:\n  h: 'x\n",
        "g:\n  h: \"x\n",
        "y\nz'\n",
        "\ty\\\nz\"\n",
    ];
    let mut rng = StdRng::seed_from_u64(12);
    let text = |rng: &mut StdRng| {
        let count = rng.random_range(1..14);
        // Blanks at the end of a file may be content of a block scalar there.
        (0..count).map(|_| *PARTS.choose(rng).unwrap()).collect::<String>().trim_end_matches(' ').to_owned()
    };
    let texts: Vec<String> = (0..20_000).map(|_| text(&mut rng)).collect();
    let Some(values) = pyyaml(&texts) else { return };
    let mut read_by_both = 0;
    for (text, expected) in texts.iter().zip(values) {
        let here = read(text);
        if let Some(expected) = expected {
            assert_eq!(here.map_err(|fault| fault.to_string()), Ok(expected), "{text:?}");
            read_by_both += 1;
        }
    }
    assert!(read_by_both > 1_000, "{read_by_both}");
}
