"""Runs checkov on the transformed template. What it finds has to be listed here with a reason, and what is listed has to
be found: an exception that is no longer needed fails too.

  checkov_check.py CHECKOV TEMPLATE    the program, and the transformed template
"""

import json
import pathlib
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


def failed_checks(checkov, template):
    """The checks that fail, and the number of those that pass."""
    command = [checkov, "--file", template, "--framework", "cloudformation", "--skip-download", "--output", "json"]
    done = subprocess.run(command, capture_output=True, text=True)
    results = json.loads(done.stdout)["results"]
    if results["parsing_errors"]:
        sys.exit(f"checkov cannot read {results['parsing_errors']}")
    return results["failed_checks"], len(results["passed_checks"])


def main(checkov, template):
    checks, passed = failed_checks(checkov, template)
    names, failed = {}, {}
    for check in checks:
        kind, resource = check["resource"].rsplit(".", 1)
        failed.setdefault((check["check_id"], kind), []).append(resource)
        names[check["check_id"]] = check["check_name"]
    resources = json.loads(pathlib.Path(template).read_text())["Resources"]
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
    sound = f"checkov: {passed} checks passed, {len(checks)} exceptions of {len(EXCEPTIONS)} kinds, all with a reason"
    print("\n".join(faults) or sound)
    return 1 if faults else 0


sys.exit(main(*sys.argv[1:]))
