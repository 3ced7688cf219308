//! A client that works from the catalog, written from contract section C3.

use boon::{Compiler, Schemas};
use dify_openapi::testing::domain::sha256_hex;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::{Method, RequestBuilder};
use serde_json::{Map, Value};

use super::{Answer, Bearer, TestServer, uploads};

pub const CATALOG: &str = "/openapi/v1/_catalog";
pub const HEADER: &str = "x-dify-catalog";

/// A catalog, as a client has stored it.
#[derive(Clone, Debug)]
pub struct Catalog {
    pub version: String,
    pub ops: Map<String, Value>,
}

impl Catalog {
    /// Fetches the catalog and checks its version.
    pub async fn fetch(server: &TestServer) -> Self {
        let answer = Answer::to(reqwest::Client::new().get(server.at(CATALOG))).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let version = answer.header(HEADER).to_owned();
        assert_eq!(version, sha256_hex(answer.text.as_bytes()));
        assert_eq!(answer.header("etag"), format!("\"{version}\""));
        assert_eq!(answer.header("cache-control"), "no-cache");
        Self { version, ops: answer.json()["ops"].as_object().unwrap().clone() }
    }

    /// Whether the schema of an operation accepts an input.
    pub fn accepts(&self, op: &str, input: &Value) -> bool {
        let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
        compiler.add_resource("op.json", self.ops[op]["input"].clone()).unwrap();
        let index = compiler.compile("op.json", &mut schemas).unwrap();
        schemas.validate(input, index).is_ok()
    }

    /// The request of an operation: every member goes where `bind` puts it.
    pub fn request(&self, bearer: &Bearer, op: &str, input: &Value) -> RequestBuilder {
        assert!(self.accepts(op, input), "{op} does not accept {input}");
        let op = &self.ops[op];
        let mut path = op["path"].as_str().unwrap().to_owned();
        let (mut query, mut body, mut parts) = (Vec::new(), Map::new(), Vec::new());
        for (name, value) in input.as_object().unwrap() {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            match op["bind"][name].as_str().unwrap() {
                "path" => {
                    let text = utf8_percent_encode(&text, NON_ALPHANUMERIC).to_string();
                    path = path.replace(&format!("{{{name}}}"), &text);
                }
                "query" => match value.as_array() {
                    Some(items) => {
                        query.extend(items.iter().map(|item| (name.clone(), item.as_str().unwrap().to_owned())));
                    }
                    None => query.push((name.clone(), text)),
                },
                "file" => parts.push(uploads::file_part(&text, b"content")),
                "body" => {
                    body.insert(name.clone(), value.clone());
                }
                other => panic!("{name} is in {other}"),
            }
        }
        let method: Method = op["method"].as_str().unwrap().parse().unwrap();
        let request = bearer.request(method.clone(), &path).header(HEADER, &self.version);
        let request = request.header("accept", "application/json").query(&query);
        match method {
            _ if !parts.is_empty() => uploads::with_form(request, &parts),
            Method::GET | Method::DELETE => request,
            _ => request.json(&body),
        }
    }
}
