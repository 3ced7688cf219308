//! The text format of OpenMetrics 1.0, which has units and exemplars, unlike Prometheus' own text format.
//!
//! The crate `prometheus` does not write it. `prometheus-client` (0.26) does, but only with the exemplars of its own
//! histograms: its `Exemplar` has no public constructor.

use std::fmt::{Error, Result, Write};

use prometheus::proto::{Histogram, LabelPair, Metric, MetricFamily, MetricType};

use super::exemplars::{BucketExemplars, Exemplar, Series, Snapshot};

/// Units that names of metrics end with.
const UNITS: [&str; 2] = ["seconds", "bytes"];

pub(super) fn encode(families: &[MetricFamily], exemplars: &Snapshot) -> std::result::Result<String, Error> {
    let mut out = String::with_capacity(64 * 1024);
    for family in families {
        encode_family(&mut out, family, exemplars)?;
    }
    out.push_str("# EOF\n");
    Ok(out)
}

fn encode_family(out: &mut String, family: &MetricFamily, exemplars: &Snapshot) -> Result {
    let full_name = family.name();
    // A sample has the suffix of its type, and the family has the name without it.
    let (name, kind, suffix) = match family.get_field_type() {
        MetricType::COUNTER => (full_name.strip_suffix("_total").unwrap_or(full_name), "counter", "_total"),
        MetricType::GAUGE => match full_name.strip_suffix("_info") {
            Some(name) => (name, "info", "_info"),
            None => (full_name, "gauge", ""),
        },
        MetricType::HISTOGRAM => (full_name, "histogram", ""),
        // This server has no summaries, and nothing without a type.
        MetricType::SUMMARY | MetricType::UNTYPED => return Ok(()),
    };
    writeln!(out, "# TYPE {name} {kind}")?;
    if let Some(unit) = UNITS.into_iter().find(|unit| is_unit_of(name, unit)) {
        writeln!(out, "# UNIT {name} {unit}")?;
    }
    if !family.help().is_empty() {
        write!(out, "# HELP {name} ")?;
        write_escaped(out, family.help())?;
        out.push('\n');
    }
    for metric in family.get_metric() {
        let labels = metric.get_label();
        if family.get_field_type() == MetricType::HISTOGRAM {
            let exemplars = series(name, labels).and_then(|series| exemplars.get(&series));
            encode_histogram(out, name, labels, metric.get_histogram(), exemplars.map(Box::as_ref))?;
        } else {
            write!(out, "{name}{suffix}")?;
            write_labels(out, labels, None)?;
            write_value(out, value(metric, kind))?;
            out.push('\n');
        }
    }
    Ok(())
}

fn is_unit_of(name: &str, unit: &str) -> bool {
    name.strip_suffix(unit).is_some_and(|rest| rest.ends_with('_'))
}

fn value(metric: &Metric, kind: &str) -> f64 {
    if kind == "counter" { metric.get_counter().get_value() } else { metric.get_gauge().get_value() }
}

fn encode_histogram(
    out: &mut String,
    name: &str,
    labels: &[LabelPair],
    histogram: &Histogram,
    exemplars: Option<&BucketExemplars>,
) -> Result {
    let bounds = histogram.get_bucket().iter().map(|bucket| (bucket.upper_bound(), bucket.cumulative_count()));
    // What is gathered has no last bucket.
    let last = (f64::INFINITY, histogram.get_sample_count());
    for (index, (bound, count)) in bounds.filter(|(bound, _)| bound.is_finite()).chain([last]).enumerate() {
        write!(out, "{name}_bucket")?;
        // The format requires the shortest form with a fraction, such as `1.0`.
        let bound = if bound.is_finite() { format!("{bound:?}") } else { "+Inf".to_owned() };
        write_labels(out, labels, Some(&bound))?;
        write!(out, " {count}")?;
        if let Some(exemplar) = exemplars.and_then(|exemplars| exemplars.get(index)?.as_ref()) {
            write_exemplar(out, exemplar)?;
        }
        out.push('\n');
    }
    write!(out, "{name}_sum")?;
    write_labels(out, labels, None)?;
    write_value(out, histogram.get_sample_sum())?;
    write!(out, "\n{name}_count")?;
    write_labels(out, labels, None)?;
    writeln!(out, " {}", histogram.get_sample_count())
}

/// The series of a request histogram; `None` of other histograms and of the series that stands for those beyond the
/// limit of the SDK.
fn series<'a>(name: &str, labels: &'a [LabelPair]) -> Option<Series<'a>> {
    let label = |name: &str| labels.iter().find(|label| label.name() == name).map(LabelPair::value);
    match name {
        "http_server_request_duration_seconds" => Some(Series::Request {
            method: label("http_request_method")?,
            route: label("http_route")?,
            status: label("http_response_status_code")?.parse().ok()?,
            door: label("door")?,
        }),
        "rpc_server_call_duration_seconds" => {
            Some(Series::Call { method: label("rpc_method")?, status: label("rpc_response_status_code")? })
        }
        _ => None,
    }
}

fn write_exemplar(out: &mut String, exemplar: &Exemplar) -> Result {
    let Exemplar { trace_id, span_id, value, time } = exemplar;
    let (seconds, millis) = (time.as_secs(), time.subsec_millis());
    write!(out, " # {{trace_id=\"{trace_id}\",span_id=\"{span_id}\"}} {value} {seconds}.{millis:03}")
}

fn write_labels(out: &mut String, labels: &[LabelPair], bound: Option<&str>) -> Result {
    let pairs = labels.iter().map(|label| (label.name(), label.value()));
    let mut separator = '{';
    for (name, value) in pairs.chain(bound.map(|bound| ("le", bound))) {
        write!(out, "{separator}{name}=\"")?;
        write_escaped(out, value)?;
        out.push('"');
        separator = ',';
    }
    if separator == ',' {
        out.push('}');
    }
    Ok(())
}

fn write_value(out: &mut String, value: f64) -> Result {
    match value {
        f64::INFINITY => out.write_str(" +Inf"),
        f64::NEG_INFINITY => out.write_str(" -Inf"),
        value => write!(out, " {value}"),
    }
}

fn write_escaped(out: &mut String, text: &str) -> Result {
    for character in text.chars() {
        match character {
            '\\' => out.write_str("\\\\")?,
            '"' => out.write_str("\\\"")?,
            '\n' => out.write_str("\\n")?,
            character => out.push(character),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use prometheus::proto::{Counter, Gauge};

    use super::*;

    fn family(name: &str, help: &str, kind: MetricType, metric: Metric) -> MetricFamily {
        let mut family = MetricFamily::default();
        family.set_name(name.to_owned());
        family.set_help(help.to_owned());
        family.set_field_type(kind);
        family.set_metric(vec![metric]);
        family
    }

    #[test]
    fn texts_are_escaped_and_values_have_their_names() {
        let mut label = LabelPair::default();
        label.set_name("path".to_owned());
        label.set_value("C:\\new \"file\"\n".to_owned());
        let mut counter = Counter::default();
        counter.set_value(3.0);
        let mut reads = Metric::from_label(vec![label]);
        reads.set_counter(counter);
        let mut gauge = Gauge::default();
        gauge.set_value(f64::INFINITY);
        let families = [
            family("read_bytes_total", "Bytes \"read\".", MetricType::COUNTER, reads),
            family("limit", "", MetricType::GAUGE, Metric::from_gauge(gauge)),
        ];
        let expected = concat!(
            "# TYPE read_bytes counter\n# UNIT read_bytes bytes\n# HELP read_bytes Bytes \\\"read\\\".\n",
            "read_bytes_total{path=\"C:\\\\new \\\"file\\\"\\n\"} 3\n",
            "# TYPE limit gauge\nlimit +Inf\n# EOF\n",
        );
        assert_eq!(encode(&families, &Snapshot::default()).unwrap(), expected);
    }
}
