"""Checks what the pages on deployment show: parameters as SAM reads them, AWS's commands by name and option, links.

Its templates in `yaml` blocks are written to the given directory, for cfn-lint.

  pages.py DIRECTORY
"""

import json
import pathlib
import re
import shlex
import sys
import tomllib

import botocore.session
from botocore import xform_name
from runbooks import blocks
from samcli.cli.types import CfnParameterOverridesType
from transformed import ROOT, source

PAGES = ["README.md", "functions/README.md", "functions/DEPLOY.md", "functions/OPERATIONS.md"]
# What AWS's client has beside the services' own operations and options.
CUSTOM = {("cloudformation", "deploy"), ("dynamodb", "wait")}
GLOBAL = {"query", "output", "region", "cli-read-timeout", "stack-name"}
# What the examples of quotes have to be, read back.
QUOTED = {
    "BrandName": "My Shop",
    "SenderIds": '{"44":"Latchkey"}',
    "SmsTexts": '{"1":{"login":"{code} is your {brand} code, valid {minutes} min"}}',
}

faults = []


def check(holds, fault):
    if not holds:
        faults.append(fault)


## Parameters


def check_overrides(page, overrides):
    """Each parameter is one of the template's, with a value that CloudFormation takes."""
    parameters = source()["Parameters"]
    for name, value in overrides.items():
        if name not in parameters:
            check(False, f"{page}: the template has no parameter {name}")
        elif not re.search(r"[<$]", value):  # what a person or the shell fills in
            pattern = parameters[name].get("AllowedPattern", "")
            check(re.search(pattern, value), f"{page}: {name} is read as {value!r}, which CloudFormation refuses")
            if parameters[name].get("Default") == "{}":
                json.loads(value)
        if name in QUOTED:
            check(value == QUOTED[name], f"{page}: {name} is read as {value!r}, not {QUOTED[name]!r}")


def check_examples(page, text):
    seen, code = set(), "\n".join(blocks(text))
    for pairs in re.findall(r"(?<!# )\bkeep ((?:[A-Z]\w+=\S* ?)+)", text):
        overrides = dict(pair.split("=", 1) for pair in re.sub(r"<[^>]*>", "$x", pairs).split())
        check_overrides(page, overrides)
        seen |= set(overrides)
    for command in re.findall(r"^sam deploy .*--parameter-overrides (.*)$", code, re.M):
        words = shlex.split(re.sub(r"\$\((?:[^()']|'[^']*')*\)|<[^>]*>", "$x", command))
        overrides = CfnParameterOverridesType().convert(words, None, None)
        check(len(overrides) == len(words), f"{page}: SAM reads {command} as {overrides}")
        check_overrides(page, overrides)
        seen |= set(overrides)
    for example in blocks(text, "toml"):
        overrides = CfnParameterOverridesType().convert(tomllib.loads(example)["parameter_overrides"], None, None)
        check_overrides(page, overrides)
        seen |= set(overrides)
    return seen


def check_every_parameter_is_explained():
    pages = [(ROOT / page).read_text() for page in ("functions/DEPLOY.md", "shared/README.md")]
    for name in source()["Parameters"]:
        check(any(f"`{name}`" in page for page in pages), f"no page explains the parameter {name}")


## Commands


def check_commands(page, text):
    """Every `aws service operation --option` is one that AWS has."""
    session = botocore.session.get_session()
    code = "\n".join(blocks(text)) + "\n".join(re.findall(r"`(aws [^`]+)`", text.replace("\n  ", " ")))
    commands = re.findall(r"\baws ([a-z0-9-]+) ([a-z0-9-]+)((?:[^\n|;]|\\\n)*)", code)
    for service, operation, rest in commands:
        if (service, operation) in CUSTOM:
            continue
        try:
            model = session.get_service_model(service)
        except botocore.exceptions.UnknownServiceError:
            check(False, f"{page}: AWS has no service {service}")
            continue
        operations = {xform_name(name, "-"): name for name in model.operation_names}
        if operation == "invoke":
            rest = re.sub(r"--cli-read-timeout \d+ \S+", "", rest)
        if operation not in operations:
            check(False, f"{page}: {service} has no operation {operation}")
            continue
        shape = model.operation_model(operations[operation]).input_shape
        options = {xform_name(name, "-") for name in shape.members} | GLOBAL
        for option in re.findall(r"(?<!\S)--(?:no-)?([a-z][a-z-]+)", rest.split("$(")[0]):
            option = option.removeprefix("enable-") if option == "enable-termination-protection" else option
            known = option in options or f"enable-{option}" in options or f"{option}-enabled" in options
            check(known, f"{page}: aws {service} {operation} has no option --{option}")
    return len(commands)


## Links


def anchors(text):
    titles = re.findall(r"^#+ (.+)$", text, re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def check_links(page, text):
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith("http"):
            continue
        path, _, anchor = target.partition("#")
        file = (ROOT / page).parent / path if path else ROOT / page
        if not file.exists():
            check(False, f"{page}: the link to {target} leads nowhere")
        elif anchor:
            check(anchor in anchors(file.read_text()), f"{page}: {target} is no heading")


def main(directory):
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    seen, commands, templates = set(), 0, 0
    for page in PAGES:
        text = (ROOT / page).read_text()
        seen |= check_examples(page, text)
        commands += check_commands(page, text)
        check_links(page, text)
        for template in blocks(text, "yaml"):
            templates += 1
            (directory / f"{templates}.yaml").write_text(template)
    check(set(QUOTED) <= seen, f"no example shows how {set(QUOTED) - seen} are quoted")
    check_every_parameter_is_explained()
    print("\n".join(faults) or f"{len(seen)} parameters, {commands} commands of AWS, {templates} templates on the pages are right")
    return 1 if faults else 0


sys.exit(main(*sys.argv[1:]))
