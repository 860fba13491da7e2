"""Checks of template.yaml what linters don't know: least permissions, protection, and that its optional parts work.

It reads what AWS would: the template after SAM's transform (transformed.py). That functions, crates, routes, events
and permissions agree is checked by `cargo test` (tests/api/template).
"""

import json
import re
import sys

from samcli.commands.deploy.auth_utils import auth_per_resource
from samcli.lib.providers.sam_stack_provider import SamLocalStackProvider
from transformed import ANSWERS, EVERYTHING, SOURCE, Evaluator, listed, of_type, source, transformed

# SAM gives every function's role the first for its logs, and the second where tracing is a property. CodeDeploy's role
# has the third.
AWS_POLICIES = {
    "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole",
    "arn:aws:iam::aws:policy/AWSXrayWriteOnlyAccess",
    "arn:aws:iam::aws:policy/service-role/AWSCodeDeployRoleForLambda",
}
# Who may assume the roles that are no function's.
TRUSTED = {"CodeDeployServiceRole": "codedeploy.amazonaws.com", "DeliveryLogRole": "sns.amazonaws.com"}
# The one permission that no list of resources can express: phone numbers have no ARN.
PHONE_NUMBERS = {"Fn::Sub": "arn:${AWS::Partition}:sns:*:*:*"}
SMS_REGION = {"Fn::If": ["HasSmsRegion", {"Ref": "SmsRegion"}, {"Ref": "AWS::Region"}]}
# The one denial: the operator's items are nobody else's.
OPERATORS_ITEMS = {
    "Effect": "Deny",
    "Resource": {"Fn::GetAtt": ["CodesTable", "Arn"]},
    "Action": ["dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"],
    "Condition": {"ForAnyValue:StringLike": {"dynamodb:LeadingKeys": ["control#*"]}},
}
# Functions that may write them, and what they may put.
OPERATORS_FUNCTIONS = {"AdminSupport"}
THE_STOP = {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": ["control#stop"]}}
# The key policy: the account's IAM policies decide, and CloudWatch Logs may use it for SNS's delivery logs. Its "*" is
# the key itself.
ACCOUNT = {"AWS": {"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:root"}}
LOGS = {"Service": {"Fn::Sub": "logs.${AWS::Region}.${AWS::URLSuffix}"}}

faults = []


def check(holds, fault):
    if not holds:
        faults.append(fault)


## Permissions


def statements(resources):
    """Every (where, statement) that grants something to a principal of ours."""
    for name, role in of_type(resources, "AWS::IAM::Role").items():
        for policy in role.get("Policies", []):
            for statement in listed(policy["PolicyDocument"]["Statement"]):
                yield name, statement
    for kind in ("AWS::IAM::ManagedPolicy", "AWS::IAM::Policy"):
        for name, policy in of_type(resources, kind).items():
            for statement in listed(policy["PolicyDocument"]["Statement"]):
                yield name, statement


def check_statement(where, statement):
    if statement.get("Effect") == "Deny":
        check(where == "EveryFunction" and statement == OPERATORS_ITEMS, f"{where}: an unexpected denial {statement}")
        return
    check(statement.get("Effect") == "Allow", f"{where}: a statement that neither allows nor denies")
    check("Action" in statement, f"{where}: NotAction allows what nobody listed")
    actions = listed(statement.get("Action", []))
    for action in actions:
        check("*" not in action, f"{where}: wildcard action {action}")
    if "NotResource" in statement:
        only_sms = actions == ["sns:Publish"] and statement["NotResource"] == PHONE_NUMBERS
        check(only_sms, f"{where}: {actions} on everything but {statement['NotResource']}")
        in_one_region = statement.get("Condition") == {"StringEquals": {"aws:RequestedRegion": SMS_REGION}}
        check(in_one_region, f"{where}: sns:Publish in other regions too")
        return
    check("sns:Publish" not in actions, f"{where}: sns:Publish to something that is no phone number")
    check("Resource" in statement, f"{where}: {actions} on no resource")
    for resource in listed(statement.get("Resource", [])):
        check("*" not in json.dumps(resource), f"{where}: {actions} on resource {resource}")
    stops = actions == ["dynamodb:PutItem"] and statement.get("Condition") == THE_STOP
    check("Condition" not in statement or stops, f"{where}: a condition that this check does not know")
    by_operators = where.removesuffix("Role") in OPERATORS_FUNCTIONS
    puts_codes = "dynamodb:PutItem" in actions and statement["Resource"] == OPERATORS_ITEMS["Resource"]
    check(stops or not (by_operators and puts_codes), f"{where}: it may put more than the stop")


def check_roles(resources):
    of_functions = {of["Role"]["Fn::GetAtt"][0] for of in of_type(resources, "AWS::Lambda::Function").values()}
    for name, role in of_type(resources, "AWS::IAM::Role").items():
        trusted = "lambda.amazonaws.com" if name in of_functions else TRUSTED.get(name)
        for statement in listed(role["AssumeRolePolicyDocument"]["Statement"]):
            services = statement.get("Principal", {}).get("Service")
            expected = {"Effect": "Allow", "Action": ["sts:AssumeRole"], "Principal": {"Service": services}}
            check(statement == expected, f"{name}: its trust policy says {statement}")
            check(listed(services) == [trusted], f"{name}: {services} may assume it")
        for policy in role.get("ManagedPolicyArns", []):
            check(isinstance(policy, dict) or policy in AWS_POLICIES, f"{name}: policy {policy}")
    for name, function in of_type(resources, "AWS::Lambda::Function").items():
        policies = resources[function["Role"]["Fn::GetAtt"][0]]["Properties"]["ManagedPolicyArns"]
        is_denied = {"Ref": "EveryFunction"} in policies
        check(is_denied or name in OPERATORS_FUNCTIONS, f"{name}: lacks EveryFunction, so it could write control#...")
    denials = [statement for _, statement in statements(resources) if statement.get("Effect") == "Deny"]
    check(len(denials) == 1, f"{len(denials)} denials; the one of control#... is expected")


## Protection


def check_protection(resources):
    for name, table in of_type(resources, "AWS::DynamoDB::Table").items():
        # Without a specification DynamoDB encrypts with its own key; with one, KMS costs something for each request.
        check("SSESpecification" not in table, f"{name}: a key that is not DynamoDB's own needs a reason")
    users, codes = resources["UsersTable"], resources["CodesTable"]
    recovery = users["Properties"].get("PointInTimeRecoverySpecification", {})
    check(recovery.get("PointInTimeRecoveryEnabled") is True, "UsersTable: no point-in-time recovery")
    check(users["Properties"].get("DeletionProtectionEnabled") is True, "UsersTable: no deletion protection")
    for policy in ("DeletionPolicy", "UpdateReplacePolicy"):
        check(users.get(policy) == "Retain", f"UsersTable: {policy} isn't Retain")
    ttl = codes["Properties"].get("TimeToLiveSpecification")
    check(ttl == {"AttributeName": "ttl", "Enabled": True}, f"CodesTable: TTL is {ttl}")
    for name, key in of_type(resources, "AWS::KMS::Key").items():
        # KMS rotates no key whose public half others have.
        check(key.get("EnableKeyRotation") is True or key.get("KeyUsage") == "SIGN_VERIFY", f"{name}: no rotation")
        for statement in listed(key["KeyPolicy"]["Statement"]):
            principal = statement.get("Principal")
            for_logs = principal == LOGS and "kms:EncryptionContext:aws:logs:arn" in json.dumps(statement["Condition"])
            check(principal == ACCOUNT or for_logs, f"{name}: its policy names {principal}")
    for name, log in of_type(resources, "AWS::Logs::LogGroup").items():
        check("RetentionInDays" in log, f"{name}: kept for ever")
        holds_phones = "DirectPublishToPhoneNumber" in json.dumps(log["LogGroupName"])
        check("KmsKeyId" in log or not holds_phones, f"{name}: holds phone numbers and is not encrypted by our key")
    for name, stage in of_type(resources, "AWS::ApiGatewayV2::Stage").items():
        for settings in [stage.get("DefaultRouteSettings", {}), *stage.get("RouteSettings", {}).values()]:
            limits = {"ThrottlingRateLimit", "ThrottlingBurstLimit"}
            check(limits <= set(settings), f"{name}: routes without throttling")


## Deployment


def check_guided_deployment():
    """`sam deploy --guided` takes a route that doesn't say who may call it for a mistake unless one answers y."""
    stacks, _ = SamLocalStackProvider.get_stacks(str(SOURCE))
    for name, is_told in auth_per_resource(stacks):
        check(is_told, f"{name}: sam deploy --guided would ask whether it may go without authentication")


def check_rules(template):
    """The rules outlive the transform, and stop what they should stop and nothing else."""
    for change, stops in [
        ({}, 0),
        ({"TrustedProxies": "1"}, 1),
        ({"TrustedProxies": "1", "RequireOriginSecret": "true"}, 0),
        ({"RequireOriginSecret": "true"}, 0),
        ({"DomainName": "api.example.com"}, 1),
        ({"DomainName": "api.example.com", "CertificateArn": "arn"}, 0),
        ({"DisableDefaultEndpoint": "true"}, 1),
        ({"DisableDefaultEndpoint": "true", "DomainName": "api.example.com", "CertificateArn": "arn"}, 0),
        ({"TrustedProxies": "2", "DisableDefaultEndpoint": "true"}, 2),
    ]:
        broken = list(Evaluator(template, ANSWERS | change).broken_rules())
        check(len(broken) == stops, f"with {change} the rules stop for {broken or 'nothing'}; {stops} were expected")


def check_conditions(template):
    """What is made with which parameters."""
    deliveries = {"DeliveryLog", "FailureLog", "DeliveryLogRole", "UndeliveredAlarm", "SpendNearLimitAlarm"}
    for change, made, not_made in [
        ({}, {"UsersTable", "AlarmTopic"} | deliveries, {"ApiDomain", "OriginSecret"}),
        ({"AlarmEmail": "none"}, {"ServerErrorsAlarm"}, {"AlarmTopic"}),
        ({"AlarmTopicArn": "arn:aws:sns:us-east-1:123456789012:ours"}, set(), {"AlarmTopic"}),
        ({"UsersTableName": "users-restored"}, {"CodesTable"}, {"UsersTable"}),
        ({"DeliveryLogs": "false"}, set(), deliveries),
        ({"SmsRegion": "us-east-1"}, deliveries, set()),
        ({"SmsRegion": "eu-west-1"}, set(), deliveries),
        ({"DomainName": "api.example.com"}, {"ApiDomain", "ApiDomainMapping"}, set()),
        ({"RequireOriginSecret": "true"}, {"OriginSecret"}, set()),
    ]:
        resources = set(Evaluator(template, ANSWERS | change).resources())
        check(made <= resources, f"with {change} {made - resources} is not made")
        check(not not_made & resources, f"with {change} {not_made & resources} is made")


def check_references(template):
    """What a condition makes is named only where the same condition holds, or CloudFormation stops."""
    for change in ({}, {"DeliveryLogs": "false", "UsersTableName": "users-restored", "AlarmEmail": "none"}, EVERYTHING):
        evaluator = Evaluator(template, ANSWERS | change)
        made = evaluator.resources()
        missing = set(template["Resources"]) - set(made)
        for name, resource in made.items():
            broken = {each for each in references(resource, evaluator) if each in missing}
            check(not broken, f"with {change} {name} refers to {broken}, which isn't made")


def references(value, evaluator=None):
    """The names that a value refers to; with an evaluator, in the branches that are taken."""
    if isinstance(value, list):
        for each in value:
            yield from references(each, evaluator)
    if not isinstance(value, dict):
        return
    for key, of in value.items():
        match key:
            case "Ref":
                yield of
            case "Fn::GetAtt":
                yield of[0] if isinstance(of, list) else of.split(".")[0]
            case "Fn::Sub":
                text, own = of if isinstance(of, list) else (of, {})
                names = {name.split(".")[0] for name in re.findall(r"\$\{([\w:.]+)\}", text)}
                yield from names - set(own)
                yield from references(own, evaluator)
            case "DependsOn":
                yield from listed(of)
            case "Fn::If" if evaluator:
                yield from references(of[1 if evaluator.condition(of[0]) else 2], evaluator)
            case _:
                yield from references(of, evaluator)


def check_cycles(template):
    """CloudFormation refuses circles; an alias refers to its deployment group in UpdatePolicy, where linters don't look."""
    resources = template["Resources"]
    after = {name: {each for each in references(of) if each in resources} for name, of in resources.items()}
    while free := {name for name, needs in after.items() if not needs & after.keys()}:
        after = {name: needs for name, needs in after.items() if name not in free}
    check(not after, f"resources that need each other: {sorted(after)}")


def check_versions(template):
    """Whatever changes a function makes another version of it, so the alias never stays with the old one."""
    resources = template["Resources"]
    functions, versions = (of_type(resources, f"AWS::Lambda::{kind}") for kind in ("Function", "Version"))
    for kind in ("AWS::Lambda::Version", "AWS::Lambda::Alias", "AWS::CodeDeploy::DeploymentGroup"):
        count = len(of_type(resources, kind))
        check(count == len(functions), f"{count} of {kind} for {len(functions)} functions")
    output = set(references(template["Outputs"]["Versions"]))
    check(output == set(versions), f"the output Versions differs from the versions: {output ^ set(versions)}")

    # Another text: SAM gives the version another logical ID.
    changed = source()
    changed["Globals"]["Function"]["Environment"]["Variables"]["METRICS_NAMESPACE"] = "another"
    same = set(versions) & set(of_type(transformed(template=changed)["Resources"], "AWS::Lambda::Version"))
    check(not same, f"another template makes no other version of {sorted(same)}")

    # Another parameter: it is in Configuration, whose contents CloudFormation replaces and never changes. So it gets
    # another number. The number is in the function, so there is something to publish, and in the version, whose
    # description CloudFormation replaces too.
    number = {"Fn::Sub": "configuration ${Configuration}"}
    for name, properties in {**functions, **versions}.items():
        check(properties.get("Description") == number, f"{name}: its description doesn't have Configuration's number")
    configuration = resources["Configuration"]
    check(configuration["Type"] == "AWS::AppConfig::HostedConfigurationVersion", "Configuration isn't a version")
    recorded = set(references(configuration["Properties"]["Content"]))
    read_by = [*functions.values(), resources["FunctionSecrets"]["Properties"]]
    read = set().union(*(parameters_of(properties, template) for properties in read_by))
    check(recorded == read, f"Configuration and the functions' parameters differ: {recorded ^ read}")
    check({"LoginEnabled", "KeyRingVersion", "Memory", "SmsRegion"} <= recorded, "the check sees no parameters")


def parameters_of(function, template):
    """The parameters that a version of the function depends on, by reference or by condition."""
    names = set(references({key: of for key, of in function.items() if key != "ReservedConcurrentExecutions"}))
    for condition in re.findall(r'"Fn::If": \["(\w+)"', json.dumps(function)):
        if condition != "HasReservedConcurrency":
            names |= set(references(template["Conditions"][condition]))
    return names & set(template["Parameters"])


def check_import(template):
    """API Gateway warns of servers without a url, which is how SAM writes DisableExecuteApiEndpoint."""
    for name, api in of_type(template["Resources"], "AWS::ApiGatewayV2::Api").items():
        fails = api.get("FailOnWarnings") is True
        warns = any("url" not in server for server in api["Body"].get("servers", []))
        check(not (fails and warns), f"{name}: its import would fail on a warning")


def check_traffic_shifting(template):
    for name, group in of_type(template["Resources"], "AWS::CodeDeploy::DeploymentGroup").items():
        condition, watched, otherwise = group["AlarmConfiguration"]["Fn::If"]
        alarms = [alarm["Name"] for alarm in watched["Alarms"]]
        check((condition, otherwise) == ("ShiftsTraffic", {}), f"{name}: a sounding alarm would stop every deployment")
        by_name = {"Fn::Sub": "${AWS::StackName}-server-errors"}
        check(alarms == [{"Ref": "InternalErrorsAlarm"}, by_name], f"{name}: watches {alarms}")
        check("DEPLOYMENT_STOP_ON_ALARM" in group["AutoRollbackConfiguration"]["Events"], f"{name}: no way back")
    alarm = template["Resources"]["ServerErrorsAlarm"]["Properties"]
    check(alarm["AlarmName"] == by_name, f"ServerErrorsAlarm is called {alarm['AlarmName']}, which nothing watches")
    for kind in source()["Parameters"]["TrafficShifting"]["AllowedValues"]:
        groups = of_type(transformed(ANSWERS | {"TrafficShifting": kind})["Resources"], "AWS::CodeDeploy::DeploymentGroup")
        expected = {"Fn::Sub": ["CodeDeployDefault.Lambda${ConfigName}", {"ConfigName": kind}]}
        check(groups["LoginDeploymentGroup"]["DeploymentConfigName"] == expected, f"SAM doesn't know {kind}")


def main():
    template = transformed()
    resources = template["Resources"]
    for where, statement in statements(resources):
        check_statement(where, statement)
    check_roles(resources)
    check_protection(resources)
    check_guided_deployment()
    check_rules(template)
    check_conditions(template)
    check_references(template)
    check_cycles(template)
    check_versions(template)
    check_import(template)
    check_traffic_shifting(template)
    print("\n".join(faults) or "template.yaml is sound")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
