"""Runs checkov on the transformed template. What it finds has to be listed here with a reason, and what is listed has to
be found: an exception that is no longer needed fails too.

  checkov_check.py CHECKOV TEMPLATE    the program, and the transformed template
"""

import json
import subprocess
import sys

# By check and resource type: how many resources, and why.
EXCEPTIONS = {
    ("CKV_AWS_116", "AWS::Lambda::Function"): (
        "all",
        "a dead-letter queue is for asynchronous calls; the API calls synchronously, and so does who imports users",
    ),
    ("CKV_AWS_117", "AWS::Lambda::Function"): (
        "all",
        "the functions call only AWS's public endpoints; a VPC would add a NAT gateway's cost and no protection",
    ),
    ("CKV_AWS_119", "AWS::DynamoDB::Table"): (
        "all",
        "DynamoDB's own key costs nothing, and no key of ours can be deleted with the accounts under it",
    ),
    ("CKV_AWS_28", "AWS::DynamoDB::Table"): (
        ["CodesTable"],
        "codes and counters of an older day are of no use, and restored ones would be wrong",
    ),
    ("CKV_AWS_158", "AWS::Logs::LogGroup"): (
        ["Logs", "ApiLogs"],
        "these logs hold no full phone number and no secret; the delivery logs, which do, have our key",
    ),
    ("CKV_AWS_26", "AWS::SNS::Topic"): (
        ["AlarmTopic"],
        "CloudWatch cannot publish to a topic under AWS's key for SNS, and an alarm holds no personal data",
    ),
}


def found(checkov, template):
    """By check and resource type: the resources that fail it."""
    command = [checkov, "--file", template, "--framework", "cloudformation", "--compact", "--output", "json"]
    done = subprocess.run(command, capture_output=True, text=True)
    results = json.loads(done.stdout)["results"]
    if results["parsing_errors"]:
        sys.exit(f"checkov cannot read {results['parsing_errors']}")
    found = {}
    for check in results["failed_checks"]:
        kind, name = check["resource"].rsplit(".", 1)
        found.setdefault((check["check_id"], kind), []).append(name)
        found.setdefault("names", {})[check["check_id"]] = check["check_name"]
    return found.pop("names", {}), found, len(results["passed_checks"])


def main(checkov, template):
    names, failed, passed = found(checkov, template)
    resources = json.loads(open(template).read())["Resources"]
    faults = []
    for (check, kind), on in failed.items():
        expected, _ = EXCEPTIONS.get((check, kind), ([], ""))
        unexplained = [] if expected == "all" else sorted(set(on) - set(expected))
        if unexplained:
            faults.append(f"{check} on {unexplained}: {names[check]}. Mend it, or list it with the reason")
    for (check, kind), (expected, _) in EXCEPTIONS.items():
        wanted = [name for name, of in resources.items() if of["Type"] == kind] if expected == "all" else expected
        idle = sorted(set(wanted) - set(failed.get((check, kind), [])))
        if idle:
            faults.append(f"{check} on {idle}: listed as an exception, and not found any more")
    explained = sum(len(on) for on in failed.values())
    print("\n".join(faults) or f"checkov: {passed} checks passed, {explained} exceptions of {len(EXCEPTIONS)} kinds, all with a reason")
    return 1 if faults else 0


sys.exit(main(*sys.argv[1:]))
