use serde_json::{Value, json};

use super::{data::ToolNodeData, input::ToolInput, is_served};
use crate::runtime::builtin::variables::{selector::Selector, text::TextTemplate};

fn read(more: Value) -> Result<ToolNodeData, String> {
    let mut data = json!({"provider_id": "acme/tools/weather", "provider_type": "builtin", "tool_name": "forecast"});
    let Value::Object(more) = more else { panic!("{more} is not an object") };
    data.as_object_mut().unwrap().extend(more);
    serde_json::from_value(data).map_err(|error| error.to_string())
}

#[test]
fn node_of_the_editor_is_read() {
    let data = read(json!({
        "provider_name": "acme/tools/weather", "tool_label": "Forecast", "tool_node_version": "2",
        "plugin_unique_identifier": "acme/tools:0.0.1@abc", "credential_id": null,
        "tool_parameters": {
            "city": {"type": "mixed", "value": "in {{#start.city#}}"},
            "days": {"type": "constant", "value": 3},
            "where": {"type": "variable", "value": ["start", "place"]},
            "note": {"type": "constant", "value": "for {{#sys.user_id#}}"},
            "unset": {"type": "mixed", "value": null},
            "gone": null,
        },
    }))
    .unwrap();
    let text = |source: &str| ToolInput::Text(TextTemplate::parse(source));
    assert_eq!(
        data.tool_parameters,
        [
            ("city".to_owned(), text("in {{#start.city#}}")),
            ("days".to_owned(), ToolInput::Constant(json!(3))),
            ("where".to_owned(), ToolInput::Variable(Selector::new(["start", "place"]))),
            ("note".to_owned(), text("for {{#sys.user_id#}}")),
        ]
    );
    assert_eq!((data.tool(), data.credential_id.as_str()), ("forecast", ""));
    assert_eq!(data.provider_id.0.to_string(), "acme/tools/weather");
    let bare = read(json!({"provider_id": "weather"})).unwrap();
    assert_eq!(bare.provider_id.0.to_string(), "langgenius/weather/weather");
}

#[test]
fn settings_of_both_generations_are_read() {
    let model = json!({"provider": "openai", "model": "gpt", "type": "model-selector"});
    let data = read(json!({"tool_configurations": {
        "unit": "celsius {{#start.x#}}", "exact": true, "model": model, "none": null,
        "limit": {"type": "constant", "value": 5}, "lang": {"type": "mixed", "value": "{{#start.lang#}}"},
        "key": {"type": "variable", "value": ["env", "KEY"]}, "unset": {"type": "constant", "value": null},
    }}))
    .unwrap();
    let constant = |value: Value| ToolInput::Constant(value);
    assert_eq!(
        data.tool_configurations,
        [
            ("unit".to_owned(), constant(json!("celsius {{#start.x#}}"))),
            ("exact".to_owned(), constant(json!(true))),
            ("model".to_owned(), constant(model)),
            ("limit".to_owned(), constant(json!(5))),
            ("lang".to_owned(), ToolInput::Text(TextTemplate::parse("{{#start.lang#}}"))),
            ("key".to_owned(), ToolInput::Variable(Selector::new(["env", "KEY"]))),
        ]
    );
}

#[test]
fn faulty_data_is_named() {
    for (more, fault) in [
        (json!({"provider_id": "Acme/Tools"}), "is `Acme/Tools`, which is not organization/plugin/provider"),
        (json!({"tool_name": " "}), "is empty; choose the tool again"),
        (
            json!({"tool_parameters": {"a": {"type": "mixed", "value": 1}}}),
            "has the parameter `a`, whose value is not text",
        ),
        (
            json!({"tool_parameters": {"a": {"type": "variable", "value": "start.x"}}}),
            "has the parameter `a`, whose value is not the name of a variable",
        ),
        (json!({"tool_parameters": {"a": {"value": "x"}}}), "has the parameter `a`, which has no type"),
        (json!({"tool_parameters": {"a": {"type": "magic", "value": 1}}}), "whose type `magic` is unknown"),
        (
            json!({"tool_configurations": {"a": {"type": "variable", "value": 1}}}),
            "has the setting `a`, whose value is not the name of a variable",
        ),
    ] {
        let error = read(more).unwrap_err();
        assert!(error.contains(fault), "{error}");
    }
}

#[test]
fn only_tools_of_plugins_are_served() {
    for (kind, served) in [("builtin", true), ("plugin", true), ("api", false), ("workflow", false), ("mcp", false)] {
        assert_eq!(is_served(&json!({"provider_type": kind})), served, "{kind}");
    }
    assert!(is_served(&json!({})));
}
