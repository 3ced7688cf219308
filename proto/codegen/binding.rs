//! HTTP bindings of methods: `google.api.http` with its `additional_bindings`, and the options of each path.

use std::error::Error;

use prost_reflect::{DescriptorPool, DynamicMessage, MethodDescriptor};

use super::{
    PACKAGE,
    model::{extension, flag, messages, subjects, text, texts},
    operation::Operation,
};

/// One HTTP form of a method.
#[derive(Clone)]
pub(crate) struct Binding {
    /// `GET`, `POST`, `DELETE`, …
    pub verb: &'static str,
    /// Path template in the syntax that axum and OpenAPI share, possibly with a custom verb at its end.
    pub path: String,
    /// Names bound by the path.
    pub params: Vec<String>,
    /// Fields whose value the path fixes: `{mode=chat}`. The path has the value in that place.
    pub fixed: Vec<(String, String)>,
    /// Whether the message is sent in the body.
    pub body: bool,
    /// The subjects, where they differ from those of the policy; else empty.
    pub subjects: Vec<String>,
    /// Whether external identities need a license.
    pub external_license: bool,
    /// Whether the response is always a stream of events.
    pub always_streams: bool,
    /// Fields that requests do not have as members.
    pub omit: Vec<String>,
    /// The field of the response that is its body; empty for the whole message.
    pub response_body: String,
    /// The operation of the catalog that uses this path.
    pub operation: Option<Operation>,
}

impl Binding {
    /// Whether the path fixes the value of the field, or omits it.
    pub(crate) fn is_absent(&self, field: &str) -> bool {
        self.fixed.iter().any(|(name, _)| name == field) || self.omit.iter().any(|name| name == field)
    }
}

/// The bindings of a method, the main one first. A method of gRPC only has none.
pub(crate) fn bindings(method: &MethodDescriptor, pool: &DescriptorPool) -> Result<Vec<Binding>, Box<dyn Error>> {
    let Some(main) = extension(&method.options(), pool, "google.api.http") else { return Ok(Vec::new()) };
    let additional = messages(&main, "additional_bindings");
    let mut bindings = Vec::new();
    for rule in std::iter::once(&main).chain(&additional) {
        bindings.push(binding(rule).ok_or_else(|| format!("{} has an invalid HTTP rule", method.full_name()))?);
    }
    for options in path_options(method, pool) {
        let path = Template::parse(&text(&options, "path")).unwrap_or_default().path;
        let binding = bindings.iter_mut().find(|binding| binding.path == path);
        let binding = binding.ok_or_else(|| format!("{} has no binding {path}", method.full_name()))?;
        binding.subjects = subjects(&options, pool);
        binding.external_license = flag(&options, "external_license");
        binding.always_streams = flag(&options, "always_streams");
        binding.omit = texts(&options, "omit");
        binding.operation = Operation::of(&options)?;
    }
    Ok(bindings)
}

fn binding(rule: &DynamicMessage) -> Option<Binding> {
    let verbs = [("get", "GET"), ("post", "POST"), ("put", "PUT"), ("delete", "DELETE"), ("patch", "PATCH")];
    let (verb, template) =
        verbs.into_iter().map(|(field, verb)| (verb, text(rule, field))).find(|(_, template)| !template.is_empty())?;
    let Template { path, params, fixed } = Template::parse(&template)?;
    Some(Binding {
        verb,
        path,
        params,
        fixed,
        body: text(rule, "body") == "*",
        subjects: Vec::new(),
        external_license: false,
        always_streams: false,
        omit: Vec::new(),
        response_body: text(rule, "response_body"),
        operation: None,
    })
}

/// A path template in its parts.
#[derive(Default)]
struct Template {
    path: String,
    /// The names of its variables.
    params: Vec<String>,
    /// The fields whose value it fixes.
    fixed: Vec<(String, String)>,
}

impl Template {
    fn parse(template: &str) -> Option<Self> {
        let mut parsed = Self::default();
        let mut rest = template;
        while let Some((literal, variable)) = rest.split_once('{') {
            let (variable, after) = variable.split_once('}')?;
            parsed.path.push_str(literal);
            match variable.split_once('=') {
                Some((_, value)) if value.contains(['*', '/']) => return None,
                Some((name, value)) => {
                    parsed.path.push_str(value);
                    parsed.fixed.push((name.to_owned(), value.to_owned()));
                }
                None => {
                    parsed.path.extend(["{", variable, "}"]);
                    parsed.params.push(variable.to_owned());
                }
            }
            rest = after;
        }
        parsed.path.push_str(rest);
        Some(parsed)
    }
}

fn path_options(method: &MethodDescriptor, pool: &DescriptorPool) -> Vec<DynamicMessage> {
    let Some(extension) = pool.get_extension_by_name(&format!("{PACKAGE}.binding")) else { return Vec::new() };
    let options = method.options();
    let value = options.get_extension(&extension);
    value.as_list().unwrap_or_default().iter().filter_map(|item| item.as_message().cloned()).collect()
}
