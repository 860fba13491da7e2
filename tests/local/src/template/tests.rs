use super::*;

const TEMPLATE: &str = r#"
Parameters:
  Brand: {Type: String, Default: Latchkey}
  Sends: {Type: Number, Default: 5}
  Domain: {Type: String, Default: ""}
  Mail: {Type: String}
Conditions:
  NoDomain: !Equals [!Ref Domain, ""]
  HasDomain: !Not [!Equals [!Ref Domain, ""]]
Globals:
  Function:
    Environment:
      Variables:
        CODES_TABLE: !Ref CodesTable
        KEY_RING: !Sub "{{resolve:secretsmanager:${KeyRing}:SecretString}}"
        PLAIN_SECRET: "{{resolve:secretsmanager:KeyRing:SecretString}}"
        SENDS: !Ref Sends
        BRAND: !Ref Brand
Resources:
  KeyRing: {Type: AWS::SecretsManager::Secret}
  SendChangePasswordMessage2:
    Type: AWS::Serverless::Function
    Properties:
      Environment:
        Variables:
          BRAND: !Sub "${Brand} & ${Sends}"
          LONG: {"Fn::Sub": "${Brand}"}
          NUMBER: 0.20
          FLAG: true
          MAIL: !Ref Mail
          ARN: !GetAtt CodesTable.Arn
          NOT_SET: !Ref AWS::NoValue
          IF: !If [NoDomain, none, !Ref Domain]
          IF_NOT: !If [HasDomain, !Ref Domain, none]
          IF_UNKNOWN: !If [Nowhere, a, b]
      Events:
        Post: {Type: HttpApi, Properties: {ApiId: !Ref Api, Method: post, Path: /v1/send}}
        Timer: {Type: Schedule, Properties: {Schedule: rate(1 day)}}
  CodesTable:
    Type: AWS::DynamoDB::Table
    Properties:
      AttributeDefinitions: [{AttributeName: pk, AttributeType: S}]
      KeySchema: [{AttributeName: pk, KeyType: HASH}]
      TimeToLiveSpecification: {AttributeName: ttl, Enabled: true}
"#;

fn parsed() -> Template {
    Template::parse(TEMPLATE, TABLE_PREFIX).expect("the template is understood")
}

fn variable(name: &str) -> Option<String> {
    parsed().functions[0].environment[name].clone()
}

#[test]
fn a_function_has_the_name_of_its_directory_and_its_routes() {
    let function = &parsed().functions[0];
    assert_eq!(function.resource, "SendChangePasswordMessage2");
    assert_eq!(function.name, "send-change-password-message2");
    let route = Route {
        method: "POST".to_owned(),
        path: "/v1/send".to_owned(),
    };
    assert_eq!(function.routes, [route]);
}

#[test]
fn a_table_has_a_local_name_its_key_and_its_ttl() {
    let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    let table = Table {
        resource: "CodesTable".to_owned(),
        name: "latchkey-codes".to_owned(),
        key: vec![pair("pk", "HASH")],
        attributes: vec![pair("pk", "S")],
        ttl: Some("ttl".to_owned()),
    };
    assert_eq!(parsed().tables, [table]);
}

#[test]
fn values_that_do_not_depend_on_aws_are_evaluated() {
    for (name, value) in [
        ("CODES_TABLE", "latchkey-codes"),
        ("SENDS", "5"),
        ("BRAND", "Latchkey & 5"),
        ("LONG", "Latchkey"),
        ("NUMBER", "0.2"),
        ("FLAG", "true"),
        ("IF", "none"),
        ("IF_NOT", "none"),
    ] {
        assert_eq!(variable(name).as_deref(), Some(value), "{name}");
    }
}

#[test]
fn values_that_only_aws_knows_are_none() {
    for name in [
        "KEY_RING",
        "PLAIN_SECRET",
        "MAIL",
        "ARN",
        "NOT_SET",
        "IF_UNKNOWN",
    ] {
        assert_eq!(variable(name), None, "{name}");
    }
}

#[test]
fn the_error_of_a_broken_template_is_one_line() {
    let broken = |template: &str| {
        let why = Template::parse(template, TABLE_PREFIX).expect_err("it is broken");
        let error = TemplateError {
            path: "template.yaml".into(),
            why,
        };
        let line = error.to_string();
        assert!(!line.contains('\n'), "{line}");
        line
    };
    assert!(broken("Resources: [").contains("is not YAML"));
    assert!(broken("Parameters: {}").contains("no Resources"));
    let no_path = TEMPLATE.replace(", Path: /v1/send", "");
    assert!(broken(&no_path).contains("SendChangePasswordMessage2"));
    let no_key = TEMPLATE.replace("KeySchema", "Keys");
    assert!(broken(&no_key).contains("CodesTable lacks KeySchema"));
}

#[test]
fn a_greedy_path_leads_all_that_lies_below() {
    let route = |method: &str, path: &str| Route {
        method: method.to_owned(),
        path: path.to_owned(),
    };
    let any = route("ANY", "/auth/v1/{proxy+}");
    assert!(any.leads(&route("GET", "/auth/v1/a")));
    assert!(any.leads(&route("DELETE", "/auth/v1/a/b")));
    for other in ["/auth/v1/", "/auth/v1", "/auth/v2/a", "/x/auth/v1/a"] {
        assert!(!any.leads(&route("GET", other)), "{other}");
    }
    assert!(!route("POST", "/auth/v1/{proxy+}").leads(&route("GET", "/auth/v1/a")));
    assert!(!route("GET", "/v1/send").leads(&route("GET", "/v1/send")));
}

#[test]
fn a_route_can_have_a_throttle_of_its_own() {
    let text = TEMPLATE.to_owned()
        + r#"
  Api:
    Type: AWS::Serverless::HttpApi
    Properties:
      DefaultRouteSettings: {ThrottlingRateLimit: 50, ThrottlingBurstLimit: 100}
      RouteSettings:
        POST /v1/send: {ThrottlingRateLimit: !Ref Sends, ThrottlingBurstLimit: 7}
"#;
    let template = Template::parse(&text, TABLE_PREFIX).expect("it is understood");
    let route = &template.functions[0].routes[0];
    let of_route = Throttle { rate: 5, burst: 7 };
    assert_eq!(template.route_throttles.get(route), Some(&of_route));
    let others = Throttle {
        rate: 50,
        burst: 100,
    };
    assert_eq!(template.throttle, Some(others));
}
