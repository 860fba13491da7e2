"""Makes the stack in moto, as far as moto knows its resources, and follows the runbooks there.

  stack.py                creates the stack, looks at what was made, and runs the commands of DEPLOY.md and OPERATIONS.md
                          that moto knows, with AWS's own client
  stack.py deploy ...     what `sam deploy ...` does, without an upload, with the samconfig.toml of the working directory:
                          those commands call it
  stack.py delete         what `sam delete` does
  stack.py remote ...     what `sam remote invoke ...` does: it looks whether the function and the event are there
  stack.py page ...       what `aws cloudformation deploy ...` does with a template that is on a page

CloudFormation in moto creates real resources from the template, in order and with references and conditions resolved.
It proves that the template can be made, not that AWS accepts every value: cfn-lint looks at those.
"""

import io
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import tomllib
import warnings
import zipfile

import boto3
from guided import fail, moto
from moto.cloudformation.parsing import get_model_map
from runbooks import functions, runbook, template_of
from samcli.cli.types import CfnParameterOverridesType
from samcli.commands.deploy.guided_config import GuidedConfig
from samcli.lib.config.samconfig import SamConfig
from samcli.yamlhelper import yaml_parse
from transformed import ANSWERS, EVERYTHING, Evaluator, of_type, source, transformed

warnings.simplefilter("ignore")  # moto names the types that it does not know

STACK = "latchkey"

# What moto's CloudFormation has no model of. All else is made; secrets of the same shape are made beside the stack.
NOT_MADE = {
    "AWS::ApiGatewayV2::Api",
    "AWS::ApiGatewayV2::ApiMapping",
    "AWS::ApiGatewayV2::DomainName",
    "AWS::ApiGatewayV2::Stage",
    "AWS::AppConfig::Application",
    "AWS::AppConfig::ConfigurationProfile",
    "AWS::AppConfig::HostedConfigurationVersion",
    "AWS::CloudWatch::Alarm",
    "AWS::CodeDeploy::Application",
    "AWS::CodeDeploy::DeploymentGroup",
    "AWS::Lambda::Alias",
    "AWS::Logs::MetricFilter",
    "AWS::SecretsManager::Secret",
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

    evaluator = Evaluator(template, parameters)
    for name, secret in of_type(template["Resources"], "AWS::SecretsManager::Secret").items():
        if "SecretString" in secret:  # composed of others
            _, parts = replaced(secret["SecretString"])["Fn::Join"]
            secrets.put_secret_value(SecretId=name, SecretString="".join(map(evaluator.chosen, parts)))
    kept = {name: resource for name, resource in template["Resources"].items() if name not in gone}
    return replaced(template | {"Resources": kept})


def save(parameters):
    """samconfig.toml as a guided deployment leaves it: with every parameter, in SAM's quotes."""
    defaults = {name: str(of.get("Default", "")) for name, of in source()["Parameters"].items()}
    pairs = (f"{name}={GuidedConfig.quote_parameter_values(value)}" for name, value in (defaults | parameters).items())
    config = SamConfig(os.getcwd())
    config.put(["deploy"], "parameters", "parameter_overrides", " ".join(pairs), "default")
    config.flush()


def saved():
    """The parameters of samconfig.toml, as SAM reads them."""
    config = tomllib.loads(pathlib.Path("samconfig.toml").read_text())["default"]["deploy"]["parameters"]
    return CfnParameterOverridesType().convert(config["parameter_overrides"], None, None)


def described(stack):
    """What CloudFormation says of a stack; None where there is none."""
    cloudformation = boto3.client("cloudformation")
    try:
        return cloudformation.describe_stacks(StackName=stack)["Stacks"][0]
    except cloudformation.exceptions.ClientError:
        return None


def deployed(stack=STACK):
    """The stack's parameters."""
    return {of["ParameterKey"]: of["ParameterValue"] for of in (described(stack) or {}).get("Parameters", [])}


def make(stack, template, parameters):
    """Creates the stack, or updates it."""
    cloudformation = boto3.client("cloudformation")
    change = cloudformation.update_stack if described(stack) else cloudformation.create_stack
    values = [{"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()]
    change(StackName=stack, TemplateBody=json.dumps(template), Parameters=values, Capabilities=["CAPABILITY_IAM"])
    if (status := described(stack)["StackStatus"]) not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
        fail(f"with {parameters} the stack {stack} is {status}")


def deploy(overrides):
    """Parameters keep their values unless they are named."""
    parameters = deployed() | overrides
    make(STACK, without_unknown_types(transformed(parameters), parameters), parameters)


def deploy_page(arguments):
    """A stand-in for a stack whose template is on a page: moto knows neither CloudFront nor WAF.

    It has the parameters and the outputs.
    """
    options, named = arguments, {}
    if "--parameter-overrides" in arguments:
        at = arguments.index("--parameter-overrides")
        options, named = arguments[:at], dict(pair.split("=", 1) for pair in arguments[at + 1 :])
    stack, file = (options[options.index(name) + 1] for name in ("--stack-name", "--template-file"))
    page = yaml_parse(template_of(file))
    if unknown := named.keys() - page.get("Parameters", {}).keys():
        fail(f"{file} has no parameters {unknown}")
    stand_in = {
        "Parameters": page.get("Parameters", {}),
        "Resources": {"StandIn": {"Type": "AWS::SNS::Topic"}},
        "Outputs": {name: {"Value": f"{file}-{name}-stand-in"} for name in page["Outputs"]},
    }
    make(stack, stand_in, deployed(stack) | named)


def delete():
    """`sam delete`; what is retained stays. moto forgets to delete log groups."""
    boto3.client("cloudformation").delete_stack(StackName=STACK)
    logs = boto3.client("logs")
    for group in logs.describe_log_groups()["logGroups"]:
        logs.delete_log_group(logGroupName=group["logGroupName"])


def made():
    pages = boto3.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=STACK)
    resources = {of["LogicalResourceId"]: of for page in pages for of in page["StackResourceSummaries"]}
    resources.pop("", None)  # moto lists what a condition leaves out, without its name
    return resources


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
        value = {}
        if generated := secret.get("GenerateSecretString"):
            value = json.loads(generated["SecretStringTemplate"]) | {generated["GenerateStringKey"]: "x" * 64}
        secrets.create_secret(Name=name, SecretString=json.dumps(value))


## What was made


def environment(function):
    name = made()[function]["PhysicalResourceId"]
    return boto3.client("lambda").get_function_configuration(FunctionName=name)["Environment"]["Variables"]


def known_secrets(function):
    """The secrets that a function knows, by the variables that they stand for."""
    return json.loads(environment(function)["SECRETS"])


def permitted_tables(function):
    """The tables in the function's own policies."""
    iam, role = boto3.client("iam"), made()[f"{function}Role"]["PhysicalResourceId"]
    names = iam.list_role_policies(RoleName=role)["PolicyNames"]
    documents = [iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"] for name in names]
    return set(re.findall(r":dynamodb:[^'\"]*:table/([\w.-]+)", str(documents)))


def check_stack():
    """All that moto can make is made."""
    if learnt := NOT_MADE & get_model_map().keys():
        fail(f"moto makes {learnt} by now: take them off the list")
    resources = Evaluator(transformed(deployed()), deployed()).resources()
    expected = {name for name, of in resources.items() if of["Type"] not in NOT_MADE}
    if made().keys() != expected:
        fail(f"made and not expected, or expected and not made: {made().keys() ^ expected}")
    for function in (name for name, of in made().items() if of["ResourceType"] == "AWS::Lambda::Function"):
        if None in environment(function).values():
            fail(f"{function} has a variable without a value")
    front_door = {"ORIGIN_SECRET"} if "OriginSecret" in resources else set()
    if known_secrets("SendLoginMessage").keys() != {"KEY_RING"} | front_door:
        fail(f"the functions know {list(known_secrets('SendLoginMessage'))}")
    print(f"moto made {len(made())} of {len(resources)} resources")


def check_users_table(name):
    """The functions use this table, and may."""
    if output("UsersTableName") != name:
        fail(f"the stack's users table is {output('UsersTableName')}, not {name}")
    for function in ("Login", "Register", "ImportUsers"):
        if environment(function)["USERS_TABLE"] != name or name not in permitted_tables(function):
            fail(f"{function} uses {environment(function)['USERS_TABLE']}, may use {permitted_tables(function)}; not {name}")


## The runbooks


def run(heading, numbers, stand_ins):
    """Runs a runbook's commands with AWS's client on moto; `sam` is this program, and so are stacks of other templates."""
    blocks = runbook(heading)
    block = "".join(blocks[number] for number in numbers or range(len(blocks)))
    for name, value in stand_ins.items():
        block = block.replace(f"<{name.replace('_', ' ')}>", value)
    if left := re.findall(r"<[a-z][^<>(\n]*>", block):
        fail(f"{heading}: nothing stands for {left}")
    this = f'"{sys.executable}" "{__file__}"'
    stand_in = f"""
sam() {{ {this} "$@"; }}
aws() {{
  case "$1 $2" in
    "cloudformation deploy") {this} page "$@" ;;
    "lambda invoke") echo '{{"done":true,"next":null}}' > report.json ;; # moto runs no function
    *) command aws "$@" ;;
  esac
}}
"""
    script = f"{functions()}{stand_in}set -eu\n{block}"
    return subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=300)


def follow(heading, *numbers, **stand_ins):
    """Follows a runbook, or some of its blocks, and returns what they print.

    Stand-ins are for what a person fills in, `<users table>`.
    """
    done = run(heading, numbers, stand_ins)
    if done.returncode != 0:
        fail(f"{heading}: {done.stderr or done.stdout}")
    differs = {name for name, value in saved().items() if described(STACK) and deployed()[name] != value}
    if differs:
        fail(f"{heading}: the next plain `sam deploy` would change {differs}")
    return done.stdout.strip()


def refuse(heading, *numbers):
    """Follows blocks that have to stop with an error."""
    done = run(heading, numbers, {})
    if done.returncode == 0:
        fail(f"{heading}, {numbers}: no error, and {done.stdout}")


def items():
    return boto3.client("dynamodb").scan(TableName=output("CodesTableName"))["Items"]


def ring():
    """The secret's key ring, without the keys' own text."""
    text = boto3.client("secretsmanager").get_secret_value(SecretId="KeyRingSecret")["SecretString"]
    return {name: value if name in ("active", "pseudonyms") else "key" for name, value in json.loads(text).items()}


def check_stop():
    for number in range(3):
        follow("Stop all sends at once", number)
    follow("Stop all sends at once", 3)
    if items() != [{"pk": {"S": "control#stop"}}]:
        fail(f"the stop is {items()}")
    boto3.client("dynamodb").delete_item(TableName=output("CodesTableName"), Key=items()[0])


def check_key_rotation():
    """Twice, as the second begins where the first has ended; and a step out of turn changes nothing."""
    define, *steps = range(4)
    for old, new in (("k1", "k2"), ("k2", "k3")):
        for step, expected in zip(steps, [
            {"active": old, old: "key", "pseudonyms": old, new: "key"},
            {"active": new, old: "key", "pseudonyms": old, new: "key"},
            {"active": new, "pseudonyms": new, new: "key"},
        ]):
            before = ring()
            for other in set(steps) - {step} if old == "k1" else ():
                refuse("Rotate keys", define, other)
            if ring() != before:
                fail(f"before step {step} of the rotation another one made {ring()} of {before}")
            follow("Rotate keys", define, step)
            deployed = known_secrets("Login")["KEY_RING"]
            if ring() != expected or deployed.keys() != expected.keys() or deployed["active"] != expected["active"]:
                fail(f"step {step} of the rotation: the ring is {ring()}, with {list(deployed)} deployed, not {expected}")


def check_rotation_of_access_tokens():
    """moto changes a function only if the template's text for it has changed, so its variable is evaluated here."""
    heading = "Rotate the keys of access tokens"
    for step, value in enumerate(("A+B", "B+A", "B")):
        follow(heading, step)
        evaluator = Evaluator(transformed(deployed()), deployed())
        resources, keys = evaluator.resources(), [f"SigningKey{name}" for name in value.split("+")]
        variables = resources["AuthToken"]["Properties"]["Environment"]["Variables"]
        configured = json.dumps(evaluator.chosen(variables["SIGNING_KEYS"]))
        if deployed()["SigningKeys"] != value or re.findall(r"SigningKey[AB]", configured) != keys:
            fail(f"{heading}, step {step}: the functions have {configured}, not {keys}")
        if there := {name for name in resources if re.fullmatch("SigningKey[AB]", name)} ^ set(keys):
            fail(f"{heading}, step {step}: {there} should be there and is not, or the other way round")


def sms_attributes():
    return boto3.client("sns").get_sms_attributes()["attributes"]


def check_delivery_logs():
    heading, role, limit = "Let SNS say what became of messages", 0, 1
    follow(heading, limit, US_dollars="500")
    follow(heading, role)
    expected = {"DeliveryStatusIAMRole": output("DeliveryLogRoleArn"), "MonthlySpendLimit": "500"}
    if not expected.items() <= sms_attributes().items() or deployed()["MonthlySpendLimitUsd"] != "500":
        fail(f"SNS has {sms_attributes()}, and not {expected}")


def check_roll_back():
    """moto makes no aliases with the stack, and its output Versions has no ARNs, so both are made here."""
    client, functions = boto3.client("lambda"), []
    for of in made().values():
        if of["ResourceType"] == "AWS::Lambda::Function":
            functions.append(of["PhysicalResourceId"])
            client.create_alias(FunctionName=functions[-1], Name="live", FunctionVersion="$LATEST")
    first = [client.get_function(FunctionName=name, Qualifier="1")["Configuration"]["FunctionArn"] for name in functions]
    record, move = 0, 1
    follow("Roll back", record)
    pathlib.Path("versions").write_text(" ".join(first))
    printed = follow("Roll back", move, versions_file="versions").split()
    if printed != ["1"] * len(functions):
        fail(f"the roll-back to version 1 of {len(functions)} functions printed {printed}")
    for name in functions:
        client.update_function_configuration(FunctionName=name, Description="another")
        client.publish_version(FunctionName=name)
    follow("Rotate keys", 4)
    for name in functions:
        left = [of["Version"] for of in client.list_versions_by_function(FunctionName=name)["Versions"]]
        if left != ["$LATEST", "1"]:
            fail(f"after the deletion of old versions {name} has {left}")


def accepted():
    """The origin secrets that the functions take."""
    return known_secrets("Login")["ORIGIN_SECRET"]


def sent():
    """The origin secret that the front door sends: what its dynamic reference leads to."""
    front_door = deployed(f"{STACK}-front-door")
    version = {"VersionId": front_door["OriginSecretVersion"]} if front_door.get("OriginSecretVersion") else {}
    text = boto3.client("secretsmanager").get_secret_value(SecretId=front_door["OriginSecretArn"], **version)["SecretString"]
    return json.loads(text)["current"]


def check_front_door():
    follow("A domain of your own", certificate_ARN=EVERYTHING["CertificateArn"])
    follow("A proxy in front", 0)
    if deployed()["TrustedProxies"] != "1" or accepted() != {"current": sent()}:
        fail(f"the functions take {list(accepted())}, which is not what the front door sends")
    if deployed(f"{STACK}-front-door")["ApiHost"] == deployed()["DomainName"]:
        fail("the front door calls the name that clients call, and so itself")
    first = sent()
    define, change, end = 1, 2, 3
    follow("A proxy in front", define, change)
    if sent() == first or accepted() != {"current": sent(), "previous": first}:
        fail(f"amid a rotation the functions take {accepted()}, and the front door sends {sent()}")
    refuse("A proxy in front", define, change)
    follow("A proxy in front", define, end)
    if accepted() != {"current": sent()}:
        fail(f"after a rotation the functions take {list(accepted())}, which is not what the front door sends")


def check_restoration():
    first = output("UsersTableName")
    boto3.client("dynamodb").put_item(TableName=first, Item={"pk": {"S": "user#5"}, "name": {"S": "eric"}})
    follow("Restore the accounts")
    restored = output("UsersTableName")
    if restored == first or boto3.client("dynamodb").scan(TableName=restored)["Count"] != 1:
        fail(f"the stack uses {restored}, made of {first}, without its items")
    # moto does not change a role's policies when a stack changes, so they are looked at after the next creation.
    if environment("Login")["USERS_TABLE"] != restored:
        fail(f"Login uses {environment('Login')['USERS_TABLE']}, not {restored}")
    if first not in boto3.client("dynamodb").list_tables()["TableNames"]:
        fail("the first table is gone, which should be kept")
    remove, adopt = 0, 1
    follow("Delete, and deploy again", remove)
    if described(STACK) or sms_attributes().get("DeliveryStatusIAMRole"):
        fail("after the deletion there is a stack, or SNS has its role")
    printed = follow("Delete, and deploy again", adopt, users_table=restored)
    if first not in printed:
        fail(f"the retained table {first} is not found: {printed!r}")
    check_users_table(restored)
    for number, deleted_ms in (("6", "1700000000000"), ("7", "1600000000000")):
        tombstone = {"pk": {"S": f"user#{number}"}, "deleted_ms": {"N": deleted_ms}}
        boto3.client("dynamodb").put_item(TableName=first, Item=tombstone)
    stand_ins = {"former users table": first, "restored second, Unix time": "1650000000"}
    follow("After a restore", **stand_ins)
    event = json.loads(pathlib.Path("event.json").read_text())
    if event != {"after-restore": {"deleted": [6], "next": None}}:
        fail(f"after a restore admin-data would be asked for {event}")


def main():
    directory = tempfile.TemporaryDirectory()
    os.chdir(directory.name)
    moto()
    beside()
    save(ANSWERS)
    deploy(saved())
    check_stack()
    check_users_table(made()["UsersTable"]["PhysicalResourceId"])
    check_stop()
    check_key_rotation()
    check_rotation_of_access_tokens()
    check_delivery_logs()
    follow("A phone has opted out")
    for heading in ("Somebody gets no codes", "Disable an account", "Delete or export an account"):
        follow(heading)
    check_roll_back()
    check_restoration()
    print("the runbooks work: stop, key rotation, rotation of the keys of access tokens, delivery logs, opt-out, the operators' events, roll-back, restoration, deploying again")
    check_front_door()
    print("the runbooks work: a domain, a proxy in front, rotation of its secret")
    delete()
    save(EVERYTHING)
    deploy(saved())
    check_stack()


def invoke(resource, options):
    """`sam remote invoke`: moto runs no function. What it would do, the API tests and try.py see."""
    made()[resource]
    event = json.loads(options[options.index("--event") + 1])
    if len(event) != 1 or options[options.index("--stack-name") + 1] != STACK:
        fail(f"{resource} would be invoked with {options}")


def command(name, arguments):
    match name:
        case "remote":
            invoke(arguments[1], arguments[2:])
        case "deploy":
            overrides = "--parameter-overrides" in arguments
            # As SAM reads it: the option takes the place of the file's line.
            named = arguments[arguments.index("--parameter-overrides") + 1 :] if overrides else None
            deploy(CfnParameterOverridesType().convert(named, None, None) if overrides else saved())
        case "delete":
            delete()
        case "page":
            deploy_page(arguments)


if __name__ == "__main__":
    main() if len(sys.argv) == 1 else command(sys.argv[1], sys.argv[2:])
