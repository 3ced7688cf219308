//! Templates and what they give.

mod bounds;
mod oracle;
mod syntax;

use serde_json::{Value, json};

use super::{RenderSettings, budget::CancelFlag, error::TemplateError, limits::RenderLimits, render};

const LIMITS: RenderLimits = RenderLimits { steps: 1_000_000, bytes: 32 << 20 };

fn rendered(source: &str, values: &Value) -> Result<String, TemplateError> {
    let settings = RenderSettings { limits: LIMITS, cancelled: CancelFlag::default(), seed: 1 };
    render(source, values.as_object().unwrap(), settings)
}

/// The templates of `cases/11-jinja.yml`.
#[test]
fn templates_of_the_case_file_render_as_in_dify() {
    let values = json!({"v": ["a", "b"]});
    for (source, expected) in [
        ("{% set l = [] %}{% for x in v %}{% set _ = l.append(x ~ '!') %}{% endfor %}{{ l|join(',') }}", "a!,b!"),
        ("{% set d = {} %}{% set _ = d.update({'a': 1}) %}{{ d.a }}", "1"),
        ("{{ v|tojson(indent=2) }}", "[\n  \"a\",\n  \"b\"\n]"),
        ("{{ 'abc'|int }}", "0"),
        ("{{ [{'n': 1}, {'n': 2}]|join(',', attribute='n') }}", "1,2"),
        ("{{ 'aaa'|replace('a','b',1) }}", "baa"),
        ("{{ 'a long text'|truncate(8) }}", "a long text"),
        ("{{ '%.2f'|format(3.14159) }}", "3.14"),
        ("{{ '%s-%s' % ('a','b') }}", "a-b"),
        ("{{ '{:,}'.format(1234567) }}", "1,234,567"),
        ("{{ '<b>x</b>'|striptags }}", "x"),
        ("{{ 'a\\nb'|indent(2) }}", "a\n  b"),
        ("{{ '7'.zfill(3) }}", "007"),
        ("{{ 'a.b'.rsplit('.',1) }}{{ 'abc'.index('b') }}{{ 'ab'.isalpha() }}", "['a', 'b']1True"),
        ("{{ dict(a=1).a }}", "1"),
        ("{% for x in v %}{{ loop.previtem }}>{{ x }}>{{ loop.nextitem }};{% endfor %}", ">a>b;a>b>;"),
        ("{{ \"{{\" }}x{{ \"}}\" }}", "{{x}}"),
        ("a\r\nb", "a\nb"),
        ("{{ 'a b'|wordcount }}", "2"),
        ("{{ v|slice(2)|list }}", "[['a'], ['b']]"),
    ] {
        assert_eq!(rendered(source, &values).as_deref(), Ok(expected), "{source}");
    }
}
