//! What is watched is what is measured: the template's alarms and dashboard name metrics and dimensions
//! of the code's one list.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;
use serde_yaml_ng::{Mapping, Value};
use shared::telemetry::metrics::Metric;

use crate::support::{root, template_yaml};

/// The namespace that the functions write their metrics to.
const NAMESPACE: &str = "Latchkey/${AWS::StackName}";

/// A metric as CloudWatch knows it: its name and the names of its dimensions.
type Series = (String, Vec<String>);

fn resources() -> Mapping {
    let template = template_yaml();
    template["Resources"].as_mapping().unwrap().clone()
}

fn of_type(kind: &str) -> BTreeMap<String, Value> {
    let resources = resources().into_iter();
    let of_type = resources.filter(|(_, resource)| resource["Type"] == kind);
    let named = of_type.map(|(name, of)| (name.as_str().unwrap().into(), of["Properties"].clone()));
    named.collect()
}

/// The text of a value, whether it is substituted in or not.
fn text(value: &Value) -> &str {
    match value {
        Value::Tagged(tagged) => tagged.value.as_str().unwrap_or_default(),
        value => value.as_str().unwrap_or_default(),
    }
}

/// All that the functions measure.
fn measured() -> BTreeSet<Series> {
    let of = |metric: &Metric| {
        let name = metric.name().to_owned();
        let sets = metric.dimensions().iter();
        let sets = sets.map(|set| set.iter().map(|name| (*name).to_owned()).collect());
        sets.map(|set: Vec<String>| (name.clone(), set))
            .collect::<Vec<_>>()
    };
    Metric::ALL.iter().flat_map(of).collect()
}

/// What CloudWatch counts in the logs of API Gateway and SNS.
fn filtered() -> BTreeSet<Series> {
    let filters = of_type("AWS::Logs::MetricFilter").into_values();
    let metrics = filters.flat_map(|filter| {
        let metrics = filter["MetricTransformations"].as_sequence().unwrap();
        metrics.clone()
    });
    metrics
        .map(|metric| {
            assert_eq!(text(&metric["MetricNamespace"]), NAMESPACE);
            (text(&metric["MetricName"]).to_owned(), Vec::new())
        })
        .collect()
}

/// The metrics of ours that an alarm looks at.
fn looked_at(alarm: &Value) -> BTreeSet<Series> {
    let single = std::iter::once(alarm);
    let several = alarm["Metrics"].as_sequence().into_iter().flatten();
    let several = several.map(|query| &query["MetricStat"]["Metric"]);
    let metrics = single
        .chain(several)
        .filter(|metric| metric["MetricName"].is_string());
    let ours = metrics.filter(|metric| text(&metric["Namespace"]) == NAMESPACE);
    ours.map(|metric| {
        let dimensions = metric["Dimensions"].as_sequence().into_iter().flatten();
        let dimensions = dimensions.map(|dimension| text(&dimension["Name"]).to_owned());
        (text(&metric["MetricName"]).to_owned(), dimensions.collect())
    })
    .collect()
}

/// The metrics of ours that a dashboard shows.
fn shown() -> BTreeSet<Series> {
    let dashboards = of_type("AWS::CloudWatch::Dashboard").into_values();
    dashboards
        .flat_map(|dashboard| shown_by(text(&dashboard["DashboardBody"])))
        .collect()
}

fn shown_by(dashboard: &str) -> BTreeSet<Series> {
    // A parameter stands where JSON wants a number.
    let dashboard = dashboard.replace("${MonthlySpendLimitUsd}", "1");
    let body: Json = serde_json::from_str(&dashboard).unwrap();
    let widgets = body["widgets"].as_array().unwrap();
    let rows = widgets
        .iter()
        .filter_map(|widget| widget["properties"]["metrics"].as_array())
        .flatten();
    rows.filter_map(|row| match &row[0] {
        Json::String(namespace) if namespace == NAMESPACE => {
            let texts: Vec<&str> = row.as_array()?.iter().filter_map(Json::as_str).collect();
            // Namespace, metric, then name and value of each dimension.
            let dimensions = texts[2..].iter().step_by(2).map(|name| (*name).to_owned());
            Some((texts[1].to_owned(), dimensions.collect()))
        }
        Json::String(_) => None,
        with_expression => searched(with_expression["expression"].as_str()?),
    })
    .collect()
}

/// `SEARCH('{"Namespace",Dimension} MetricName="Name"', …)`.
fn searched(expression: &str) -> Option<Series> {
    let (_, rest) = expression.split_once("SEARCH('{")?;
    let (of, rest) = rest.split_once("} MetricName=\"")?;
    let (name, _) = rest.split_once('"')?;
    let mut of = of.split(',').map(|name| name.trim_matches('"').to_owned());
    (of.next()? == NAMESPACE).then(|| (name.to_owned(), of.collect()))
}

#[test]
fn alarms_and_dashboard_name_metrics_that_are_measured() {
    let measured: BTreeSet<Series> = measured().union(&filtered()).cloned().collect();
    for (name, alarm) in of_type("AWS::CloudWatch::Alarm") {
        let unknown: Vec<_> = looked_at(&alarm).difference(&measured).cloned().collect();
        assert!(unknown.is_empty(), "{name} looks at {unknown:?}");
    }
    let unknown: Vec<_> = shown().difference(&measured).cloned().collect();
    assert!(unknown.is_empty(), "the dashboard shows {unknown:?}");
}

#[test]
fn the_dashboard_shows_every_metric_by_every_dimension_there_is() {
    let by_dimension = |series: &BTreeSet<Series>| -> BTreeSet<Series> {
        let named = series.iter().cloned();
        named
            .filter(|(_, dimensions)| !dimensions.is_empty())
            .collect()
    };
    assert_eq!(by_dimension(&shown()), by_dimension(&measured()));
    let names = |series: BTreeSet<Series>| -> BTreeSet<String> {
        series.into_iter().map(|(name, _)| name).collect()
    };
    let measured = measured().union(&filtered()).cloned().collect();
    assert_eq!(names(shown()), names(measured));
}

#[test]
fn there_is_an_alarm_for_everything_that_can_go_wrong() {
    let alarms = of_type("AWS::CloudWatch::Alarm");
    let over_all = |names: &[&str]| -> BTreeSet<Series> {
        let series = names.iter().map(|name| ((*name).to_owned(), Vec::new()));
        series.collect()
    };
    for (alarm, metrics) in [
        ("InternalErrorsAlarm", &["InternalErrors"][..]),
        ("SmsFailuresAlarm", &["SendFailures", "SendAttempts"]),
        ("ConversionAlarm", &["Sent", "Verified"]),
        ("DeadSpendAlarm", &["Sent", "Verified"]),
        ("ThrottlesAlarm", &["Throttles"]),
        ("BudgetHalfUsedAlarm", &["BudgetUsed"]),
        ("BudgetNearlyUsedAlarm", &["BudgetUsed"]),
        ("BudgetUsedAlarm", &["BudgetUsed"]),
        ("SendsStoppedAlarm", &["StoppedSends"]),
        ("UndeliveredAlarm", &["Undelivered", "Deliveries"]),
        (
            "RefusedByLimitAlarm",
            &["UndeliveredSpendLimit", "UndeliveredPrice"],
        ),
        // These look at SNS's own metrics.
        ("SpendNearLimitAlarm", &[]),
        ("SuccessRateAlarm", &[]),
    ] {
        assert_eq!(looked_at(&alarms[alarm]), over_all(metrics), "{alarm}");
    }
    let budget = alarms
        .values()
        .filter(|of| of["MetricName"] == "BudgetUsed");
    let mut thresholds: Vec<_> = budget.filter_map(|of| of["Threshold"].as_u64()).collect();
    thresholds.sort_unstable();
    assert_eq!(thresholds, [50, 80, 100]);
}

#[test]
fn every_alarm_notifies_the_alarm_topic_and_is_on_a_dashboard_that_exists_when_it_does() {
    let template = template_yaml();
    let exists_if = |name: &str| template["Resources"][name]["Condition"].clone();
    let dashboards = of_type("AWS::CloudWatch::Dashboard");
    let alarms = of_type("AWS::CloudWatch::Alarm");
    let actions = alarms["InternalErrorsAlarm"]["AlarmActions"].clone();
    for topic in ["AlarmTopicArn", "MakesAlarmTopic", "AlarmTopic"] {
        assert!(format!("{actions:?}").contains(&format!("\"{topic}\"")));
    }
    for (name, alarm) in alarms {
        assert_eq!(alarm["AlarmActions"], actions, "{name}");
        let its_line = format!("\"${{{name}.Arn}}\"");
        let on: Vec<_> = dashboards
            .iter()
            .filter(|(_, dashboard)| text(&dashboard["DashboardBody"]).contains(&its_line))
            .map(|(dashboard, _)| exists_if(dashboard))
            .collect();
        assert_eq!(on, [exists_if(&name)], "{name}");
        assert_eq!(alarm["TreatMissingData"], "notBreaching", "{name}");
    }
}

#[test]
fn the_price_list_counts_every_metric_that_can_be_measured_with_one_country() {
    let (by_dimension, totals): (Vec<_>, Vec<_>) = measured()
        .into_iter()
        .partition(|(_, dimensions)| !dimensions.is_empty());
    let by_country = by_dimension.iter().filter(|(_, of)| *of == ["Country"]);
    // The values of all other dimensions stand in one file, but for the guard's, which has one in each mode.
    let record = include_str!("../../../shared/src/telemetry/record.rs");
    let texts = record.split('"').skip(1).step_by(2);
    let is_value = |text: &&str| {
        text.starts_with(char::is_uppercase) && text.chars().all(char::is_alphanumeric)
    };
    let values: BTreeSet<&str> = texts.filter(is_value).collect();
    let from_logs = filtered().len();
    let most = totals.len() + by_country.count() + values.len() + 1 + from_logs;
    let page = std::fs::read_to_string(root().join("functions/DEPLOY.md")).unwrap();
    let expected = format!("at most {most} with one country, {from_logs} of them from logs;");
    let price = format!("| at most {:.2} |", 0.3 * most as f64);
    let row = page.lines().find(|line| line.starts_with("| metrics |"));
    let row = row.unwrap();
    assert!(
        row.contains(&expected) && row.ends_with(&price),
        "{expected} {price}: {row}"
    );
}

#[test]
fn the_functions_write_to_the_namespace_that_the_alarms_watch() {
    let template = template_yaml();
    let variables = &template["Globals"]["Function"]["Environment"]["Variables"];
    assert_eq!(self::text(&variables["METRICS_NAMESPACE"]), NAMESPACE);
}
