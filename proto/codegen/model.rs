//! Methods, their HTTP form and their policies, read from the descriptors.

use std::error::Error;

use prost_reflect::{
    DescriptorPool, DynamicMessage, FileDescriptor, MessageDescriptor, MethodDescriptor, ReflectMessage as _, Value,
};

use super::PACKAGE;

/// Limit of the body of a method without `max_body_kib`, in KiB.
const DEFAULT_MAX_BODY_KIB: u32 = 64;
/// The limit for methods under [`SMALL_BODY_PATHS`], whose bodies have a few short members (contract section 8), in
/// KiB.
const SMALL_MAX_BODY_KIB: u32 = 4;
/// The paths of device flow, OAuth and the console.
const SMALL_BODY_PATHS: [&str; 2] = ["/openapi/v1/oauth/", "/console/api/"];

/// An RPC with its options.
pub(crate) struct Method {
    /// Such as `IdentityService`.
    pub service: String,
    /// Such as `GetAccount`.
    pub name: String,
    /// The comment in the proto.
    pub comment: String,
    pub input: MessageDescriptor,
    pub output: MessageDescriptor,
    /// `None` for a method of gRPC only.
    pub http: Option<Http>,
    /// Whether the response is a stream.
    pub streams: bool,
    pub policy: Policy,
}

/// `google.api.http`.
pub(crate) struct Http {
    /// `GET`, `POST`, `DELETE`, …
    pub verb: &'static str,
    /// Path template in the syntax that axum and OpenAPI share.
    pub path: String,
    /// Whether the message is sent in the body.
    pub body: bool,
}

impl Http {
    /// Names bound by the path.
    pub(crate) fn path_params(&self) -> Vec<&str> {
        self.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).collect()
    }
}

#[expect(clippy::struct_excessive_bools, reason = "a row of independent yes-or-no columns")]
/// `dify.openapi.v1.policy`, enum values in Rust's spelling.
pub(crate) struct Policy {
    /// Such as `Bearer`.
    pub credential: String,
    /// Such as `Account` and `ExternalSso`.
    pub subjects: Vec<String>,
    /// The required scope; empty for none.
    pub scope: String,
    /// `Everywhere`, `Enterprise` or `Standalone`.
    pub presence: String,
    /// Whether it requires a license.
    pub license: bool,
    pub limits: Vec<String>,
    /// Whether the console session of a public caller is read.
    pub session: bool,
    /// Whether it is not served over gRPC.
    pub json_only: bool,
    /// Whether it also accepts forms.
    pub form: bool,
    /// Also accepts the cookie of an approval.
    pub approval_grant: bool,
    /// Answers with a redirect.
    pub redirects: bool,
    /// `Envelope`, `OAuth`, `Console` or `Inner`.
    pub errors: String,
    /// Limit of the body, in KiB.
    pub max_body_kib: u32,
}

/// Every method of the package, in the order of files and declarations.
pub(crate) fn methods(pool: &DescriptorPool) -> Result<Vec<Method>, Box<dyn Error>> {
    let mut methods = Vec::new();
    for service in pool.services().filter(|service| service.package_name() == PACKAGE) {
        for method in service.methods() {
            let http = http(&method, pool)?;
            let default_kib = default_max_body_kib(http.as_ref());
            methods.push(Method {
                service: service.name().to_owned(),
                name: method.name().to_owned(),
                comment: comment(&method.parent_file(), method.path()),
                input: method.input(),
                output: method.output(),
                http,
                streams: method.is_server_streaming(),
                policy: policy(&method, pool, default_kib)
                    .ok_or_else(|| format!("{} has no policy", method.full_name()))?,
            });
        }
    }
    Ok(methods)
}

fn extension(options: &DynamicMessage, pool: &DescriptorPool, name: &str) -> Option<DynamicMessage> {
    let extension = pool.get_extension_by_name(name)?;
    options.has_extension(&extension).then(|| options.get_extension(&extension).as_message().cloned())?
}

/// An option of `options.proto` on a message, field or enum value.
pub(crate) fn option(options: &DynamicMessage, pool: &DescriptorPool, name: &str) -> Option<DynamicMessage> {
    extension(options, pool, &format!("{PACKAGE}.{name}"))
}

/// A string member of an option message.
pub(crate) fn text(message: &DynamicMessage, field: &str) -> String {
    message.get_field_by_name(field).and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

/// A list of strings in an option message.
pub(crate) fn texts(message: &DynamicMessage, field: &str) -> Vec<String> {
    let value = message.get_field_by_name(field);
    let list = value.as_ref().and_then(|value| value.as_list()).unwrap_or_default();
    list.iter().filter_map(|item| item.as_str().map(str::to_owned)).collect()
}

/// A bool member of an option message.
pub(crate) fn flag(message: &DynamicMessage, field: &str) -> bool {
    message.get_field_by_name(field).and_then(|value| value.as_bool()).unwrap_or_default()
}

/// A number of an option message, if it is given.
pub(crate) fn number(message: &DynamicMessage, field: &str) -> Option<u32> {
    message.get_field_by_name(field)?.as_u32().filter(|number| *number > 0)
}

fn http(method: &MethodDescriptor, pool: &DescriptorPool) -> Result<Option<Http>, Box<dyn Error>> {
    let Some(rule) = extension(&method.options(), pool, "google.api.http") else { return Ok(None) };
    for (field, verb) in [("get", "GET"), ("post", "POST"), ("put", "PUT"), ("delete", "DELETE"), ("patch", "PATCH")] {
        let path = text(&rule, field);
        if !path.is_empty() {
            return Ok(Some(Http { verb, path, body: text(&rule, "body") == "*" }));
        }
    }
    Err(format!("{} has an HTTP rule without a path", method.full_name()).into())
}

fn default_max_body_kib(http: Option<&Http>) -> u32 {
    let is_small = |http: &Http| SMALL_BODY_PATHS.iter().any(|path| http.path.starts_with(path));
    if http.is_some_and(is_small) { SMALL_MAX_BODY_KIB } else { DEFAULT_MAX_BODY_KIB }
}

fn policy(method: &MethodDescriptor, pool: &DescriptorPool, default_max_body_kib: u32) -> Option<Policy> {
    let policy = option(&method.options(), pool, "policy")?;
    let credential = enum_name(&policy, "credential", "CREDENTIAL_");
    if credential == "Unspecified" {
        return None;
    }
    let list = |field: &str| -> Vec<Value> {
        policy.get_field_by_name(field).and_then(|value| value.as_list().map(<[Value]>::to_vec)).unwrap_or_default()
    };
    let subject_type = pool.get_enum_by_name(&format!("{PACKAGE}.SubjectType"))?;
    Some(Policy {
        credential,
        subjects: list("subjects")
            .iter()
            .filter_map(|value| Some(camel(subject_type.get_value(value.as_enum_number()?)?.name(), "SUBJECT_TYPE_")))
            .collect(),
        scope: text(&policy, "scope"),
        presence: enum_name(&policy, "presence", "PRESENCE_").replace("Unspecified", "Everywhere"),
        license: flag(&policy, "license"),
        limits: list("limits").iter().filter_map(|value| value.as_str().map(str::to_owned)).collect(),
        session: flag(&policy, "session"),
        json_only: flag(&policy, "json_only"),
        max_body_kib: number(&policy, "max_body_kib").unwrap_or(default_max_body_kib),
        form: flag(&policy, "form"),
        approval_grant: flag(&policy, "approval_grant"),
        redirects: flag(&policy, "redirects"),
        errors: enum_name(&policy, "errors", "ERROR_SHAPE_")
            .replace("Unspecified", "Envelope")
            .replace("Oauth", "OAuth"),
    })
}

fn enum_name(message: &DynamicMessage, field: &str, prefix: &str) -> String {
    let name = message.descriptor().get_field_by_name(field).and_then(|descriptor| {
        let number = message.get_field(&descriptor).as_enum_number()?;
        Some(descriptor.kind().as_enum()?.get_value(number)?.name().to_owned())
    });
    camel(&name.unwrap_or_default(), prefix)
}

/// `SUBJECT_TYPE_EXTERNAL_SSO` without its prefix, as `ExternalSso`; `device_code` as `DeviceCode`.
pub(crate) fn camel(name: &str, prefix: &str) -> String {
    let capital = |word: &str| {
        let mut letters = word.chars();
        letters
            .next()
            .map(|first| first.to_ascii_uppercase().to_string() + &letters.as_str().to_lowercase())
            .unwrap_or_default()
    };
    name.strip_prefix(prefix).unwrap_or(name).split('_').map(capital).collect()
}

/// `ListSessions` as `list_sessions`.
pub(crate) fn snake(name: &str) -> String {
    let mut snake = String::new();
    for (index, letter) in name.char_indices() {
        if letter.is_uppercase() && index > 0 {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

/// The leading comment of a declaration, as one paragraph.
pub(crate) fn comment(file: &FileDescriptor, path: &[i32]) -> String {
    let proto = file.file_descriptor_proto();
    let locations = proto.source_code_info.iter().flat_map(|info| &info.location);
    let leading =
        locations.filter(|location| location.path == path).find_map(|location| location.leading_comments.clone());
    leading.unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ")
}
