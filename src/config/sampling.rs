//! Which traces are exported: a sampler of the OpenTelemetry specification, or Dify's rate.

use super::{
    reader::Reader,
    settings::{OTEL_SAMPLING_RATE, OTEL_TRACES_SAMPLER},
};

/// The argument of samplers with a ratio.
pub(super) const RATIO: &str = "OTEL_TRACES_SAMPLER_ARG";
/// Begins the names of samplers that follow the caller's decision.
const PARENT_BASED: &str = "parentbased_";

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    /// Share of new traces, 0 to 1.
    pub ratio: f64,
    /// Whether the caller of a request decides about a trace that it has begun.
    pub follows_parent: bool,
}

impl Sampling {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        let Some(sampler) = reader.text(&OTEL_TRACES_SAMPLER) else {
            return Self { ratio: reader.share(&OTEL_SAMPLING_RATE), follows_parent: true };
        };
        let of_new_traces = sampler.strip_prefix(PARENT_BASED);
        let ratio = match of_new_traces.unwrap_or(&sampler) {
            "always_on" => 1.0,
            "always_off" => 0.0,
            "traceidratio" => read_ratio(reader),
            _ => {
                reader.problem(
                    &OTEL_TRACES_SAMPLER,
                    format_args!(
                        "is `{sampler}`; set it to always_on, always_off, traceidratio or one of them after \
                         {PARENT_BASED}"
                    ),
                );
                1.0
            }
        };
        Self { ratio, follows_parent: of_new_traces.is_some() }
    }
}

fn read_ratio(reader: &mut Reader<'_>) -> f64 {
    let Some(text) = reader.variable(RATIO) else { return 1.0 };
    match text.parse() {
        Ok(ratio) if (0.0..=1.0).contains(&ratio) => ratio,
        _ => {
            reader.problem(RATIO, format_args!("is `{text}`; set it to a number from 0 to 1, like 0.25"));
            1.0
        }
    }
}
