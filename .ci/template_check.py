"""Checks of template.yaml what linters don't know: least permissions and protection.

It reads what AWS would: the template after SAM's transform, with Globals merged and roles made. Needs the
Python of aws-sam-cli (SAM's translator and YAML reader come with it). That functions, crates, routes, events
and permissions agree is checked by `cargo test` (tests/api/template).
"""

import json
import pathlib
import sys

from samcli.commands.deploy.auth_utils import auth_per_resource
from samcli.lib.providers.sam_stack_provider import SamLocalStackProvider
from samcli.yamlhelper import yaml_parse
from samtranslator.translator.transform import transform

ROOT = pathlib.Path(__file__).resolve().parent.parent

# SAM gives every role the first for its logs, and the second where tracing is on.
AWS_POLICIES = {
    "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole",
    "arn:aws:iam::aws:policy/AWSXrayWriteOnlyAccess",
}
# The one permission that no list of resources can express: phone numbers have no ARN.
PHONE_NUMBERS = {"Fn::Sub": "arn:${AWS::Partition}:sns:*:*:*"}
# A key policy that lets the account's IAM policies decide; its "*" is the key itself.
ACCOUNT = {"AWS": {"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:root"}}

faults = []


def check(holds, fault):
    if not holds:
        faults.append(fault)


def listed(value):
    return value if isinstance(value, list) else [value]


class NoManagedPolicies:
    """The template names managed policies by ARN or reference, so SAM has none to look up."""

    def load(self):
        return {}


def transformed(template):
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = "s3://bucket/key"  # the translator comes after the upload
    return transform(template, {}, NoManagedPolicies())["Resources"]


def of_type(resources, kind):
    return {name: resource["Properties"] for name, resource in resources.items() if resource["Type"] == kind}


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
    check(statement.get("Effect") == "Allow", f"{where}: a statement that doesn't allow")
    check("Action" in statement, f"{where}: NotAction allows what nobody listed")
    actions = listed(statement.get("Action", []))
    for action in actions:
        check("*" not in action, f"{where}: wildcard action {action}")
    if "NotResource" in statement:
        only_sms = actions == ["sns:Publish"] and statement["NotResource"] == PHONE_NUMBERS
        check(only_sms, f"{where}: {actions} on everything but {statement['NotResource']}")
        return
    check("sns:Publish" not in actions, f"{where}: sns:Publish to something that is no phone number")
    for resource in listed(statement["Resource"]):
        check("*" not in json.dumps(resource), f"{where}: {actions} on resource {resource}")


def check_managed_policies(resources):
    for name, role in of_type(resources, "AWS::IAM::Role").items():
        for policy in role["ManagedPolicyArns"]:
            check(isinstance(policy, dict) or policy in AWS_POLICIES, f"{name}: policy {policy}")


## Protection


def check_protection(resources):
    for name, table in of_type(resources, "AWS::DynamoDB::Table").items():
        check(table.get("SSESpecification", {}).get("SSEEnabled") is True, f"{name}: not encrypted")
    users, codes = resources["UsersTable"], resources["CodesTable"]
    recovery = users["Properties"].get("PointInTimeRecoverySpecification", {})
    check(recovery.get("PointInTimeRecoveryEnabled") is True, "UsersTable: no point-in-time recovery")
    check(users["Properties"].get("DeletionProtectionEnabled") is True, "UsersTable: no deletion protection")
    for policy in ("DeletionPolicy", "UpdateReplacePolicy"):
        check(users.get(policy) == "Retain", f"UsersTable: {policy} isn't Retain")
    ttl = codes["Properties"].get("TimeToLiveSpecification")
    check(ttl == {"AttributeName": "ttl", "Enabled": True}, f"CodesTable: TTL is {ttl}")
    for name, key in of_type(resources, "AWS::KMS::Key").items():
        check(key.get("EnableKeyRotation") is True, f"{name}: no rotation")
        for statement in listed(key["KeyPolicy"]["Statement"]):
            check(statement.get("Principal") == ACCOUNT, f"{name}: its policy names {statement.get('Principal')}")
    for name, log in of_type(resources, "AWS::Logs::LogGroup").items():
        check("RetentionInDays" in log, f"{name}: kept for ever")
    for name, stage in of_type(resources, "AWS::ApiGatewayV2::Stage").items():
        for settings in [stage.get("DefaultRouteSettings", {}), *stage.get("RouteSettings", {}).values()]:
            limits = {"ThrottlingRateLimit", "ThrottlingBurstLimit"}
            check(limits <= set(settings), f"{name}: routes without throttling")


## Deployment


def check_guided_deployment():
    """`sam deploy --guided` takes a route that doesn't say who may call it for a mistake unless one answers y."""
    stacks, _ = SamLocalStackProvider.get_stacks(str(ROOT / "template.yaml"))
    for name, is_told in auth_per_resource(stacks):
        check(is_told, f"{name}: sam deploy --guided would ask whether it may go without authentication")


def main():
    text = (ROOT / "template.yaml").read_text()
    resources = transformed(yaml_parse(text))
    for where, statement in statements(resources):
        check_statement(where, statement)
    check_managed_policies(resources)
    check_protection(resources)
    check_guided_deployment()
    print("\n".join(faults) or "template.yaml is sound")
    return 1 if faults else 0


sys.exit(main())
