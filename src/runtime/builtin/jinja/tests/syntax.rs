//! Errors of the grammar, and what is refused by name.

use serde_json::json;

use super::{TemplateError, rendered};
use crate::runtime::builtin::jinja::check;

#[test]
fn errors_name_the_line_and_the_reason() {
    for (source, line, part) in [
        ("a\n{% if %}", 2, "expected an expression"),
        ("{{ x", 1, "found the end of the template"),
        ("{% if x %}\n\n", 1, "add '{% endif %}'"),
        ("\n\n{% endif %}", 3, "there is no open block"),
        ("{# x", 1, "add '#}'"),
        ("{{ 'x }}", 1, "the string is not closed"),
        ("{{ (1] }}", 1, "unexpected ']', expected ')'"),
        ("{% foo %}", 1, "unknown tag 'foo'"),
    ] {
        let Err(TemplateError::Syntax { line: found, message }) = check(source) else { panic!("{source}") };
        assert_eq!(found, line, "{source}");
        assert!(message.contains(part), "{source}: {message}");
    }
}

#[test]
fn what_is_not_offered_is_refused_by_name() {
    for (source, name) in [
        ("{% include 'x' %}", "include"),
        ("{% extends 'x' %}", "extends"),
        ("{% import 'x' as y %}", "import"),
        ("{% from 'x' import y %}", "from"),
        ("{% do a.append(1) %}", "do"),
        ("{% break %}", "break"),
        ("{% continue %}", "continue"),
        ("{% if 0 %}{{ x|markdown }}{% endif %}", "markdown"),
        ("{{ x is loud }}", "loud"),
        ("{{ x|a.b }}", "a.b"),
        ("{{ lipsum() }}", "lipsum"),
        ("{{ x.encode('utf-8') }}", "encode"),
        ("{{ x.__class__ }}", "__class__"),
    ] {
        let Err(TemplateError::Unsupported { line: 1, message }) = check(source) else { panic!("{source}") };
        assert!(message.contains(&format!("'{name}'")), "{source}: {message}");
    }
}

#[test]
fn errors_of_expressions_name_the_line() {
    let error = rendered("a\n{{ 1 / 0 }}", &json!({})).unwrap_err();
    assert_eq!(error.to_string(), "line 2: division by zero");
    let error = rendered("{% for x in y %}\n{{ x.a.b }}{% endfor %}", &json!({"y": [{}]})).unwrap_err();
    assert_eq!(error.to_string(), "line 2: 'dict object' has no attribute 'a'");
}
