//! SNS's reasons for dropping a message: the runbook's table names the metric that the template's filters
//! count each by.

use std::collections::{BTreeMap, BTreeSet};

use crate::support::{root, template_yaml};

/// A row of the table in functions/OPERATIONS.md.
struct Row {
    /// What SNS says, word for word.
    reasons: Vec<String>,
    /// The metrics that count it.
    metrics: BTreeSet<String>,
}

/// What stands between backticks.
fn quoted(cell: &str) -> Vec<String> {
    let quoted = cell.split('`').skip(1).step_by(2);
    quoted.map(str::to_owned).collect()
}

fn rows() -> Vec<Row> {
    let page = std::fs::read_to_string(root().join("functions/OPERATIONS.md")).unwrap();
    let (_, table) = page.split_once("| what | SNS says | metric |").unwrap();
    let rows = table
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    let rows = rows.map(|row| {
        let cells: Vec<&str> = row.split('|').collect();
        let metrics = quoted(cells[3]).into_iter();
        Row {
            reasons: quoted(cells[2]),
            metrics: metrics
                .filter(|name| name.starts_with("Undelivered"))
                .collect(),
        }
    });
    // A message that SNS refuses at once is not in its log.
    rows.filter(|row| !row.metrics.is_empty()).collect()
}

/// The filters of SNS's log of failures: by metric, the pattern.
fn filters() -> BTreeMap<String, String> {
    let template = template_yaml();
    let resources = template["Resources"].as_mapping().unwrap().values();
    let filters = resources.filter(|resource| resource["Type"] == "AWS::Logs::MetricFilter");
    let filters = filters.map(|resource| &resource["Properties"]);
    let of_failures =
        filters.filter(|filter| format!("{:?}", filter["LogGroupName"]).contains("FailureLog"));
    let named = of_failures.map(|filter| {
        let metric = &filter["MetricTransformations"][0]["MetricName"];
        let pattern = filter["FilterPattern"].as_str().unwrap();
        (metric.as_str().unwrap().to_owned(), pattern.to_owned())
    });
    named.collect()
}

/// Whether a filter counts a failure for this reason. A pattern is `{ comparison }` or
/// `{ (comparison) && (comparison) … }`.
fn counts(pattern: &str, reason: &str) -> bool {
    let comparisons = pattern.trim_matches(['{', '}', ' ']).split(" && ");
    let mut comparisons = comparisons.map(|comparison| comparison.trim_matches(['(', ')']));
    comparisons.all(|comparison| {
        let (left, wanted) = comparison.split_once("= ").unwrap();
        let (field, is_negated) = match left.strip_suffix('!') {
            Some(field) => (field.trim(), true),
            None => (left.trim(), false),
        };
        let value = match field {
            "$.status" => "FAILURE",
            "$.delivery.providerResponse" => reason,
            _ => panic!("{field} is not in SNS's log"),
        };
        let wanted = wanted.trim_matches('"');
        let is_equal = match wanted
            .strip_prefix('*')
            .and_then(|rest| rest.strip_suffix('*'))
        {
            Some(part) => value.contains(part),
            None => value == wanted,
        };
        is_equal != is_negated
    })
}

fn counted_by(reason: &str) -> BTreeSet<String> {
    let filters = filters().into_iter();
    let by = filters.filter(|(_, pattern)| counts(pattern, reason));
    by.map(|(metric, _)| metric).collect()
}

#[test]
fn each_reason_of_the_runbook_is_counted_by_the_metric_beside_it_and_by_no_other() {
    for row in rows() {
        assert!(!row.reasons.is_empty(), "{:?}", row.metrics);
        for reason in &row.reasons {
            let mut by = counted_by(reason);
            assert!(by.remove("Undelivered"), "{reason}");
            assert_eq!(by.len(), 1, "{reason}: {by:?}");
            assert!(by.is_subset(&row.metrics), "{reason}: {by:?}");
        }
    }
    let new_words = counted_by("Something that SNS has never said");
    let expected = ["Undelivered", "UndeliveredOther"].map(str::to_owned);
    assert_eq!(new_words, expected.into());
}

#[test]
fn the_runbook_has_a_row_for_each_metric_of_dropped_messages() {
    let mut shown: BTreeSet<String> = rows().into_iter().flat_map(|row| row.metrics).collect();
    shown.insert("Undelivered".to_owned());
    assert_eq!(shown, filters().into_keys().collect());
}
