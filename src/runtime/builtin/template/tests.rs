use std::time::{Duration, Instant};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::runtime::builtin::json::JsonObject;

fn values(values: Value) -> JsonObject {
    match values {
        Value::Object(map) => map,
        other => panic!("{other} is not an object"),
    }
}

async fn rendered(source: &str, with: Value) -> Result<String, String> {
    let rendering = TemplateRenderer::new(1).render(&TemplateSource::from(source.to_owned()), &values(with));
    let result = match rendering {
        Rendering::Ready(result) => result,
        Rendering::Pending(rendering) => rendering.await,
    };
    result.map_err(|error| error.to_string())
}

#[tokio::test]
async fn values_are_written_as_in_python() {
    let with = json!({
        "text": "a", "yes": true, "none": null, "int": 3, "float": 2.0, "list": ["a", 1, null, true, "it's"],
        "object": {"z": 1, "a": [1.5]}, "quote": ["\n\\"],
    });
    for (source, expected) in [
        (
            "{{ text }} {{ yes }} {{ none }} {{ int }} {{ float }}|{{ missing }}|{{ object.missing }}",
            "a True None 3 2.0||",
        ),
        ("{{ list }}", r#"['a', 1, None, True, "it's"]"#),
        ("{{ object }}", "{'z': 1, 'a': [1.5]}"),
        ("{{ quote }}", r"['\n\\']"),
        ("{{ object|tojson }}", r#"{"z": 1, "a": [1.5]}"#),
        ("{{ text ~ int }}{{ int + 1 }}{{ 'ab' * 2 }}{{ list|length }}", "a34abab5"),
        ("{% for k, v in object.items() %}{{ k }}={{ v }};{% endfor %}", "z=1;a=[1.5];"),
        (
            "{% for x in [3, 1, 2]|sort %}{{ loop.index }}:{{ x }}{% if not loop.last %}, {% endif %}{% endfor %}",
            "1:1, 2:2, 3:3",
        ),
        ("{% set ns = namespace(t='') %}{% for x in 'abc' %}{% set ns.t = x ~ ns.t %}{% endfor %}{{ ns.t }}", "cba"),
        (
            "{% macro hi(who, mark='!') %}hi {{ who }}{{ mark }}{% endmacro %}{{ hi('x') }}{{ hi('y', mark='?') }}",
            "hi x!hi y?",
        ),
        ("{% set block %}<{{ text }}>{% endset %}{{ block }}{{ block|upper }}", "<a><A>"),
        ("{% with a = 1, b = [2, 3] %}{{ a }}{{ b[1] }}{% endwith %}", "13"),
        ("{# {{ note }} #}{% raw %}{{ raw }}{% endraw %}", "{{ raw }}"),
        ("a  {%- set x = 1 -%}  b{{ x }}", "ab1"),
        ("{{ ' A,b '.strip().lower().split(',')|join('-') }}{{ ', '.join(['x', 'y']) }}", "a-bx, y"),
        ("{{ object.get('q', 'none') }}{{ 'abc'.startswith('ab') }}{{ 'abc'.replace('b', 'x') }}", "noneTrueaxc"),
        ("{{ {'a': {'b': 1}}.a.b }}{% if 'x' in 'xyz' and not none %}!{% endif %}", "1!"),
        ("<{{ '<b>' }}>\n", "<<b>>"),
    ] {
        assert_eq!(rendered(source, with.clone()).await.as_deref(), Ok(expected), "{source}");
    }
}

#[tokio::test]
async fn errors_name_the_reason_and_the_line() {
    for (source, expected) in [
        ("{{ x", "a tag is not closed"),
        ("a\n{% if %}", "line 2"),
        ("{{ x|nothing }}", "unknown filter"),
        ("{{ 1 / 'a' }}", "invalid operation"),
        ("{% include 'x' %}", "template not found"),
        ("{{ 'x'.encode() }}", "no method named encode"),
    ] {
        let error = rendered(source, json!({})).await.unwrap_err();
        assert!(error.contains(expected), "{source}: {error}");
    }
}

/// Without the limits, these templates would take all memory or run without end.
#[tokio::test]
async fn costly_templates_fail() {
    let doubling =
        |times: usize, step: &str| format!("{{% set a = 'xxxxxxxx' %}}{}{{{{ a|length }}}}", step.repeat(times));
    let sources = [
        "{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}".to_owned(),
        "{% for i in range(1000000000) %}{% endfor %}".to_owned(),
        "{% macro f(n) %}{{ f(n) }}{% endmacro %}{{ f(1) }}".to_owned(),
        "{% macro f(x) %}{{ x }}{{ x }}{% endmacro %}{{ f(f(f(f(f(f(f(f(f(f(f(f(f(f(f(f(f(f(f(f(f(f(f(f('xx')))))))))))))))))))))))) }}".to_owned(),
        doubling(40, "{% set a = a ~ a %}"),
        doubling(40, "{% set a = a + a %}"),
        doubling(40, "{% set a = [a, a] %}") + "{{ a }}",
        doubling(40, "{% set a = {'x': a, 'y': a} %}") + "{{ a == a }}",
        doubling(40, "{% set a %}{{ a }}{{ a }}{% endset %}"),
        doubling(40, "{%- set a = a ~ a -%}"),
        doubling(40, "{%set a=a~a%}"),
        doubling(40, "{% set a = a|zip(a)|list %}"),
        doubling(40, "{% set a = dict(x=a, y=a) %}"),
        doubling(40, "{% set a = namespace(x=a, y=a) %}"),
        doubling(40, "{% set a = a|tojson %}"),
        doubling(40, "{% set b, a = 1, a ~ a %}"),
        "{% set ns = namespace(a='xx') %}{% for i in range(99) %}{% set ns.a = ns.a ~ ns.a %}{% endfor %}".to_owned(),
        format!("{}{}", "{% with a = 'xx' %}", "{% with a = a ~ a %}".repeat(40)) + &"{% endwith %}".repeat(41),
        format!("{{% set a = 'xx' %}}{}{}", "{% for a in [a ~ a] %}".repeat(40), "{% endfor %}".repeat(40)),
        "{% macro f(a, n) %}{% if n %}{{ f(a ~ a, n - 1) }}{% endif %}{% endmacro %}{{ f('xx', 40) }}".to_owned(),
        "{% set a = 'x' * 100000000 %}{{ a|length }}".to_owned(),
        "{{ 'x' * 100000000 }}".to_owned(),
        "{{ 'x' * 9 * 9 * 9 * 9 * 9 * 9 * 9 }}".to_owned(),
        "{{ ['x'] * 100000000 }}".to_owned(),
        "{% set a = 'x' * 1000000 %}{{ a|replace('x', a)|length }}".to_owned(),
        "{% set a = 'x' * 1000000 %}{{ a.replace('x', a)|length }}".to_owned(),
        "{% set a = 'x' * 1000000 %}{{ a|list|join(a)|length }}".to_owned(),
        "{{ '%099999999d'|format(1) }}".to_owned(),
        "{{ 'x'|indent(999999999) }}".to_owned(),
        "{{ []|slice(999999999)|list }}".to_owned(),
        "{{ [1]|batch(999999999, 0)|list }}".to_owned(),
        format!("{{{{ {} }}}}", "'xxxxxxxx' ~ ".repeat(100) + "''"),
        format!("{{{{ '\"' {} }}}}", "|tojson".repeat(40)),
        "{% set b %}{% for i in range(100000) %}".to_owned() + &"x".repeat(100_000) + "{% endfor %}{% endset %}",
        format!("{{{{ {}1{} }}}}", "(".repeat(10_000), ")".repeat(10_000)),
        format!("{{{{ {}1{} }}}}", "[".repeat(10_000), "]".repeat(10_000)),
        "{% if 1 %}".repeat(10_000),
        "{% for i in range(99999) %}".to_owned() + &"x".repeat(1000) + "{% endfor %}",
    ];
    for source in sources {
        let started = Instant::now();
        let result = rendered(&source, json!({})).await;
        let short: String = source.chars().take(90).collect();
        assert!(result.is_err(), "{short}");
        assert!(started.elapsed() < Duration::from_secs(20), "{short} took {:?}", started.elapsed());
    }
}

#[tokio::test]
async fn templates_with_an_ambiguous_tag_end_fail() {
    for source in [
        "{{ '{% set a = 1 %}' }}",
        "{# {% set a = 1 %} #}",
        "{% raw %}{% set a = 1 %}{% endraw %}",
        "{% set a = '%}' %}",
        "{% set a = \"'%}\" ~ '\" %}",
        "{% set a, ](b) = 1 %}",
        "{% for 'x' in y %}{% endfor %}",
        "{% endset %}",
        "{% set a = 1",
        "{{ 1 }} {% raw %}",
    ] {
        assert!(rendered(source, json!({})).await.is_err(), "{source}");
    }
}

#[tokio::test]
async fn small_templates_render_inline() {
    let renderer = TemplateRenderer::new(1);
    let render = |source: &str, with: Value| renderer.render(&TemplateSource::from(source.to_owned()), &values(with));
    assert!(matches!(render("{{ a }}", json!({"a": 1})), Rendering::Ready(Ok(_))));
    assert!(matches!(render("{{ a }}", json!({"a": "x".repeat(100_000)})), Rendering::Pending(_)));
    assert!(matches!(render("{% for i in range(5000) %}{% endfor %}", json!({})), Rendering::Pending(_)));
    assert!(matches!(render(&"x".repeat(10_000), json!({})), Rendering::Pending(_)));
    assert!(matches!(render(&"x".repeat(1 << 20), json!({})), Rendering::Ready(Err(TemplateError::SourceTooLong))));
    let long = rendered(&"x".repeat(10_000), json!({})).await;
    assert_eq!(long.unwrap().len(), 10_000);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn every_template_ends(source in "(\\{\\{|\\}\\}|\\{%|%\\}|\\{#|#\\}| set | for | in | if | endif | endfor | raw | endraw |a|b|=|~|\\+|\\*|\\||'|\"|1|\\(|\\)|,|-| ){0,24}") {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let _ = runtime.block_on(rendered(&source, json!({"a": "text", "b": [1, 2]})));
    }

    #[test]
    fn text_without_tags_is_unchanged(source in "[^{}#%\\r\\n]{0,40}") {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        prop_assert_eq!(runtime.block_on(rendered(&source, json!({}))), Ok(source));
    }
}
