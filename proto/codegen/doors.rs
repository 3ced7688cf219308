//! The policy table, the JSON routes, and the binding of query, path and form members into messages.

use std::{collections::BTreeMap, fmt::Write as _};

use prost_reflect::{DescriptorPool, FieldDescriptor, Kind, MessageDescriptor};

use super::{
    PACKAGE,
    model::{self, Method, camel, snake},
    serde_attributes::optional,
};

/// The contents of `policies.rs`: the policy table.
pub(crate) fn policy_table(methods: &[Method]) -> String {
    let mut out = String::new();
    policies(&mut out, methods);
    out
}

/// The contents of `doors.rs`: the JSON routes and the bindings.
pub(crate) fn json_door(methods: &[Method], pool: &DescriptorPool) -> String {
    let mut out = String::new();
    routes(&mut out, methods);
    bindings(&mut out, methods, pool);
    enums(&mut out, pool);
    debug(&mut out, pool);
    out
}

fn policies(out: &mut String, methods: &[Method]) {
    out.push_str("/// The policy of every method, on its first path, from the protos.\n");
    out.push_str("pub static POLICIES: &[Policy] = &[\n");
    methods.iter().filter(|method| !method.is_additional).for_each(|method| policy(out, method));
    out.push_str("];\n\n/// The policies of methods on their other paths.\n");
    out.push_str("pub(crate) static OTHER_PATHS: &[Policy] = &[\n");
    methods.iter().filter(|method| method.is_additional).for_each(|method| policy(out, method));
    out.push_str("];\n\n");
}

fn policy(out: &mut String, method: &Method) {
    let policy = &method.policy;
    let list = |kind: &str, names: &[String]| {
        names.iter().map(|name| format!("{kind}::{}", camel_if_snake(name))).collect::<Vec<_>>().join(", ")
    };
    let http = method.http.as_ref().map_or("None".to_owned(), |http| {
        format!("Some(HttpRoute {{ verb: {:?}, path: {:?}, fixed: &{:?} }})", http.verb, http.path, http.fixed)
    });
    let scope = if policy.scope.is_empty() {
        "None".to_owned()
    } else {
        format!("Some(Scope::{})", scope_variant(&policy.scope))
    };
    let _ = writeln!(
        out,
        "    Policy {{ method: {:?}, grpc_path: {:?}, http: {http}, credential: Credential::{}, subjects: &[{}], scope: {scope}, \
         presence: Presence::{}, license: {}, external_license: {}, limits: &[{}], session: {}, json_only: {}, approval_grant: {}, redirects: {}, form: {}, streams: {}, always_streams: {}, uploads: {}, max_body: {} * 1024, struct_fields: &{:?}, errors: ErrorShape::{} }},",
        format!("{}.{}", method.service, method.name),
        format!("/{PACKAGE}.{}/{}", method.service, method.name),
        policy.credential,
        list("SubjectType", &policy.subjects),
        policy.presence,
        policy.license,
        policy.external_license,
        list("LimitName", &policy.limits),
        policy.session,
        policy.json_only,
        policy.approval_grant,
        policy.redirects,
        policy.form,
        method.streams,
        method.http.as_ref().is_some_and(|http| http.always_streams),
        method.uploads,
        policy.max_body_kib,
        struct_fields(&method.input),
        policy.errors,
    );
}

/// The numbers of the fields that hold a `google.protobuf.Struct`.
fn struct_fields(message: &MessageDescriptor) -> Vec<u32> {
    let is_struct = |field: &FieldDescriptor| matches!(field.kind(), Kind::Message(kind) if kind.full_name() == "google.protobuf.Struct");
    message.fields().filter(is_struct).map(|field| field.number()).collect()
}

/// The RPC behind each JSON route, except those that are not served over gRPC.
pub(crate) fn rpc_names(methods: &[Method]) -> String {
    let mut out = String::from("/// Verb, path and RPC.\nconst RPC_NAMES: &[(&str, &str, &str)] = &[\n");
    for method in methods.iter().filter(|method| !method.policy.json_only) {
        let Some(http) = &method.http else { continue };
        let _ = writeln!(out, "    ({:?}, {:?}, \"{}.{}\"),", http.verb, http.path, method.service, method.name);
    }
    out + "];\n"
}

fn camel_if_snake(name: &str) -> String {
    if name.starts_with(char::is_lowercase) { camel(name, "") } else { name.to_owned() }
}

/// The variant of `domain::scope::Scope` for a scope of the protos: `apps:read` is `AppsRead`.
fn scope_variant(scope: &str) -> String {
    camel(&scope.replace([':', '-'], "_"), "")
}

fn routes(out: &mut String, methods: &[Method]) {
    out.push_str("/// The JSON door: each method's handler beside its policy.\npub fn routes(rpc: &Rpc) -> Vec<JsonRoute> {\n    vec![\n");
    let (mut main, mut other) = (0.., 0..);
    for method in methods {
        let (table, index) =
            if method.is_additional { ("OTHER_PATHS", other.next()) } else { ("POLICIES", main.next()) };
        let (Some(index), true) = (index, method.http.is_some()) else { continue };
        let snake = snake(&method.name);
        if method.uploads {
            // Written by hand, because the form is stored while it arrives.
            let _ = writeln!(out, "        codec::{snake}(&{table}[{index}], rpc),");
            continue;
        }
        let module = format!("proto::{}_server::{}", model::snake(&method.service), method.service);
        let codec = match method.http.as_ref().is_some_and(|http| http.body) {
            true if method.streams => "events",
            true => "body",
            false if method.streams => "query_events",
            false => "query",
        };
        // The part of the response that is the body.
        let body = match method.http.as_ref().map_or("", |http| &http.response_body) {
            "" => String::new(),
            field => format!(".map(|reply| reply.map(|message| message.{field}))"),
        };
        let _ = writeln!(
            out,
            "        codec::{codec}(&{table}[{index}], rpc, |rpc, request: tonic::Request<proto::{}>| async move {{ {module}::{snake}(&rpc, request).await{body} }}),",
            method.input.name(),
        );
    }
    out.push_str("    ]\n}\n\n");
}

/// Messages that are bound member by member: from the query, a form or the path.
fn bindings(out: &mut String, methods: &[Method], pool: &DescriptorPool) {
    let inputs: BTreeMap<String, &Method> = methods
        .iter()
        .filter(|method| method.http.is_some())
        .map(|method| (method.input.name().to_owned(), method))
        .collect();
    for method in inputs.values() {
        binding(out, &method.input, pool);
    }
}

fn binding(out: &mut String, message: &MessageDescriptor, pool: &DescriptorPool) {
    let strict =
        model::option(&message.options(), pool, "message").is_some_and(|option| model::flag(&option, "strict"));
    let _ = writeln!(out, "impl BindMembers for proto::{} {{\n    const STRICT: bool = {strict};", message.name());
    let members: Vec<_> = message.fields().map(|field| field.name().to_owned()).collect();
    let _ = writeln!(out, "    const MEMBERS: &[&str] = &{members:?};");
    let fields: Vec<FieldDescriptor> = message.fields().filter(|field| scalar(field).is_some()).collect();
    let lists = fields.iter().filter(|field| field.is_list());
    let lists: Vec<_> = lists.map(|field| field.name().to_owned()).collect();
    let _ = writeln!(out, "    const LISTS: &[&str] = &{lists:?};");
    let (name, value) = if fields.is_empty() { ("_name", "_value") } else { ("name", "value") };
    let _ = writeln!(out, "    fn set(&mut self, {name}: &str, {value}: &str) -> Result<bool, String> {{");
    if fields.is_empty() {
        out.push_str("        Ok(false)\n    }\n}\n\n");
        return;
    }
    out.push_str("        match name {\n");
    for field in fields {
        let parse = scalar(&field).unwrap_or_default();
        let name = field.name();
        // A keyword of Rust.
        let member = if name == "type" { "r#type" } else { name };
        let set = match (field.kind(), optional(&field)) {
            (Kind::String, _) if field.is_list() => format!("bind::list(value, &mut self.{member})"),
            (_, true) => format!("self.{member} = Some({parse})"),
            (Kind::String, false) => format!("value.clone_into(&mut self.{member})"),
            (_, false) => format!("self.{member} = {parse}"),
        };
        let _ = writeln!(out, "            {name:?} => {set},");
    }
    out.push_str("            _ => return Ok(false),\n        }\n        Ok(true)\n    }\n}\n\n");
}

fn scalar(field: &FieldDescriptor) -> Option<&'static str> {
    match field.kind() {
        Kind::String if field.is_list() => Some("value"),
        _ if field.is_list() => None,
        Kind::String => Some("value.to_owned()"),
        Kind::Int32 | Kind::Int64 | Kind::Uint32 | Kind::Uint64 => Some("bind::integer(value)?"),
        Kind::Bool => Some("bind::boolean(value)?"),
        _ => None,
    }
}

fn enums(out: &mut String, pool: &DescriptorPool) {
    for kind in pool.all_enums().filter(|kind| kind.parent_file().package_name() == PACKAGE) {
        let names: Vec<(String, String)> = kind
            .values()
            .filter_map(|value| {
                let option = model::option(&value.options(), pool, "enum_value")?;
                let prefix = snake(kind.name()).to_uppercase() + "_";
                Some((camel(value.name(), &prefix), model::text(&option, "json_name")))
            })
            .collect();
        if names.is_empty() {
            continue;
        }
        let _ = writeln!(
            out,
            "impl JsonEnum for proto::{} {{\n    fn json_name(self) -> &'static str {{\n        match self {{",
            kind.name()
        );
        for (variant, json) in names {
            let _ = writeln!(out, "            Self::{variant} => {json:?},");
        }
        out.push_str("            Self::Unspecified => \"\",\n        }\n    }\n}\n\n");
    }
}

/// `Debug` of messages prints only their names, because their fields may be secrets.
fn debug(out: &mut String, pool: &DescriptorPool) {
    for message in pool.all_messages().filter(|message| message.package_name() == PACKAGE) {
        let name = message.name();
        let _ = writeln!(
            out,
            "impl std::fmt::Debug for proto::{name} {{\n    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {{\n        f.write_str({name:?})\n    }}\n}}\n",
        );
    }
}
