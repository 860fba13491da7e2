//! SNS as the SDK sees it.

#![allow(clippy::unwrap_used)] // a test fails by panicking

use std::net::Ipv4Addr;

use aws_sdk_sns::{
    Client, Config,
    config::{BehaviorVersion, Credentials, Region},
    operation::publish::PublishError,
    types::MessageAttributeValue,
};
use local::{Clock, Inbox, sns};

#[tokio::test]
async fn publish_delivers_what_is_valid_and_refuses_the_rest() {
    let inbox = Inbox::default();
    let address = (Ipv4Addr::LOCALHOST, 0).into();
    let server = sns::start(address, inbox.clone(), Clock::default())
        .await
        .unwrap();
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static("us-east-1"))
        .credentials_provider(Credentials::new("local", "local", None, None, "test"))
        .endpoint_url(server.url());
    let client = Client::from_conf(config.build());

    let kind = MessageAttributeValue::builder()
        .data_type("String")
        .string_value("Transactional");
    let sent = client
        .publish()
        .phone_number("+8613800138001")
        .message("验证码 123456 & <more>")
        .message_attributes("AWS.SNS.SMS.SMSType", kind.build().unwrap())
        .send()
        .await
        .unwrap();
    assert!(sent.message_id.is_some());

    let refused = client
        .publish()
        .phone_number("<13800138001>")
        .message("hello")
        .send()
        .await;
    match refused.unwrap_err().into_service_error() {
        PublishError::InvalidParameterException(error) => assert_eq!(
            error.message.as_deref(),
            Some("Invalid parameter: PhoneNumber Reason: <13800138001> is not valid to publish to")
        ),
        other => panic!("{other:?}"),
    }

    let messages = inbox.messages();
    assert_eq!(messages.len(), 1);
    assert_eq!(messages, inbox.to("+8613800138001"));
    assert_eq!(messages[0].message, "验证码 123456 & <more>");
    assert_eq!(
        messages[0].attributes["AWS.SNS.SMS.SMSType"],
        "Transactional"
    );
}
