//! The export of traces and metrics over OTLP, by the variables of the OpenTelemetry specification. A variable that
//! would have no effect is refused by its name.

use std::time::Duration;

use url::Url;

use super::{
    client_certificates, otel_variables,
    reader::Reader,
    sampling::Sampling,
    settings::{self, Setting},
};
use crate::{ports::outgoing_certificates::OutgoingCertificates, trusted_roots::TrustedRoots};

/// What is exported. At least one of the signals is.
#[derive(Clone, Debug)]
pub struct Otlp {
    pub traces: Option<OtlpSignal>,
    pub metrics: Option<OtlpSignal>,
    pub sampling: Sampling,
    /// Ended spans that wait for their export.
    pub max_queued_spans: usize,
    /// Whether histograms of requests name sampled traces.
    pub exemplars: bool,
}

/// Where and how one signal is exported. The SDK reads headers, compression and resource itself.
#[derive(Clone, Debug)]
pub struct OtlpSignal {
    /// Over HTTP, with the path of the signal.
    pub endpoint: Url,
    pub protocol: OtlpProtocol,
    /// Of one export.
    pub timeout: Duration,
    pub certificates: OutgoingCertificates,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OtlpProtocol {
    Grpc,
    /// Protobuf over HTTP.
    Http,
}

/// The settings of one signal.
struct SignalSettings {
    exporter: &'static Setting,
    protocol: &'static Setting,
    endpoint: &'static Setting,
    timeout: &'static Setting,
    certificates: [&'static Setting; 3],
    /// Follows the base endpoint over HTTP.
    path: &'static str,
}

static TRACES: SignalSettings = SignalSettings {
    exporter: &settings::OTEL_TRACES_EXPORTER,
    protocol: &settings::OTEL_EXPORTER_OTLP_TRACES_PROTOCOL,
    endpoint: &settings::OTEL_EXPORTER_OTLP_TRACES_ENDPOINT,
    timeout: &settings::OTEL_EXPORTER_OTLP_TRACES_TIMEOUT,
    certificates: [
        &settings::OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE,
        &settings::OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE,
        &settings::OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY,
    ],
    path: "v1/traces",
};

static METRICS: SignalSettings = SignalSettings {
    exporter: &settings::OTEL_METRICS_EXPORTER,
    protocol: &settings::OTEL_EXPORTER_OTLP_METRICS_PROTOCOL,
    endpoint: &settings::OTEL_EXPORTER_OTLP_METRICS_ENDPOINT,
    timeout: &settings::OTEL_EXPORTER_OTLP_METRICS_TIMEOUT,
    certificates: [
        &settings::OTEL_EXPORTER_OTLP_METRICS_CERTIFICATE,
        &settings::OTEL_EXPORTER_OTLP_METRICS_CLIENT_CERTIFICATE,
        &settings::OTEL_EXPORTER_OTLP_METRICS_CLIENT_KEY,
    ],
    path: "v1/metrics",
};

static BASE_CERTIFICATES: [&Setting; 3] = [
    &settings::OTEL_EXPORTER_OTLP_CERTIFICATE,
    &settings::OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE,
    &settings::OTEL_EXPORTER_OTLP_CLIENT_KEY,
];

impl Otlp {
    /// `None` if the export is off.
    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        if !reader.flag(&settings::ENABLE_OTEL) || reader.flag(&settings::OTEL_SDK_DISABLED) {
            return None;
        }
        refuse_unsupported(reader);
        let sampling = Sampling::read(reader);
        let max_queued_spans = reader.number(&settings::OTEL_BSP_MAX_QUEUE_SIZE, 1..=100_000);
        let exemplars = read_exemplar_filter(reader);
        let (traces, metrics) = (OtlpSignal::read(reader, &TRACES), OtlpSignal::read(reader, &METRICS));
        let otlp = Self { traces, metrics, sampling, max_queued_spans, exemplars };
        (otlp.traces.is_some() || otlp.metrics.is_some()).then_some(otlp)
    }

    /// Trusts these authorities where a signal names none of its own.
    pub(super) fn trusting(mut self, roots: &TrustedRoots) -> Self {
        for signal in [&mut self.traces, &mut self.metrics].into_iter().flatten() {
            let certificates = &mut signal.certificates;
            certificates.authorities = certificates.authorities.take().or_else(|| roots.pem());
        }
        self
    }
}

impl OtlpSignal {
    /// `None` if the signal is not exported.
    fn read(reader: &mut Reader<'_>, names: &SignalSettings) -> Option<Self> {
        match reader.text(names.exporter).unwrap_or_default().as_str() {
            "otlp" => {}
            "none" => return None,
            other => {
                reader.problem(names.exporter, format_args!("is `{other}`; set it to otlp or none"));
                return None;
            }
        }
        let protocol = read_protocol(reader, names.protocol);
        let timeout = given(reader, names.timeout, &settings::OTEL_EXPORTER_OTLP_TIMEOUT);
        let timeout = Duration::from_millis(reader.number(timeout, 1..=600_000));
        // The three files belong together.
        let own = names.certificates.iter().any(|setting| reader.given(setting).is_some());
        let certificates =
            client_certificates::read_files(reader, if own { names.certificates } else { BASE_CERTIFICATES });
        Some(Self { endpoint: read_endpoint(reader, names, protocol)?, protocol, timeout, certificates })
    }
}

/// The setting of the signal if it is given, and that of all signals otherwise.
fn given(reader: &Reader<'_>, own: &'static Setting, base: &'static Setting) -> &'static Setting {
    if reader.given(own).is_some() { own } else { base }
}

fn read_protocol(reader: &mut Reader<'_>, own: &'static Setting) -> OtlpProtocol {
    let setting = given(reader, own, &settings::OTEL_EXPORTER_OTLP_PROTOCOL);
    match reader.text(setting).unwrap_or_default().as_str() {
        "grpc" => OtlpProtocol::Grpc,
        "http/protobuf" => OtlpProtocol::Http,
        other => {
            reader.problem(setting, format_args!("is `{other}`; set it to grpc or http/protobuf"));
            OtlpProtocol::Grpc
        }
    }
}

fn read_exemplar_filter(reader: &mut Reader<'_>) -> bool {
    let setting = &settings::OTEL_METRICS_EXEMPLAR_FILTER;
    match reader.text(setting).unwrap_or_default().as_str() {
        "trace_based" => true,
        "always_off" => false,
        other => {
            let advice = "exemplars name sampled traces only; set it to trace_based or always_off";
            reader.problem(setting, format_args!("is `{other}`, but {advice}"));
            false
        }
    }
}

/// The standard names win over Dify's. Only a base endpoint is followed by the path of the signal (OTLP specification,
/// "Endpoint URLs for OTLP/HTTP").
fn read_endpoint(reader: &mut Reader<'_>, names: &SignalSettings, protocol: OtlpProtocol) -> Option<Url> {
    if reader.given(names.endpoint).is_some() {
        return reader.http_url(names.endpoint);
    }
    let bases = [&settings::OTEL_EXPORTER_OTLP_ENDPOINT, &settings::OTLP_BASE_ENDPOINT];
    let default = match protocol {
        OtlpProtocol::Grpc => "http://localhost:4317",
        OtlpProtocol::Http => "http://localhost:4318",
    };
    let base = match bases.into_iter().find(|name| reader.given(name).is_some()) {
        Some(name) => reader.http_url(name)?,
        None => Url::parse(default).ok()?,
    };
    match protocol {
        OtlpProtocol::Grpc => Some(base),
        OtlpProtocol::Http => {
            let mut endpoint = base.clone();
            endpoint.set_path(&format!("{}/{}", base.path().trim_end_matches('/'), names.path));
            Some(endpoint)
        }
    }
}

fn refuse_unsupported(reader: &mut Reader<'_>) {
    otel_variables::check(reader);
    let logs = reader.text(&settings::OTEL_LOGS_EXPORTER).unwrap_or_default();
    if logs != "none" {
        reader.problem(
            &settings::OTEL_LOGS_EXPORTER,
            format_args!("is `{logs}`, but logs are written to standard output only; set it to none"),
        );
    }
    let propagators = reader.list(&settings::OTEL_PROPAGATORS);
    if propagators != ["tracecontext"] {
        reader.problem(
            &settings::OTEL_PROPAGATORS,
            format_args!("is `{}`, but only traceparent is passed on; set it to tracecontext", propagators.join(",")),
        );
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::config::reader::Problems;

    fn read(pairs: &[(&str, &str)]) -> Result<Option<Otlp>, Problems> {
        let mut env: BTreeMap<_, _> = pairs.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        env.insert("ENABLE_OTEL", "true".to_owned());
        let env = |name: &str| env.get(name).cloned();
        let mut reader = Reader::new(&env);
        let otlp = Otlp::read(&mut reader);
        reader.finish().map(|_| otlp)
    }

    fn endpoints(pairs: &[(&str, &str)]) -> [String; 2] {
        let otlp = read(pairs).unwrap().unwrap();
        [otlp.traces, otlp.metrics].map(|signal| signal.unwrap().endpoint.to_string())
    }

    #[test]
    fn endpoints_follow_the_specification() {
        let http = ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf");
        assert_eq!(endpoints(&[]), ["http://localhost:4317/"; 2]);
        assert_eq!(endpoints(&[http]), ["http://localhost:4318/v1/traces", "http://localhost:4318/v1/metrics"]);
        assert_eq!(
            endpoints(&[
                http,
                ("OTLP_BASE_ENDPOINT", "http://dify:4318"),
                ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://collector/otlp/"),
                ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://traces/exactly"),
            ]),
            ["http://traces/exactly", "https://collector/otlp/v1/metrics"]
        );
    }

    #[test]
    fn each_signal_has_its_own_exporter_protocol_and_timeout() {
        let otlp = read(&[
            ("OTEL_METRICS_EXPORTER", "none"),
            ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/protobuf"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "2500"),
        ]);
        let otlp = otlp.unwrap().unwrap();
        assert!(otlp.metrics.is_none());
        let traces = otlp.traces.unwrap();
        assert_eq!((traces.protocol, traces.timeout), (OtlpProtocol::Http, Duration::from_millis(2_500)));
        assert!(read(&[("OTEL_METRICS_EXPORTER", "none"), ("OTEL_TRACES_EXPORTER", "none")]).unwrap().is_none());
    }

    #[test]
    fn exemplars_are_kept_unless_the_filter_is_off() {
        assert!(read(&[]).unwrap().unwrap().exemplars);
        for (filter, expected) in [("trace_based", true), ("always_off", false)] {
            let otlp = read(&[("OTEL_METRICS_EXEMPLAR_FILTER", filter)]).unwrap().unwrap();
            assert_eq!(otlp.exemplars, expected, "{filter}");
        }
    }

    #[test]
    fn variables_without_an_effect_are_refused_by_name() {
        for (name, value) in [
            ("OTEL_EXPORTER_OTLP_INSECURE", "true"),
            ("OTEL_LOGS_EXPORTER", "otlp"),
            ("OTEL_TRACES_EXPORTER", "jaeger"),
            ("OTEL_METRICS_EXPORTER", "prometheus"),
            ("OTEL_METRICS_EXEMPLAR_FILTER", "always_on"),
            ("OTEL_PROPAGATORS", "b3"),
            ("OTEL_PROPAGATORS", "tracecontext,baggage"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"),
            ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/json"),
            ("OTEL_BSP_MAX_QUEUE_SIZE", "0"),
            ("OTEL_BSP_EXPORT_TIMEOUT", "1000"),
            ("OTEL_BSP_SCHEDULE_DELAY", "five seconds"),
            ("OTEL_METRIC_EXPORT_INTERVAL", "0"),
            ("OTEL_SPAN_EVENT_COUNT_LIMIT", "-1"),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "zstd"),
            ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "both"),
            ("OTEL_TRACES_SAMPLER", "jaeger_remote"),
            ("OTLP_TRACE_ENDPOINT", "http://collector:4318"),
            ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/nonexistent"),
            ("OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY", "/nonexistent"),
        ] {
            let Problems(problems) = read(&[(name, value)]).unwrap_err();
            assert!(problems.iter().any(|problem| problem.sentence.contains(name)), "{name}: {problems:?}");
        }
        let ratio = ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio");
        assert!(read(&[ratio, ("OTEL_TRACES_SAMPLER_ARG", "0.5")]).is_ok() && read(&[ratio]).is_ok());
        let Problems(problems) = read(&[ratio, ("OTEL_TRACES_SAMPLER_ARG", "half")]).unwrap_err();
        assert!(problems[0].sentence.starts_with("OTEL_TRACES_SAMPLER_ARG is `half`"), "{problems:?}");
        assert!(read(&[("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"), ("OTEL_BSP_SCHEDULE_DELAY", "500")]).is_ok());
    }
}
