use std::collections::BTreeMap;

use super::*;

fn read(changes: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let mut env: BTreeMap<&str, &str> = BTreeMap::from([
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "id"),
        ("AWS_SECRET_ACCESS_KEY", "hidden-secret"),
        ("USERS_TABLE", "users"),
        ("CODES_TABLE", "codes"),
        (
            "KEY_RING",
            r#"{"active":"k1","k1":"QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE="}"#,
        ),
    ]);
    env.extend(changes.iter().copied());
    Config::from_lookup(&|name| env.get(name).map(|value| (*value).to_owned()))
}

#[test]
fn every_required_variable_is_named_when_it_is_missing() {
    for variable in variables::ALL {
        if variable.default == variables::DefaultValue::Required {
            let error = read(&[(variable.name, " ")]).unwrap_err().to_string();
            assert_eq!(
                error,
                format!("environment variable {}: is not set", variable.name)
            );
        }
    }
}

#[test]
fn one_variable_can_hold_all_that_is_secret_and_others_win_over_it() {
    let ring = |kid: &str| {
        format!(r#"{{"active":"{kid}","{kid}":"QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE="}}"#)
    };
    let origin = r#"{"current":"a-secret-of-thirty-two-characters"}"#;
    let secrets = format!(
        r#"{{"KEY_RING": {} , "ORIGIN_SECRET": {origin} }}"#,
        ring("k7")
    );
    let config = read(&[("KEY_RING", ""), ("SECRETS", &secrets)]).unwrap();
    assert_eq!(config.keys.active(), "k7");
    let origin_secret = config.origin_secret.unwrap();
    assert!(origin_secret.admits(Some(b"a-secret-of-thirty-two-characters")));
    let config = read(&[("KEY_RING", &ring("k8")), ("SECRETS", &secrets)]).unwrap();
    assert_eq!(config.keys.active(), "k8");
    let text = r#"{"KEY_RING":"none"}"#;
    assert!(read(&[("KEY_RING", ""), ("SECRETS", text)]).is_ok());
}

#[test]
fn an_error_names_the_variable_and_not_its_value() {
    for (variable, value) in [
        ("KEY_RING", "hidden-secret"),
        ("SECRETS", "hidden-secret"),
        ("ALLOWED_COUNTRY_CODES", "86,hidden-secret"),
        ("LOGIN_ENABLED", "hidden-secret"),
        ("SENDS_PER_PHONE_HOUR", "0"),
        ("SENDS_PER_PHONE_DAY", "41"),
        ("SENDS_PER_PHONE_DAY", "4"),
        ("SENDER_IDS", "[]"),
        ("SMS_TEXTS", r#"{"86":{"no-purpose":"x"}}"#),
        ("SMS_MAX_PRICE_USD", "hidden-secret"),
        ("SMS_MAX_PRICE_USD", "0"),
        ("SMS_MAX_PRICE_USD", "0.000009"),
        ("ORIGINATION_NUMBERS", r#"{"US":"hidden-secret"}"#),
        ("SMS_TEMPLATES", r#"{"IN":{"entityId":"hidden-secret"}}"#),
        ("SMS_PRICES_USD", r#"{"999":0.1}"#),
        ("ORIGIN_SECRET", "hidden-secret"),
        ("ORIGIN_SECRET", r#"{"current":"hidden-secret"}"#),
        ("TRUSTED_PROXIES", "1"),
        ("NOTIFY_OLD_NUMBER", "hidden-secret"),
        ("PASSWORD_MEMORY_KIB", "1"),
        ("PASSWORD_PASSES", "hidden-secret"),
        ("PHONE_CHANGE_CODE_SECONDS", "59"),
        ("PHONE_CHANGE_CODE_SECONDS", "601"),
        ("DYNAMODB_ATTEMPT_MS", "99"),
        ("DYNAMODB_ATTEMPT_MS", "2501"),
        ("SENDS_PER_ADDRESS_HOUR", "101"),
        ("SENDS_PER_ADDRESS_DAY", "101"),
        ("WRONG_CODES_PER_DAY", "0"),
        ("WRONG_CODES_PER_DAY", "51"),
        ("TRUSTED_PROXIES", "hidden-secret"),
        ("DAILY_SPEND_USD", "-1"),
        ("DAILY_SPEND_BY_COUNTRY_USD", r#"{"86":-1}"#),
        ("SMS_PRICES_USD", "hidden-secret"),
        ("FRAUD_GUARD", "hidden-secret"),
        ("FRAUD_UNVERIFIED_A_DAY", "0"),
        ("TEST_NUMBERS", "+8613800000000=123456"),
        ("HIDE_UNKNOWN_USERS", "hidden-secret"),
        ("SESSION_IDLE_DAYS", "0"),
        ("SESSION_IDLE_DAYS", "181"),
        ("SESSION_DAYS", "29"),
        ("SESSION_DAYS", "3651"),
        ("LOG_LEVEL", "hidden-secret"),
        ("CORS_ORIGINS", "hidden-secret"),
        ("PASSWORD_MEMORY_KIB", "65537"),
    ] {
        let error = read(&[(variable, value)]).unwrap_err().to_string();
        assert!(error.contains(variable), "{error}");
        assert!(!error.contains("hidden-secret"), "{error}");
    }
}

#[test]
fn fewer_sends_a_day_than_the_usual_hour_lower_the_hour_too() {
    let limits = read(&[("SENDS_PER_ADDRESS_DAY", "7")]).unwrap().limits;
    let events: Vec<usize> = limits
        .sends_per_source
        .limits
        .iter()
        .map(|limit| limit.events)
        .collect();
    assert_eq!(events, [7, 7]);
    let unlimited = ("SENDS_PER_ADDRESS_DAY", "0");
    let of = |changes: &[_]| read(changes).unwrap().limits.sends_per_source;
    let for_the_guard = of(&[unlimited]);
    assert!(!for_the_guard.refuse && for_the_guard.limits.len() == 1);
    assert!(of(&[unlimited, ("FRAUD_GUARD", "off")]).limits.is_empty());
}

#[test]
fn a_served_region_whose_messages_would_be_too_dear_stops_the_start_by_name() {
    let brand = ("SMS_BRAND", "x");
    for (changes, complaint) in [
        (
            vec![brand, ("ALLOWED_COUNTRY_CODES", "86,62")],
            Some("is below the price of a message to ID, 0.4000"),
        ),
        (
            vec![brand, ("ALLOWED_COUNTRY_CODES", "PH")],
            Some("is below the price of a message to PH, 0.2200"),
        ),
        (
            vec![brand, ("SMS_PRICES_USD", r#"{"86":0.2001}"#)],
            Some("is below the price of a message to CN, 0.2001"),
        ),
        (vec![brand, ("SMS_PRICES_USD", r#"{"86":0.2}"#)], None),
        (
            vec![
                brand,
                ("ALLOWED_COUNTRY_CODES", "62"),
                ("SMS_MAX_PRICE_USD", "0.41"),
            ],
            None,
        ),
        // A function that sends nothing is not told the price.
        (vec![("ALLOWED_COUNTRY_CODES", "62")], None),
    ] {
        let error = read(&changes).err().map(|error| error.to_string());
        let as_expected = match (&error, complaint) {
            (Some(error), Some(complaint)) => error.contains(complaint),
            (error, complaint) => error.is_none() && complaint.is_none(),
        };
        assert!(as_expected, "{changes:?}: {error:?}");
    }
}

#[test]
fn sms_go_out_through_the_functions_own_region_or_another() {
    let region_of = |changes: &[_]| read(changes).unwrap().aws.sms_region;
    assert_eq!(region_of(&[]), "us-east-1");
    assert_eq!(
        region_of(&[("SMS_REGION", "ap-southeast-1")]),
        "ap-southeast-1"
    );
}

#[test]
fn printing_the_configuration_shows_no_secret() {
    let printed = format!("{:?}", read(&[]).unwrap());
    assert!(
        !printed.contains("hidden-secret") && !printed.contains("QUFB"),
        "{printed}"
    );
}
