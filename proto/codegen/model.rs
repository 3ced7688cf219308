//! Methods, their HTTP bindings and their policies, read from the descriptors.

use std::error::Error;

use prost_reflect::{
    DescriptorPool, DynamicMessage, FileDescriptor, MessageDescriptor, MethodDescriptor, ReflectMessage as _, Value,
};

use super::{
    PACKAGE,
    binding::{self, Binding},
};

/// Limit of the body of a method without `max_body_kib`, in KiB.
const DEFAULT_MAX_BODY_KIB: u32 = 64;
/// The limit for methods under [`SMALL_BODY_PATHS`], whose bodies have a few short members (contract section 8), in
/// KiB.
const SMALL_MAX_BODY_KIB: u32 = 4;
/// The paths of device flow, OAuth and the console.
const SMALL_BODY_PATHS: [&str; 2] = ["/openapi/v1/oauth/", "/console/api/"];

/// An RPC with its options, on one of its HTTP bindings. An RPC with several bindings is in the list once for each.
#[derive(Clone)]
pub(crate) struct Method {
    /// Such as `IdentityService`.
    pub service: String,
    /// Such as `GetAccount`.
    pub name: String,
    /// The comment in the proto.
    pub comment: String,
    /// The comment of the service.
    pub service_comment: String,
    pub input: MessageDescriptor,
    pub output: MessageDescriptor,
    /// `None` for a method of gRPC only.
    pub http: Option<Binding>,
    /// Whether this is one of the `additional_bindings`. The others are the methods of gRPC.
    pub is_additional: bool,
    /// Whether the response is a stream.
    pub streams: bool,
    /// Whether the request is a stream: an upload.
    pub uploads: bool,
    /// The policy on this binding.
    pub policy: Policy,
}

impl Method {
    /// The fields that requests of this binding do not have as members: the path fixes their value or omits them.
    pub(crate) fn is_absent(&self, field: &str) -> bool {
        self.http.as_ref().is_some_and(|http| http.is_absent(field))
    }
}

#[derive(Clone)]
#[expect(clippy::struct_excessive_bools, reason = "a row of independent yes-or-no columns")]
/// `dify.openapi.v1.policy`, enum values in Rust's spelling.
pub(crate) struct Policy {
    /// Such as `Bearer`.
    pub credential: String,
    /// Such as `Account` and `ExternalSso`.
    pub subjects: Vec<String>,
    /// The required scope; empty for none.
    pub scope: String,
    /// `Everywhere`, `Enterprise`, `Standalone` or `Connections`.
    pub presence: String,
    /// Whether it requires a license.
    pub license: bool,
    /// Whether external identities need a license.
    pub external_license: bool,
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

/// Every method of the package with each of its bindings, in the order of files and declarations.
pub(crate) fn methods(pool: &DescriptorPool) -> Result<Vec<Method>, Box<dyn Error>> {
    let mut methods = Vec::new();
    for service in pool.services().filter(|service| service.package_name() == PACKAGE) {
        for method in service.methods() {
            let bindings = binding::bindings(&method, pool)?;
            let default_kib = default_max_body_kib(bindings.first());
            let policy =
                policy(&method, pool, default_kib).ok_or_else(|| format!("{} has no policy", method.full_name()))?;
            let primary = Method {
                service: service.name().to_owned(),
                name: method.name().to_owned(),
                comment: comment(&method.parent_file(), method.path()),
                service_comment: comment(&service.parent_file(), service.path()),
                input: method.input(),
                output: method.output(),
                http: None,
                is_additional: false,
                streams: method.is_server_streaming(),
                uploads: method.is_client_streaming(),
                policy,
            };
            if bindings.is_empty() {
                methods.push(primary);
                continue;
            }
            for (index, binding) in bindings.into_iter().enumerate() {
                let mut method = Method { is_additional: index > 0, ..primary.clone() };
                if !binding.subjects.is_empty() {
                    method.policy.subjects.clone_from(&binding.subjects);
                }
                method.policy.external_license = binding.external_license;
                method.http = Some(binding);
                methods.push(method);
            }
        }
    }
    Ok(methods)
}

pub(crate) fn extension(options: &DynamicMessage, pool: &DescriptorPool, name: &str) -> Option<DynamicMessage> {
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

/// A list of messages in an option message.
pub(crate) fn messages(message: &DynamicMessage, field: &str) -> Vec<DynamicMessage> {
    let value = message.get_field_by_name(field);
    let list = value.as_ref().and_then(|value| value.as_list()).unwrap_or_default();
    list.iter().filter_map(Value::as_message).cloned().collect()
}

/// A bool member of an option message.
pub(crate) fn flag(message: &DynamicMessage, field: &str) -> bool {
    message.get_field_by_name(field).and_then(|value| value.as_bool()).unwrap_or_default()
}

/// A number of an option message, if it is given.
pub(crate) fn number(message: &DynamicMessage, field: &str) -> Option<u32> {
    message.get_field_by_name(field)?.as_u32().filter(|number| *number > 0)
}

fn default_max_body_kib(http: Option<&Binding>) -> u32 {
    let is_small = |http: &Binding| SMALL_BODY_PATHS.iter().any(|path| http.path.starts_with(path));
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
    Some(Policy {
        credential,
        subjects: subjects(&policy, pool),
        scope: text(&policy, "scope"),
        presence: enum_name(&policy, "presence", "PRESENCE_").replace("Unspecified", "Everywhere"),
        license: flag(&policy, "license"),
        external_license: false,
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

/// The subject types of an option message, in Rust's spelling.
pub(crate) fn subjects(message: &DynamicMessage, pool: &DescriptorPool) -> Vec<String> {
    let Some(kind) = pool.get_enum_by_name(&format!("{PACKAGE}.SubjectType")) else { return Vec::new() };
    let value = message.get_field_by_name("subjects");
    let numbers = value.as_ref().and_then(|value| value.as_list()).unwrap_or_default().iter();
    numbers
        .filter_map(|number| Some(camel(kind.get_value(number.as_enum_number()?)?.name(), "SUBJECT_TYPE_")))
        .collect()
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
