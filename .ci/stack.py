"""Makes the stack in moto, as far as moto knows its resources, and follows the runbooks there.

  stack.py                creates the stack, looks at what was made, and runs the commands of DEPLOY.md and OPERATIONS.md
                          that moto knows, with AWS's own client
  stack.py deploy ...     what `sam deploy --parameter-overrides ...` does, without an upload: those commands call it

CloudFormation in moto creates real resources from the template, in order and with references and conditions resolved.
It proves that the template can be made, not that AWS accepts every value: cfn-lint looks at those.
"""

import io
import json
import os
import re
import subprocess
import sys
import time
import zipfile

import boto3
from guided import fail, moto
from transformed import ANSWERS, EVERYTHING, ROOT, listed, of_type, transformed

STACK = "latchkey"
PAGES = ["functions/DEPLOY.md", "functions/OPERATIONS.md"]

# What moto's CloudFormation can't make. All else is made.
NOT_MADE = {
    "AWS::ApiGatewayV2::Api": "moto has no model of it",
    "AWS::ApiGatewayV2::ApiMapping": "moto has no model of it",
    "AWS::ApiGatewayV2::DomainName": "moto has no model of it",
    "AWS::ApiGatewayV2::Stage": "moto has no model of it",
    "AWS::AppConfig::Application": "moto has no model of it",
    "AWS::AppConfig::ConfigurationProfile": "moto has no model of it",
    "AWS::AppConfig::HostedConfigurationVersion": "moto has no model of it",
    "AWS::CloudWatch::Alarm": "moto has no model of it",
    "AWS::CodeDeploy::Application": "moto has no model of it",
    "AWS::CodeDeploy::DeploymentGroup": "moto has no model of it",
    "AWS::Lambda::Alias": "moto has no model of it",
    "AWS::Logs::MetricFilter": "moto has no model of it",
    "AWS::SecretsManager::Secret": "moto has no model of it; secrets of the same shape are made beside the stack",
}


DYNAMIC = re.compile(r"\{\{resolve:secretsmanager:(?P<arn>arn:[^}]*?):SecretString:::(\$\{(?P<version>\w+)\})?\}\}")


def without_unknown_types(template, parameters):
    """The template without what moto can't make; what refers to such a resource gets a stand-in.

    Dynamic references, which moto leaves as they are, get the secret's text.
    """
    kinds = {name: resource["Type"] for name, resource in template["Resources"].items()}
    gone = {name for name, kind in kinds.items() if kind in NOT_MADE}
    secrets = boto3.client("secretsmanager")

    def stand_in(name):
        if kinds[name] == "AWS::SecretsManager::Secret":
            return secrets.describe_secret(SecretId=name)["ARN"]
        if kinds[name] == "AWS::Lambda::Alias":
            return {"Ref": name.removesuffix("Aliaslive")}
        return f"{name}-stand-in"

    def secret_text(reference):
        version = parameters.get(reference["version"]) or None
        wanted = {"SecretId": reference["arn"]} | ({"VersionId": version} if version else {})
        return secrets.get_secret_value(**wanted)["SecretString"]

    def replaced(value):
        if isinstance(value, list):
            return [replaced(each) for each in value]
        if not isinstance(value, dict):
            return value
        match value:
            case {"Ref": name} if name in gone:
                return stand_in(name)
            case {"Fn::GetAtt": [name, attribute]} if name in gone:
                return f"{name}-{attribute}-stand-in"
            case {"Fn::Sub": str(text)}:
                for name in gone:
                    text = re.sub(rf"\$\{{{name}(\.\w+)?\}}", lambda _: str(stand_in(name)), text)
                if DYNAMIC.search(text):
                    return DYNAMIC.sub(secret_text, text)
                return {"Fn::Sub": text}
        return {key: replaced(each) for key, each in value.items() if key not in ("UpdatePolicy", "DependsOn")}

    kept = {name: resource for name, resource in template["Resources"].items() if name not in gone}
    return replaced(template | {"Resources": kept})


def deploy(overrides):
    """Creates the stack, or updates it with parameters that keep their values unless they are named."""
    cloudformation = boto3.client("cloudformation")
    try:
        (stack,) = cloudformation.describe_stacks(StackName=STACK)["Stacks"]
        before = {of["ParameterKey"]: of["ParameterValue"] for of in stack["Parameters"]}
        change = cloudformation.update_stack
    except cloudformation.exceptions.ClientError:
        before, change = {}, cloudformation.create_stack
    parameters = before | overrides
    template = without_unknown_types(transformed(parameters), parameters)
    values = [{"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()]
    change(StackName=STACK, TemplateBody=json.dumps(template), Parameters=values, Capabilities=["CAPABILITY_IAM"])
    (stack,) = cloudformation.describe_stacks(StackName=STACK)["Stacks"]
    if stack["StackStatus"] not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
        fail(f"with {overrides} the stack is {stack['StackStatus']}")


def delete():
    """`sam delete`; what is retained stays."""
    boto3.client("cloudformation").delete_stack(StackName=STACK)


def made():
    pages = boto3.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=STACK)
    return {of["LogicalResourceId"]: of for page in pages for of in page["StackResourceSummaries"]}


def output(name):
    (stack,) = boto3.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"]
    return {of["OutputKey"]: of["OutputValue"] for of in stack["Outputs"]}[name]


def beside():
    """What has to be there first: the code that SAM uploads, and the secrets."""
    s3, secrets, code = boto3.client("s3"), boto3.client("secretsmanager"), io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("bootstrap", "")
    s3.create_bucket(Bucket="bucket")
    s3.put_object(Bucket="bucket", Key="key", Body=code.getvalue())
    for name, secret in of_type(transformed()["Resources"], "AWS::SecretsManager::Secret").items():
        generated = secret["GenerateSecretString"]
        value = json.loads(generated["SecretStringTemplate"]) | {generated["GenerateStringKey"]: "x" * 64}
        secrets.create_secret(Name=name, SecretString=json.dumps(value))


## What was made


def environment(function):
    name = made()[function]["PhysicalResourceId"]
    return boto3.client("lambda").get_function_configuration(FunctionName=name)["Environment"]["Variables"]


def permitted_tables(function):
    """The tables in the function's own policies."""
    iam, role = boto3.client("iam"), made()[f"{function}Role"]["PhysicalResourceId"]
    documents = [
        iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
        for name in iam.list_role_policies(RoleName=role)["PolicyNames"]
    ]
    arns = {statement["Resource"] for document in documents for statement in listed(document["Statement"])}
    return {arn.split("/")[-1] for arn in arns if isinstance(arn, str) and ":dynamodb:" in arn}


def check_stack(count):
    kinds = {of["ResourceType"] for of in made().values()}
    if kinds & set(NOT_MADE):
        fail(f"moto makes {kinds & set(NOT_MADE)} by now: take them off the list")
    for function in (name for name, of in made().items() if of["ResourceType"] == "AWS::Lambda::Function"):
        if None in environment(function).values():
            fail(f"{function} has a variable without a value")
    variables = environment("SendLoginMessage")
    if not variables["KEY_RING"].startswith('{"active"'):
        fail(f"the key ring is {variables['KEY_RING'][:40]!r}, not the secret's text")
    print(f"moto made {len(made())} of {count} resources")


def check_users_table(name):
    """The functions use this table, and may."""
    if output("UsersTableName") != name:
        fail(f"the stack's users table is {output('UsersTableName')}, not {name}")
    for function in ("Login", "Register", "ImportUsers"):
        if environment(function)["USERS_TABLE"] != name or name not in permitted_tables(function):
            fail(f"{function} uses {environment(function)['USERS_TABLE']}, may use {permitted_tables(function)}; not {name}")


## The runbooks


def runbook(heading):
    """The bash blocks under a heading of the pages, as one script."""
    for page in PAGES:
        text = (ROOT / page).read_text()
        if found := re.search(rf"^#+ {re.escape(heading)}\n(.*?)(?=^#+ |\Z)", text, re.M | re.S):
            if blocks := re.findall(r"^```bash\n(.*?)^```", found[1], re.M | re.S):
                return blocks
    fail(f"no page has commands under {heading!r}")


def follow(heading, only=None, **stand_ins):
    """Runs a runbook's commands with AWS's client on moto; `sam` is this program. Stand-ins are for <what a person fills in>."""
    blocks = runbook(heading)
    define = (ROOT / PAGES[1]).read_text().split("```bash\n", 1)[1].split("```", 1)[0]
    for block in blocks if only is None else [blocks[only]]:
        for name, value in stand_ins.items():
            block = block.replace(f"<{name.replace('_', ' ')}>", value)
        if left := re.findall(r"<[a-z][^<>(\n]*>", block):
            fail(f"{heading}: nothing stands for {left}")
        script = f"set -euo pipefail\n{define}\nsam() {{ {sys.executable} {__file__} \"$@\"; }}\n{block}"
        done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, cwd=ROOT, timeout=300)
        if done.returncode != 0:
            fail(f"{heading}: {done.stderr or done.stdout}\n{block}")
    return done.stdout.strip()


def items():
    return boto3.client("dynamodb").scan(TableName=output("CodesTableName"))["Items"]


def ring():
    """The secret's key ring, without the keys' own text."""
    text = boto3.client("secretsmanager").get_secret_value(SecretId="KeyRingSecret")["SecretString"]
    return {name: value if name in ("active", "pseudonyms") else "key" for name, value in json.loads(text).items()}


def check_runbooks():
    follow("Stop all sends at once", only=0)
    if items() != [{"pk": {"S": "control#stop"}}]:
        fail(f"the stop is {items()}")
    follow("Stop all sends at once", only=1)
    if items()[0].get("countries") != {"SS": ["US", "86"]} and set(items()[0]["countries"]["SS"]) != {"US", "86"}:
        fail(f"the stop of countries is {items()}")
    follow("Stop all sends at once", only=2)
    if items():
        fail(f"the stop is still there: {items()}")

    steps = [
        {"active": "k1", "k1": "key", "pseudonyms": "k1", "k2": "key"},
        {"active": "k2", "k1": "key", "pseudonyms": "k1", "k2": "key"},
        {"active": "k2", "pseudonyms": "k2", "k2": "key"},
    ]
    for step, expected in enumerate(steps):
        follow("Rotate keys", only=step)
        if ring() != expected or json.loads(environment("Login")["KEY_RING"])["active"] != expected["active"]:
            fail(f"step {step + 1} of the rotation: the ring is {ring()}, not {expected}")

    follow("Let SNS say what became of messages")
    attributes = boto3.client("sns").get_sms_attributes()["attributes"]
    if attributes.get("DeliveryStatusIAMRole") != output("DeliveryLogRoleArn"):
        fail(f"SNS's attributes are {attributes}")
    follow("A phone has opted out")
    follow("Unblock a phone")

    first = output("UsersTableName")
    boto3.client("dynamodb").put_item(TableName=first, Item={"pk": {"S": "user#5"}, "name": {"S": "eric"}})
    follow("Restore the accounts")
    restored = output("UsersTableName")
    if restored == first:
        fail("after the restoration the stack still uses the first table")
    check_users_table(restored)
    if boto3.client("dynamodb").scan(TableName=restored)["Count"] != 1:
        fail("the restored table is empty")
    tables = boto3.client("dynamodb").list_tables()["TableNames"]
    if first not in tables:
        fail("the first table is gone")

    deploy({"UsersTableName": ""})  # as at first, to lose the stack
    first = output("UsersTableName")
    delete()
    kept = set(boto3.client("dynamodb").list_tables()["TableNames"])
    if first not in kept:
        fail("the stack's users table was deleted with it")
    follow("Deploy again after a delete", users_table=first)
    check_users_table(first)
    print("the runbooks work: stop, key rotation, delivery logs, opt-out, unblock, restore, deploy again")


def main():
    moto()
    beside()
    template = transformed(ANSWERS)
    deploy(ANSWERS)
    check_stack(len(template["Resources"]))
    check_users_table(made()["UsersTable"]["PhysicalResourceId"])
    check_runbooks()
    delete()
    deploy(EVERYTHING)
    check_stack(len(transformed(EVERYTHING)["Resources"]))
    if not environment("Login")["ORIGIN_SECRET"].startswith('{"current"'):
        fail(f"the origin secret is {environment('Login')['ORIGIN_SECRET'][:40]!r}, not the secret's text")


def command(arguments):
    """`deploy [--stack-name NAME] [--parameter-overrides NAME=VALUE...]`, as SAM reads it."""
    overrides = {}
    if "--parameter-overrides" in arguments:
        for pair in arguments[arguments.index("--parameter-overrides") + 1 :]:
            if pair.startswith("--"):
                break
            name, value = pair.split("=", 1)
            overrides[name] = value
    deploy(overrides)


if __name__ == "__main__":
    main() if len(sys.argv) == 1 else command(sys.argv[2:])
