"""Answers `sam deploy --guided` as README tells a newcomer to: Enter to every question but two.

It runs SAM itself in a pseudo-terminal, so the questions and the upload are SAM's own, with moto in place of AWS. It
fails if a question has no answer to take with Enter, if one is asked twice, or if SAM does not come to the deployment.
There moto stops it, as it does not know SAM's transform; stack.py goes on from there.

Then it deploys again in the ways that DEPLOY.md speaks of, and reads which parameters SAM takes.
"""

import json
import os
import pathlib
import pty
import re
import select
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib

import boto3
import yaml
from moto.server import ThreadedMotoServer
from runbooks import functions
from samcli.cli.types import CfnParameterOverridesType
from samcli.commands.deploy.deploy_context import DeployContext
from transformed import ROOT, SOURCE, source

# What README says to type.
TYPED = {"Stack Name": "latchkey", "Parameter AlarmEmail": "you@example.com"}
SECONDS = 240
COLOR = re.compile(rb"\x1b\[[0-9;]*m")
QUESTION = re.compile(r"\t(?P<name>[^\t\n[]+?)(?: \[(?P<default>[^\n]*)\])?: ")
ON_MOTO = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_PAGER": "",
    "SAM_CLI_TELEMETRY": "0",
}


def fail(why):
    sys.exit(f"FAILED: {why}")


def moto():
    """Starts moto. From now on this program's clients and those it starts talk to it, and none to AWS."""
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    os.environ.update(ON_MOTO, AWS_ENDPOINT_URL=f"http://{host}:{port}")


def ask(command, directory):
    """Runs the command; returns its questions with the answers that Enter gives, and all that it said."""
    process, terminal = pty.fork()
    if process == 0:
        os.chdir(directory)
        os.execvp(command[0], command)
    asked, said, deadline = {}, "", time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        ready, _, _ = select.select([terminal], [], [], 0.2)
        if ready:
            try:
                said += COLOR.sub(b"", os.read(terminal, 65536)).decode(errors="replace").replace("\r", "")
            except OSError:  # the other end is closed
                os.waitpid(process, 0)
                return asked, said
        elif question := QUESTION.fullmatch(said.rsplit("\n", 1)[-1]):  # it says no more, so it waits
            name = question["name"]
            if name in asked or len(asked) > 200:
                fail(f"SAM asks for {name!r} again:\n{said[-1000:]}")
            asked[name] = question["default"]
            os.write(terminal, (TYPED.get(name, "") + "\n").encode())
    fail(f"SAM is not done after {SECONDS} s:\n{said[-1000:]}")


def check_answers(asked):
    for name in TYPED:
        if name not in asked:
            fail(f"SAM does not ask for {name!r}, which README answers")
    for name, default in asked.items():
        if default is None:
            fail(f"{name!r} takes no Enter")
    for name, parameter in source()["Parameters"].items():
        answer = TYPED.get(f"Parameter {name}", asked[f"Parameter {name}"])
        pattern, values = parameter.get("AllowedPattern", ".*"), parameter.get("AllowedValues", [answer])
        if not re.search(pattern, answer) or answer not in map(str, values):
            fail(f"{name} is {answer!r} after Enter, which CloudFormation refuses")


def saved(directory):
    """The parameters in samconfig.toml, as SAM reads them."""
    config = tomllib.loads((directory / "samconfig.toml").read_text())["default"]["deploy"]["parameters"]
    return CfnParameterOverridesType().convert(config["parameter_overrides"], None, None)


def check_saved(directory, asked):
    """samconfig.toml has the same answers, quotes and all: a later `sam deploy` reads them from there."""
    read = saved(directory)
    for name, default in asked.items():
        if name.startswith("Parameter "):
            name, answer = name.removeprefix("Parameter "), TYPED.get(name, default)
            if read[name] != answer:
                fail(f"{name} was {answer!r} and is read back as {read[name]!r}")


def check_upload(bucket):
    """CloudFormation knows no YAML aliases, and has to see the rules."""
    s3 = boto3.client("s3")
    (key,) = [file["Key"] for file in s3.list_objects_v2(Bucket=bucket)["Contents"] if file["Key"].endswith(".template")]
    text = s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode()
    if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text)):
        fail("the uploaded template has aliases")
    for section in ("Rules", "Conditions", "Parameters", "Outputs"):
        if f"\n{section}:" not in text:
            fail(f"the uploaded template has no {section}")
    return len(text)


def taken(command, directory):
    """The parameters that SAM takes from the command line or samconfig.toml: it prints them before it deploys."""
    done = subprocess.run(["bash", "-c", functions() + command], cwd=directory, capture_output=True, text=True, timeout=SECONDS)
    if not (printed := re.search(r"^\s*Parameter overrides +: (\{.*\})$", COLOR.sub(b"", done.stdout.encode()).decode(), re.M)):
        fail(f"{command} does not say its parameters:\n{done.stdout[-1000:]}{done.stderr[-1000:]}")
    return json.loads(printed[1])


def check_later_deployments(directory):
    """What DEPLOY.md says of samconfig.toml and the command line."""
    first = saved(directory)
    once = {"LoginEnabled": "false"}
    for command, expected in [
        ("keep LoginEnabled=false SessionDays=90 && sam deploy", first | once | {"SessionDays": "90"}),
        ("sam deploy --parameter-overrides LoginEnabled=false", once),
        ("sam deploy --save-params --parameter-overrides LoginEnabled=false", once),
    ]:
        if (found := taken(command, directory)) != expected:
            fail(f"{command} takes {found}, not {expected}")
    if saved(directory) != once:
        fail(f"--save-params leaves {saved(directory)}")
    others = DeployContext.merge_parameters(source(), once)
    kept = {of["ParameterKey"] for of in others if of.get("UsePreviousValue")}
    if kept != set(first) - set(once):
        fail(f"of a stack's parameters that are not named, SAM keeps {kept}")


def main():
    moto()
    # SAM makes this stack when it is missing, but moto forgets its tags, which SAM looks for.
    managed = {"Resources": {"Bucket": {"Type": "AWS::S3::Bucket"}}, "Outputs": {"SourceBucket": {"Value": {"Ref": "Bucket"}}}}
    boto3.client("cloudformation").create_stack(
        StackName="aws-sam-cli-managed-default",
        TemplateBody=json.dumps(managed),
        Tags=[{"Key": "ManagedStackSource", "Value": "AwsSamCli"}],
    )
    (bucket,) = [bucket["Name"] for bucket in boto3.client("s3").list_buckets()["Buckets"]]
    with tempfile.TemporaryDirectory() as directory:
        directory = pathlib.Path(directory)
        shutil.copy(SOURCE, directory)
        (directory / "target").symlink_to(ROOT / "target")
        asked, said = ask(["sam", "deploy", "--guided"], directory)
        check_answers(asked)
        if "Initiating deployment" not in said:
            fail(f"SAM does not come to the deployment:\n{said[-1000:]}")
        check_saved(directory, asked)
        size = check_upload(bucket)
        check_later_deployments(directory)
    print(f"sam deploy --guided: {len(asked)} questions, {len(TYPED)} answers typed, Enter to the others; uploaded {size} bytes")
    print("later deployments take the parameters that DEPLOY.md says")


if __name__ == "__main__":
    main()
