//! The fields: `mcode`, `mobile`, `verify_code`.

use serde_json::{Value, json};

use crate::support::{
    FORM, TestApp,
    mobile::{FREE, MOBILE, VERIFY_CODE},
    scenario,
};

/// Posts each of these as one field of an otherwise valid body, to both endpoints.
async fn field_gets(app: &TestApp, field: &str, values: &[Value], code: &str, msg: &str) {
    let session = app.session_of_eric().await;
    for path in [VERIFY_CODE, MOBILE] {
        let good = json!({"mcode": "+86", "mobile": FREE, "verify_code": "123456"});
        for value in values {
            let mut body = good.clone();
            body[field] = value.clone();
            let answer = app.post_in_session(path, &session, body).await;
            assert_eq!(answer.body["code"], code, "{path} {field}: {value}");
            answer.assert_c(code, msg);
        }
    }
    assert!(app.inbox().messages().is_empty());
    let read = app.calls().0;
    let read = read
        .iter()
        .filter(|call| ["verify-code", "mobile"].contains(&call.caller.as_str()));
    // One read each, for the token's account.
    assert_eq!(read.count(), 2 * values.len());
}

#[tokio::test]
async fn mcode_must_be_required() {
    let nothing = [json!(null), json!(""), json!(" "), json!("\t\n")];
    scenario(async |app| {
        field_gets(app, "mcode", &nothing, "400104", "mcode must be required").await;
        let session = app.session_of_eric().await;
        for body in [
            json!({"mobile": FREE}),
            json!({"Mcode": "+86", "mobile": FREE}),
        ] {
            let answer = app.post_in_session(VERIFY_CODE, &session, body).await;
            answer.assert_c("400104", "mcode must be required");
        }
        let bearer = format!("Bearer {session}");
        let headers = [FORM, ("authorization", bearer.as_str())];
        for form in ["mobile=18518768888", "mcode=&mobile=18518768888"] {
            let answer = app.post_raw(VERIFY_CODE, &headers, form).await;
            answer.assert_c("400104", "mcode must be required");
        }
    })
    .await;
}

#[tokio::test]
async fn mcode_must_be_valid() {
    let malformed = [
        json!("86"),
        json!("+"),
        json!("++86"),
        json!("+8a"),
        json!("+ 86"),
        json!("+86 1"),
        json!("+8600"),
        json!("0086"),
        json!("-86"),
        json!("+８６"),
        json!("中国"),
        // The form is right, but it is no country or not served.
        json!("+0"),
        json!("+086"),
        json!("+44"),
        json!("+1"),
        json!(86),
        json!(-86),
        json!(true),
        json!(["+86"]),
        json!({"code": "+86"}),
    ];
    scenario(async |app| {
        field_gets(app, "mcode", &malformed, "400105", "mcode must be valid").await;
        // A plus that is not encoded is a space in a form.
        let bearer = format!("Bearer {}", app.session_of_eric().await);
        let headers = [FORM, ("authorization", bearer.as_str())];
        let form = "mcode=+86&mobile=18518768888";
        let answer = app.post_raw(VERIFY_CODE, &headers, form).await;
        answer.assert_c("400105", "mcode must be valid");
    })
    .await;
}

#[tokio::test]
async fn mobile_must_be_required() {
    let nothing = [json!(null), json!(""), json!(" "), json!("\t\n")];
    scenario(async |app| {
        field_gets(app, "mobile", &nothing, "400106", "mobile must be required").await;
        let session = app.session_of_eric().await;
        let body = json!({"mcode": "+86", "phone": FREE});
        let answer = app.post_in_session(VERIFY_CODE, &session, body).await;
        answer.assert_c("400106", "mobile must be required");
    })
    .await;
}

#[tokio::test]
async fn mobile_must_be_valid() {
    let malformed = [
        json!("1851876888"),
        json!("185187688888"),
        json!("12518768888"),
        json!("28518768888"),
        json!("+868618518768888"),
        json!("0018518768888"),
        json!("+18518768888"),
        json!("185.1876.8888"),
        json!("1851876888x"),
        json!("手机"),
        json!(1_851_876_888),
        json!(1.85e12),
        json!(-1),
        json!(true),
        json!([FREE]),
        json!({"number": FREE}),
    ];
    scenario(async |app| {
        field_gets(app, "mobile", &malformed, "400107", "mobile must be valid").await;
    })
    .await;
}

#[tokio::test]
async fn mcode_and_mobile_may_have_space_around_them_and_mobile_may_be_a_number() {
    scenario(async |app| {
        let session = app.session_of_eric().await;
        for body in [
            json!({"mcode": " +86 ", "mobile": "\t18518768888\n"}),
            json!({"mcode": "+86", "mobile": 18_518_768_888_u64, "unknown": [1]}),
        ] {
            let answer = app.post_in_session(VERIFY_CODE, &session, body).await;
            answer.assert_c_success();
            app.wait(60);
        }
        assert_eq!(app.texts(FREE).len(), 2);
    })
    .await;
}

#[tokio::test]
async fn verify_code_must_be_a_string_of_at_most_six_characters() {
    scenario(async |app| {
        let session = app.session_of_eric().await;
        let code = app.phone_change_code(&session, FREE).await;
        let number: u32 = code.parse().unwrap();
        let refused = async |value: Value, code: &str, msg: &str| {
            let body = json!({"mcode": "+86", "mobile": FREE, "verify_code": value});
            let answer = app.post_in_session(MOBILE, &session, body).await;
            assert_eq!(answer.body["code"], code, "{value}");
            answer.assert_c(code, msg);
        };
        for nothing in [json!(null), json!(""), json!("  "), json!("验证码")] {
            refused(nothing, "400108", "verify_code must be required").await;
        }
        for no_string in [
            json!(number),
            json!(0),
            json!(1_234_567),
            json!(true),
            json!([code]),
            json!({"code": code}),
        ] {
            refused(no_string, "400109", "verify_code must be string").await;
        }
        for long in [format!("{code}0"), "abcdefg".into(), "验".repeat(7)] {
            let msg = "verify_code length must be less than 6";
            refused(json!(long), "400110", msg).await;
        }
        // Nothing of it counted as a try.
        let slot = format!("change-phone#5#+86{FREE}");
        assert_eq!(app.wrong_tries(&slot).await, "0");
        let moved = app.change_phone(&session, FREE, &format!(" {code} ")).await;
        moved.assert_c_success();
    })
    .await;
}
