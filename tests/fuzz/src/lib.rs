//! The parsers of untrusted bytes, each with the properties that hold for every input. The fuzz targets call these
//! functions, and so does `tests/it/fuzz.rs` with the stable compiler.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
};

use axum::body::Body;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, TimeDelta};
use dify_openapi::testing::{
    domain::{ALPHABET, AccountId, BearerToken, Code, KeyRing, Secret, UserCode},
    dsl,
    http::{BindMembers, TrustedProxies, body, pages::Form},
    memory::MemoryLedger,
    pipeline::{Policy, authenticate, browser, cookie},
    rpc::proto::{CreateDeviceCodeRequest, RunAppRequest},
    runtime::{SseFrame, SseParser, render_template},
    service::{PASSPORT, Passports, email_of_grant},
};
use hmac::{Hmac, Mac as _};
use http::{HeaderMap, HeaderValue, Request, header};
use prost::Message as _;
use serde::de::DeserializeOwned;
use serde_json::Value;
use sha2::Sha256;
use uuid::Uuid;

/// The key that signs the fuzzed JWTs.
const SIGNED_UNDER: &str = "a key of the fuzz targets, which is long enough to be one";

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";

/// Header values of one name, one per line; `None` when HTTP does not allow them.
fn headers(name: &header::HeaderName, lines: &[u8]) -> Option<HeaderMap> {
    let mut headers = HeaderMap::new();
    for line in lines.split(|byte| *byte == b'\n') {
        headers.append(name, HeaderValue::from_bytes(line).ok()?);
    }
    Some(headers)
}

/// `Authorization`: yields a token of the right shape or a client error.
pub fn bearer_header(data: &[u8]) {
    let Some(headers) = headers(&header::AUTHORIZATION, data) else { return };
    match authenticate::bearer_token(&headers) {
        Ok(token) => {
            let text = token.expose();
            assert_eq!(text.len(), 48, "a prefix and 43 characters");
            assert!(data.windows(48).any(|part| part == text.as_bytes()), "the token is the header's");
            assert!(BearerToken::parse(text).is_ok_and(|again| again.hash() == token.hash()));
        }
        Err(error) => assert!(matches!(
            error.code(),
            Code::BearerMissing | Code::BearerInvalid | Code::InvalidPrefix | Code::UnknownTokenPrefix
        )),
    }
}

/// A user code has one canonical form for every way to type it.
pub fn user_code(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match UserCode::parse(text) {
        Ok(code) => {
            assert!(code.canonical().iter().all(|symbol| ALPHABET.contains(symbol)));
            let shown = code.expose();
            assert_eq!((shown.len(), shown.find('-')), (9, Some(4)));
            for again in [shown.clone(), shown.to_lowercase(), format!("  {shown} "), shown.replace('-', " ")] {
                assert!(UserCode::parse(&again).is_ok_and(|again| again == code), "{again:?}");
            }
        }
        Err(error) => assert_eq!(error.code(), Code::InvalidUserCode),
    }
}

/// Lines of `Cookie`, then the CSRF header: the check passes only when the header repeats the cookie.
pub fn cookies_and_csrf(data: &[u8]) {
    let (cookies, sent) = data.rsplit_once_byte(b'\n');
    let (Some(mut headers), Ok(sent)) = (headers(&header::COOKIE, cookies), HeaderValue::from_bytes(sent)) else {
        return;
    };
    for name in ["csrf_token", "__Host-csrf_token", ""] {
        if let Some(value) = cookie::find_in(&headers, name) {
            assert!(!value.contains(';'), "{value:?}");
            let pair = format!("{name}={value}");
            assert!(cookies.windows(pair.len()).any(|part| part == pair.as_bytes()), "{pair:?} is in the header");
        }
    }
    let cookie = cookie::find_in(&headers, "csrf_token").map(str::to_owned);
    headers.insert("x-csrf-token", sent.clone());
    let mut request = Request::new(());
    *request.headers_mut() = headers;
    let (parts, ()) = request.into_parts();
    match browser::check_double_submit(&parts, "csrf_token") {
        Ok(()) => assert!(cookie.is_some_and(|cookie| !cookie.is_empty() && cookie.as_bytes() == sent.as_bytes())),
        Err(error) => assert_eq!(error.code(), Code::CsrfMismatch),
    }
}

/// Splits off the last line.
trait RsplitOnce {
    /// The text before and after the last `separator`; the whole text before it when there is none.
    fn rsplit_once_byte(&self, separator: u8) -> (&[u8], &[u8]);
}

impl RsplitOnce for [u8] {
    fn rsplit_once_byte(&self, separator: u8) -> (&[u8], &[u8]) {
        match self.iter().rposition(|byte| *byte == separator) {
            Some(at) => (&self[..at], &self[at + 1..]),
            None => (self, &[]),
        }
    }
}

/// A method that accepts forms.
const CREATE_DEVICE_CODE: &str = "/dify.openapi.v1.DeviceFlowService/CreateDeviceCode";
/// A method that accepts nested objects and lists.
const RUN_APP: &str = "/dify.openapi.v1.AppService/RunApp";

/// Reads a body like the JSON codec; an error is a client error.
fn read<M: BindMembers + DeserializeOwned + Default>(method: &str, kind: &str, data: &[u8]) -> Option<M> {
    let policy = Policy::of_grpc_path(method)?;
    let request = Request::post("/").header(header::CONTENT_TYPE, kind).body(Body::from(data.to_vec()));
    let (parts, body) = request.ok()?.into_parts();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().ok()?;
    match runtime.block_on(body::message::<M>(&parts, body, policy, &MemoryLedger::unlimited())) {
        Ok((message, _)) => Some(message),
        Err(error) => {
            assert!(matches!(error.code(), Code::InvalidRequest | Code::RequestEntityTooLarge), "{error:?}");
            None
        }
    }
}

/// A form that is read and serialized again reads the same.
pub fn form_codec(data: &[u8]) {
    let Some(message) = read::<CreateDeviceCodeRequest>(CREATE_DEVICE_CODE, FORM, data) else { return };
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("client_id", &message.client_id);
    if let Some(label) = &message.device_label {
        form.append_pair("device_label", label);
    }
    let form = form.finish();
    // The serialized form may exceed the body limit.
    if Policy::of_grpc_path(CREATE_DEVICE_CODE).is_some_and(|policy| form.len() <= policy.max_body) {
        assert_eq!(read(CREATE_DEVICE_CODE, FORM, form.as_bytes()), Some(message));
    }
}

/// A form of a page is text with each field once; serialized again it reads the same.
pub fn page_form(data: &[u8]) {
    match Form::parse(data) {
        Ok(form) => {
            for (name, value) in form_urlencoded::parse(data) {
                assert_eq!(form.text(&name), value);
            }
        }
        Err(error) => {
            assert_eq!(error.code(), Code::InvalidRequest);
            let mut names: Vec<_> = form_urlencoded::parse(data).map(|(name, _)| name).collect();
            names.sort_unstable();
            // Bytes that are not UTF-8 decode to the replacement character.
            let replaced =
                form_urlencoded::parse(data).any(|(name, value)| format!("{name}{value}").contains('\u{fffd}'));
            assert!(replaced || names.windows(2).any(|pair| pair[0] == pair[1]), "{error:?}");
        }
    }
}

/// A JSON body is an object or empty. A run request survives the conversion to gRPC and back; numbers become doubles.
pub fn json_codec(data: &[u8]) {
    let code = read::<CreateDeviceCodeRequest>(CREATE_DEVICE_CODE, JSON, data).is_some();
    let run = read::<RunAppRequest>(RUN_APP, JSON, data);
    if code || run.is_some() {
        assert!(data.is_empty() || data.trim_ascii_start().starts_with(b"{"));
        assert!(std::str::from_utf8(data).is_ok());
    }
    if let Some(run) = run {
        let once = RunAppRequest::decode(run.encode_to_vec().as_slice());
        let Ok(once) = once else { panic!("a message that was read can be encoded") };
        assert_eq!((&once.query, &once.response_mode), (&run.query, &run.response_mode));
        assert_eq!(RunAppRequest::decode(once.encode_to_vec().as_slice()).ok().as_ref(), Some(&once));
    }
}

/// A correctly signed JWT with the two lines as claims and header, and the raw bytes as an unsigned one. A token that
/// opens a console session has every required claim.
pub fn console_jwt(data: &[u8]) {
    const NOW: i64 = 1_800_000_000;
    let keys =
        KeyRing::new(Secret::new(SIGNED_UNDER), vec![Secret::new("an older key, which is as long as the other one")]);
    let passports = Passports::new(Arc::new(keys), TimeDelta::hours(1));
    let Some(now) = DateTime::from_timestamp(NOW, 0) else { return };
    let holder = |token: &str| passports.holder(token, now);
    let anybody = AccountId(Uuid::from_u128(1));
    if let Ok(text) = std::str::from_utf8(data) {
        assert_eq!(holder(text), None, "no key of the service signs raw input");
        assert!(!passports.csrf_holds(text, anybody, now), "an unsigned CSRF token is rejected");
    }
    let (claims, header) = data.rsplit_once_byte(b'\n');
    let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let signed = format!("{}.{}", part(header), part(claims));
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(SIGNED_UNDER.as_bytes()) else { return };
    mac.update(signed.as_bytes());
    let mut signature = mac.finalize().into_bytes();
    let token = format!("{signed}.{}", part(&signature));
    let claimed = serde_json::from_slice::<Value>(claims).unwrap_or_default();
    let subject: Option<AccountId> = claimed["sub"].as_str().and_then(|id| id.parse().ok());
    if passports.csrf_holds(&token, subject.unwrap_or(anybody), now) {
        assert!(subject.is_some() && claimed["exp"].as_i64().is_some_and(|exp| exp > NOW));
        assert!(
            !passports.csrf_holds(&token, anybody, now) || subject == Some(anybody),
            "the token belongs to another account"
        );
        assert_eq!(holder(&token), None, "a CSRF token opens no session");
    }
    let Some(found) = holder(&token) else { return };

    let (header, claims) = (serde_json::from_slice::<Value>(header), serde_json::from_slice::<Value>(claims));
    let (header, claims) = (header.unwrap_or_default(), claims.unwrap_or_default());
    assert_eq!(header["alg"], "HS256");
    assert_eq!(claims["sub"], PASSPORT);
    assert!(claims["exp"].as_i64().is_some_and(|exp| exp > NOW));
    assert!(claims["aud"].is_null() && claims["token_source"].is_null());
    assert_eq!(claims["user_id"].as_str().and_then(|id| id.parse().ok()), Some(found.account));
    signature[0] ^= 1;
    for forged in [format!("{signed}."), signed.clone(), format!("{signed}.{}", part(&signature))] {
        assert_eq!(holder(&forged), None, "{forged}");
    }
}

/// A correctly signed approval grant with the two lines as claims and header, and the raw bytes as an unsigned one. A
/// grant that is accepted names its key and audience, and expires within ten minutes.
pub fn signed_value(data: &[u8]) {
    const NOW: i64 = 1_800_000_000;
    let Some(now) = DateTime::from_timestamp(NOW, 0) else { return };
    let email = |value: &str| email_of_grant(KeyRing::new(Secret::new(SIGNED_UNDER), Vec::new()), value, now);
    if let Ok(text) = std::str::from_utf8(data) {
        assert_eq!(email(text), None, "no key of the service signs raw input");
    }
    let (claims, header) = data.rsplit_once_byte(b'\n');
    let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let signed = format!("{}.{}", part(header), part(claims));
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(SIGNED_UNDER.as_bytes()) else { return };
    mac.update(signed.as_bytes());
    let mut signature = mac.finalize().into_bytes();
    let Some(found) = email(&format!("{signed}.{}", part(&signature))) else { return };

    let (header, claims) = (serde_json::from_slice::<Value>(header), serde_json::from_slice::<Value>(claims));
    let (header, claims) = (header.unwrap_or_default(), claims.unwrap_or_default());
    assert_eq!((&header["alg"], &header["kid"]), (&"HS256".into(), &"dify-shared-v1".into()));
    let audience = claims["aud"].as_str().or_else(|| claims["aud"][0].as_str());
    assert_eq!(audience, Some("api.device_flow.approval_grant"));
    assert!(claims["exp"].as_i64().is_some_and(|exp| exp > NOW && exp <= NOW + 600));
    assert_eq!(claims["subject_email"], *found);
    signature[0] ^= 1;
    for forged in [format!("{signed}."), signed.clone(), format!("{signed}.{}", part(&signature))] {
        assert_eq!(email(&forged), None, "{forged}");
    }
}

/// Lines of `X-Forwarded-For`: an untrusted peer's header is ignored, and so is everything left of the first untrusted
/// hop.
pub fn forwarded_for(data: &[u8]) {
    let name = header::HeaderName::from_static("x-forwarded-for");
    let Some(claimed) = headers(&name, data) else { return };
    let trusted: ipnet::IpNet = ipnet::Ipv4Net::new_assert(Ipv4Addr::new(10, 0, 0, 0), 8).into();
    let proxies = TrustedProxies::new(vec![trusted]);
    let stranger = IpAddr::from([9, 9, 9, 9]);
    assert_eq!(proxies.resolve(stranger, &claimed).0, stranger);

    let client = proxies.resolve(IpAddr::from([10, 0, 0, 1]), &claimed).0;
    if !trusted.contains(&client) {
        let mut longer = HeaderMap::new();
        longer.append(&name, HeaderValue::from_static("6.6.6.6, 10.9.9.9"));
        longer.extend(claimed.get_all(&name).iter().map(|value| (name.clone(), value.clone())));
        assert_eq!(proxies.resolve(IpAddr::from([10, 0, 0, 1]), &longer).0, client);
    }
}

/// A DSL file that is read and written reads the same and is written the same; an error is one line.
pub fn dsl_file(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match dsl::read(text) {
        Ok(read) => {
            let Ok(written) = dsl::write(&read.app) else { panic!("it cannot be written: {:?}", read.app) };
            assert!(dsl::read(&written).is_ok_and(|again| again.app == read.app), "{written}");
            assert!(dsl::write(&read.app).is_ok_and(|again| again == written));
        }
        Err(fault) => assert!(!fault.to_string().contains('\n'), "{fault:?}"),
    }
}

/// A template ends within its limits, whatever it does.
pub fn template(data: &[u8]) {
    let Ok(source) = std::str::from_utf8(data) else { return };
    if let Ok(output) = render_template(source) {
        assert!(output.chars().count() <= 400_000);
    }
}

/// The frames of an event stream do not depend on how its bytes are split, and each frame is one line of it.
pub fn event_frames(data: &[u8]) {
    let read = |sizes: &[usize]| {
        let (mut frames, mut found, mut rest) = (SseParser::with_max_line(256), Vec::new(), data);
        for size in sizes.iter().cycle() {
            let (piece, after) = rest.split_at(rest.len().min(*size));
            frames.push(piece);
            loop {
                match frames.take() {
                    Ok(Some(frame)) => found.push(frame),
                    Ok(None) => break,
                    Err(fault) => return (found, Some(fault)),
                }
            }
            rest = after;
            if rest.is_empty() {
                return (found, None);
            }
        }
        (found, None)
    };
    let whole = read(&[data.len().max(1)]);
    for sizes in [&[1][..], &[2, 3, 5], &[64]] {
        assert_eq!(read(sizes), whole);
    }
    for frame in whole.0 {
        if let SseFrame::Data(json) = frame {
            assert!(json.len() <= 256 && !json.contains(&b'\n'));
            assert!(json.is_empty() || data.windows(json.len()).any(|part| part == json));
        }
    }
}
