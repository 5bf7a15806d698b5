//! The Grafana dashboard asks for figures that there are.

use std::{collections::BTreeSet, fs, path::Path};

use headwater_control::MetricKind;
use serde_json::Value;

use crate::support::start;

/// Every text under a key, at any depth.
fn texts<'a>(value: &'a Value, key: &str, found: &mut Vec<&'a str>) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                match field {
                    Value::String(text) if name == key => found.push(text),
                    _ => texts(field, key, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| texts(item, key, found)),
        _ => {}
    }
}

/// The names of figures in an expression.
fn names(expression: &str) -> impl Iterator<Item = &str> {
    let words = expression.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    words.filter(|word| word.starts_with("headwater_"))
}

#[tokio::test]
async fn every_expression_of_the_dashboard_names_figures_and_labels_that_there_are() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/grafana/headwater.json");
    let dashboard: Value = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
    let mut expressions = Vec::new();
    for key in ["expr", "definition"] {
        texts(&dashboard, key, &mut expressions);
    }
    assert!(expressions.len() > 30 && dashboard["schemaVersion"].as_u64().unwrap() >= 39);
    let server = start("").await;
    let metrics = server.control().metrics().list();
    let mut known = BTreeSet::new();
    let mut labels = BTreeSet::from(["le", "instance", "protocol"]);
    for metric in &metrics {
        labels.extend(metric.labels.iter().copied());
        let name = metric.full_name();
        match metric.kind {
            MetricKind::Histogram => known.extend(["bucket", "sum", "count"].map(|part| format!("{name}_{part}"))),
            _ => known.extend([name]),
        }
    }
    for expression in expressions {
        assert!(names(expression).next().is_some(), "{expression}");
        for name in names(expression) {
            assert!(known.contains(name), "there is no {name}, which the dashboard asks for: {expression}");
        }
        for by in expression.split("by (").skip(1).filter_map(|rest| rest.split(')').next()) {
            assert!(by.split(',').all(|label| labels.contains(label.trim())), "{by} in {expression}");
        }
    }
    server.stop().await;
}
