"""Holds template.yaml to what linters don't know: least permissions, protection, and one list of functions.

It reads what AWS would: the template after SAM's transform, with Globals merged and roles made. Needs the
Python of aws-sam-cli (SAM's translator and YAML reader come with it).

Where target/calls.json is present, each function's permissions are held to the calls that the API tests saw it
make, both ways: {"send-login-message": ["dynamodb:BatchGetItem users", "sns:Publish", ...]}. An entry is the
IAM action and, for DynamoDB, the table (`users` is UsersTable); what a transaction does is recorded as the
actions of its parts (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis-iam.html).
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


def pascal_case(name):
    return "".join(word.capitalize() for word in name.split("-"))


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


def granted(resources, function):
    """The function's permissions, as calls.json writes them."""
    role = resources[f"{function}Role"]["Properties"]
    documents = [policy["PolicyDocument"] for policy in role.get("Policies", [])]
    for policy in role["ManagedPolicyArns"]:
        if isinstance(policy, dict):
            documents.append(resources[policy["Ref"]]["Properties"]["PolicyDocument"])
        else:
            check(policy in AWS_POLICIES, f"{function}: policy {policy}")
    permissions = set()
    for statement in (statement for document in documents for statement in listed(document["Statement"])):
        for action in listed(statement.get("Action", [])):
            for resource in listed(statement.get("Resource", "")):
                table = resource.get("Fn::GetAtt", [""])[0] if isinstance(resource, dict) else ""
                table = f" {table.removesuffix('Table').lower()}" if action.startswith("dynamodb:") else ""
                permissions.add(action + table)
    return permissions


def check_calls(resources, functions):
    path = ROOT / "target/calls.json"
    if not path.exists():
        print("target/calls.json is absent: permissions aren't compared with calls (the API tests write it)")
        return
    calls = json.loads(path.read_text())
    for function in functions:
        # kms:Decrypt is Lambda's, when it reads the environment.
        permissions = granted(resources, pascal_case(function)) - {"kms:Decrypt"}
        made = set(calls.get(function, []))
        for call in sorted(made - permissions):
            faults.append(f"{function}: calls {call} without permission")
        for permission in sorted(permissions - made):
            faults.append(f"{function}: has permission {permission} but never calls it")
    for stranger in sorted(set(calls) - set(functions)):
        faults.append(f"{stranger}: makes calls but is no function")


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


## One list of functions: crates, resources, routes, events


def routes(resources):
    """(function resource, route key) for every route of every API."""
    for api in of_type(resources, "AWS::ApiGatewayV2::Api").values():
        for path, methods in api["Body"]["paths"].items():
            for method, operation in methods.items():
                uri = operation["x-amazon-apigateway-integration"]["uri"]["Fn::Sub"]
                yield uri.split("functions/${")[1].split(".Arn}")[0], f"{method.upper()} {path}"


def check_functions(template, resources, functions):
    wanted = {pascal_case(function): function for function in functions}
    deployed = of_type(resources, "AWS::Lambda::Function")
    events = {path.stem for path in (ROOT / "events").glob("*.json")} - {"local-env"}
    for name in sorted(set(deployed) - set(wanted)):
        faults.append(f"{name}: in template.yaml, but it has no directory in functions/")
    for name in sorted(set(wanted) - set(deployed)):
        faults.append(f"{wanted[name]}: in functions/, but {name} isn't in template.yaml")
    for name in sorted(events - set(functions)):
        faults.append(f"events/{name}.json: no function has that name")
    for name in sorted(set(functions) - events):
        faults.append(f"{name}: no events/{name}.json")

    routed = {}
    for resource, route in routes(resources):
        routed.setdefault(resource, []).append(route)
    local = json.loads((ROOT / "events/local-env.json").read_text())["Parameters"]
    # What the Globals don't hold is about SMS, and all of it goes to those who send.
    common = set(template["Globals"]["Function"]["Environment"]["Variables"])
    sms = set().union(*(deployed[name]["Environment"]["Variables"] for name in deployed)) - common
    for resource in sorted(set(wanted) & set(deployed)):
        function, properties = wanted[resource], deployed[resource]
        code = template["Resources"][resource]["Properties"]["CodeUri"]
        check(code == f"target/lambda/{function}/", f"{function}: CodeUri is {code}")
        check("KmsKeyArn" in properties, f"{function}: environment under no key of ours")
        check("LoggingConfig" in properties, f"{function}: logs to no group of ours")

        variables = set(properties["Environment"]["Variables"])
        sends = "sns:Publish" in granted(resources, resource)
        check(variables - common == (sms if sends else set()), f"{function}: sends SMS: {sends}, but has {sorted(variables)}")
        # `sam local` hands over only what the template names.
        for name in sorted(set(local) - variables):
            faults.append(f"{function}: events/local-env.json sets {name}, which the template doesn't name")

        own = routed.get(resource, [])
        event = json.loads((ROOT / f"events/{function}.json").read_text()) if function in events else {}
        if "routeKey" not in event:
            check(not own, f"events/{function}.json: asks for none of its routes, {own}")
        else:
            check(own, f"{function}: no route")
            check(event["version"] == "2.0", f"events/{function}.json: version {event['version']}")
            http = event["requestContext"]["http"]
            for key in {event["routeKey"], event["requestContext"]["routeKey"], f"{http['method']} {event['rawPath']}"}:
                check(key in own, f"events/{function}.json: {key} is none of its routes, {own}")


def main():
    text = (ROOT / "template.yaml").read_text()
    template, resources = yaml_parse(text), transformed(yaml_parse(text))
    functions = sorted(path.name for path in (ROOT / "functions").iterdir() if path.is_dir())
    for where, statement in statements(resources):
        check_statement(where, statement)
    check_protection(resources)
    check_guided_deployment()
    check_functions(template, resources, functions)
    if not faults:  # only a sound template has a role for every function
        check_calls(resources, functions)
    print("\n".join(faults) or f"template.yaml is sound: {len(functions)} functions")
    return 1 if faults else 0


sys.exit(main())
