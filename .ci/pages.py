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

from awscli.clidriver import create_clidriver
from runbooks import blocks
from samcli.cli.types import CfnParameterOverridesType
from transformed import ROOT, source

PAGES = ["README.md", "functions/README.md", "functions/DEPLOY.md", "functions/OPERATIONS.md"]
AWS = create_clidriver()
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


def commands(code):
    """The words of each `aws` command, those within `$(…)` too."""
    inner = re.compile(r"\$\(((?:[^()'\"]|'[^']*'|\"[^\"]*\")*)\)")
    code = re.sub(r"<[a-zA-Z][^<>\n]*>", "x", code).replace("\\\n", " ")
    while found := inner.search(code):
        code = f"{code[: found.start()]}x{code[found.end() :]}\n{found[1]}"
    lexer = shlex.shlex(code, posix=True, punctuation_chars="();|&\n")
    lexer.whitespace = " \t"
    words = []
    for word in [*lexer, "\n"]:
        if word.strip("();|&\n") == "":
            if words[:1] == ["aws"]:
                yield words[1:]
            words = []
        elif words or word == "aws":
            words.append(word)


def check_command(page, words, is_whole):
    """AWS's client has the operation and the options; a whole command has all options that it needs."""
    table, options, name = AWS._get_command_table(), {}, "aws"
    while words and not words[0].startswith("--") and table:
        word, *words = words
        if word not in table:
            check(False, f"{page}: {name} has no {word}")
            return
        command, name = table[word], f"{name} {word}"
        options = getattr(command, "arg_table", {})
        table = command._get_command_table() if hasattr(command, "_get_command_table") else getattr(command, "subcommand_table", {})
    given = {word.split("=")[0].removeprefix("--") for word in words if word.startswith("--")}
    known = options.keys() | AWS._get_argument_table().keys()
    check(given <= known, f"{page}: {name} has no options {given - known}")
    needed = {option for option, of in options.items() if of.required and of.cli_name.startswith("--")}
    check(needed <= given or not is_whole, f"{page}: {name} needs {needed - given}")


def check_commands(page, text):
    in_prose = "\n".join(re.findall(r"`(aws [^`]+)`", text.replace("\n  ", " ")))
    count = 0
    for code, is_whole in (("\n".join(blocks(text)), True), (in_prose, False)):
        for words in commands(code):
            check_command(page, words, is_whole)
            count += 1
    return count


## Links


def anchors(text):
    titles = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S), re.M)
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
    seen, count, templates = set(), 0, 0
    for page in PAGES:
        text = (ROOT / page).read_text()
        seen |= check_examples(page, text)
        count += check_commands(page, text)
        for template in blocks(text, "yaml"):
            templates += 1
            (directory / f"{templates}.yaml").write_text(template)
    check(set(QUOTED) <= seen, f"no example shows how {set(QUOTED) - seen} are quoted")
    check_every_parameter_is_explained()
    for path in ROOT.rglob("*.md"):
        if "target" not in path.relative_to(ROOT).parts:
            check_links(path.relative_to(ROOT), path.read_text())
    print("\n".join(faults) or f"{len(seen)} parameters, {count} commands of AWS, {templates} templates on the pages are right")
    return 1 if faults else 0


sys.exit(main(*sys.argv[1:]))
