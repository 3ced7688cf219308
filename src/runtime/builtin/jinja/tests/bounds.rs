//! Templates that would take all memory or run without end.

use std::{cell::Cell, fs};

use proptest::prelude::*;
use serde_json::json;

use super::{LIMITS, TemplateError, rendered};
use crate::runtime::builtin::jinja::{
    RenderSettings,
    budget::{CancelFlag, RenderBudget},
    evaluator, filters,
    heap::Heap,
    parser, predicates, render,
    state::RenderState,
};

/// Renders a template and returns its peak of memory.
fn peak(source: &str) -> usize {
    let state = RenderState {
        heap: Heap::new(RenderBudget::new(LIMITS, CancelFlag::default())),
        autoescape: Cell::new(false),
        random: Cell::new(1),
        filters: filters::find,
        tests: predicates::find,
    };
    if let Ok(statements) = parser::parse(source, state.heap.budget()) {
        drop(evaluator::run(&state, &statements, []));
    }
    state.heap.budget().peak()
}

#[test]
fn known_attacks_stay_within_the_limits() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fuzz/corpus/template");
    let mut count = 0;
    for file in fs::read_dir(folder).unwrap() {
        let source = fs::read_to_string(file.unwrap().path()).unwrap();
        assert!(peak(&source) <= LIMITS.bytes, "{source}");
        count += 1;
    }
    assert!(count > 60, "{count}");
}

#[test]
fn costly_templates_fail() {
    let doubling = |step: &str| format!("{{% set a = 'xxxxxxxx' %}}{}{{{{ a|length }}}}", step.repeat(40));
    for source in [
        "{{ ((1,)*30000000)|length }}".to_owned(),
        "{{ '}}' * 10**9 }}".to_owned(),
        "{{ {'}}': '}}' * 10**9} }}".to_owned(),
        "{{ range(10**9)|list }}".to_owned(),
        "{{ 'a'.center(10**9) }}".to_owned(),
        "{{ '%1000000000d' % 1 }}".to_owned(),
        "{{ '{:>1000000000}'.format(1) }}".to_owned(),
        "{{ 9**9**9 }}".to_owned(),
        "{% macro f(n) %}{{ f(n) }}{% endmacro %}{{ f(1) }}".to_owned(),
        doubling("{% set a = a ~ a %}"),
        doubling("{% set a = a|tojson %}"),
        doubling("{% set a = [a, a] %}") + "{{ a }}",
        doubling("{% set a %}{{ a }}{{ a }}{% endset %}"),
        format!("{{{{ {}1{} }}}}", "(".repeat(10_000), ")".repeat(10_000)),
        format!("{{{{ {}1 }}}}", "not ".repeat(60_000)),
        format!("{{{{ 1{} }}}}", " if 1".repeat(20_000)),
        "{% if 1 %}".repeat(10_000),
        "{% set a = 'a' * 1000000 %}{% for i in range(99) %}{{ a|wordwrap(1)|length }}{% endfor %}".to_owned(),
    ] {
        let short: String = source.chars().take(60).collect();
        assert!(rendered(&source, &json!({})).is_err(), "{short}");
    }
}

#[test]
fn output_has_at_most_as_many_characters_as_in_dify() {
    let most = "é".repeat(400_000);
    assert_eq!(rendered("{{ a }}", &json!({"a": most})).as_deref(), Ok(most.as_str()));
    assert_eq!(rendered("{{ a }}x", &json!({"a": most})), Err(TemplateError::OutputTooLong));
}

#[test]
fn lists_that_contain_themselves_and_long_chains_are_freed() {
    assert_eq!(rendered("{% set l = [] %}{{ l.append(l) or l }}", &json!({})).as_deref(), Ok("[[...]]"));
    let chain = "{% set ns = namespace(x=[]) %}{% for i in range(20000) %}{% set ns.x = [ns.x] %}{% endfor %}end";
    assert_eq!(rendered(chain, &json!({})).as_deref(), Ok("end"));
}

#[test]
fn cancelled_rendering_ends() {
    let cancelled = CancelFlag::default();
    cancelled.cancel();
    let settings = RenderSettings { limits: LIMITS, cancelled, seed: 1 };
    assert_eq!(render("{{ 1 }}", &serde_json::Map::new(), settings), Err(TemplateError::Cancelled));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn every_template_ends_within_the_limits(
        source in "(\\{\\{|\\}\\}|\\{%|%\\}|\\{#|#\\}| set | for | in | if | else | endif | endfor | raw | endraw \
                   |a|b|range|=|~|\\+|\\*\\*|\\*|\\||'|\"|1|9|\\(|\\)|\\[|\\]|\\.|,|-|:| ){0,24}"
    ) {
        prop_assert!(peak(&source) <= LIMITS.bytes);
    }

    #[test]
    fn text_without_tags_is_unchanged(source in "[^{}#%\\r\\n]{0,40}") {
        prop_assert_eq!(rendered(&source, &json!({})), Ok(source));
    }
}
