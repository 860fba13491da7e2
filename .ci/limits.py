"""How near the template is to the limits of CloudFormation, Lambda and IAM, and what its alarms cost.

Each limit has its document beside it. The count of the alarms' metrics is that of functions/DEPLOY.md's prices: the page
is held to it.
"""

import json
import re
import sys

from transformed import EVERYTHING, ROOT, Evaluator, of_type, transformed

CLOUDFORMATION = "https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html"
DYNAMIC = "https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/dynamic-references.html"
LAMBDA = "https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"
IAM = "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html"
LOGS = "https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html"

ARN = "arn:aws-us-gov:service:us-gov-west-1:123456789012:type/" + 60 * "x"  # a long one
KEY_RING = 420  # bytes of a ring with three keys of 64 characters and names of 30, as it is amid a rotation
ORIGIN_SECRET = 170  # with `previous`
SECRETS = KEY_RING + ORIGIN_SECRET + 40  # both, with their names
ROOM = 2000  # bytes of environment that a deployer's texts, prices and senders should find


def taken(value, evaluator):
    """The value in the branches that are taken."""
    while isinstance(value, dict) and "Fn::If" in value:
        condition, yes, no = value["Fn::If"]
        value = yes if evaluator.condition(condition) else no
    return value


def text(value, evaluator):
    """A value as long as CloudFormation might make it."""
    match taken(value, evaluator):
        case {"Ref": name}:
            return evaluator.values.get(name, 90 * "x")
        case {"Fn::GetAtt": _}:
            return ARN
        case {"Fn::Sub": str(of)} if "FunctionSecrets" in of:
            return SECRETS * "x"
        case {"Fn::Sub": str(of)} if "OriginSecret" in of:
            return ORIGIN_SECRET * "x"
        case {"Fn::Sub": str(of)}:
            return re.sub(r"\$\{([\w:.]+)\}", lambda name: evaluator.values.get(name[1], 30 * "x"), of)
        case dict(value):
            return {key: text(of, evaluator) for key, of in value.items()}
        case list(value):
            return [text(of, evaluator) for of in value]
        case value:
            return str(value)


def size(policy, evaluator):
    """IAM counts a policy's characters without white space."""
    return len(json.dumps(text(policy, evaluator), separators=(",", ":")))


def measured():
    """(what, how much, limit, document) for everything that has a limit."""
    template = transformed(EVERYTHING)
    evaluator, resources = Evaluator(template, EVERYTHING), template["Resources"]
    yield "resources", len(resources), 500, CLOUDFORMATION
    yield "parameters", len(template["Parameters"]), 200, CLOUDFORMATION
    yield "outputs", len(template["Outputs"]), 200, CLOUDFORMATION
    yield "template, bytes", len(json.dumps(template)), 1_000_000, CLOUDFORMATION
    yield "template's description, bytes", len(template["Description"]), 1024, CLOUDFORMATION
    yield "dynamic references", json.dumps(template).count("{{resolve:"), 60, DYNAMIC
    functions = of_type(resources, "AWS::Lambda::Function")
    environments = {
        name: sum(len(key) + len(text(of, evaluator).encode()) for key, of in variables(function, evaluator))
        for name, function in functions.items()
    }
    largest = max(environments, key=environments.get)
    yield f"environment, bytes, and {ROOM} of room ({largest})", environments[largest] + ROOM, 4096, LAMBDA
    yield "function's description", max(len(text(of["Description"], evaluator)) for of in functions.values()), 256, LAMBDA
    roles = of_type(resources, "AWS::IAM::Role")
    inline = {name: sum(size(of["PolicyDocument"], evaluator) for of in role.get("Policies", [])) for name, role in roles.items()}
    largest = max(inline, key=inline.get)
    yield f"inline policies of a role, characters ({largest})", inline[largest], 10_240, IAM
    for name, policy in of_type(resources, "AWS::IAM::ManagedPolicy").items():
        yield f"managed policy, characters ({name})", size(policy["PolicyDocument"], evaluator), 6_144, IAM
    yield "managed policies of a role", max(len(role.get("ManagedPolicyArns", [])) for role in roles.values()), 10, IAM
    filters = [json.dumps(of["LogGroupName"]) for of in of_type(resources, "AWS::Logs::MetricFilter").values()]
    yield "metric filters of a log group", max(map(filters.count, filters)), 100, LOGS


def variables(function, evaluator):
    """The variables that are set: those with AWS::NoValue are not."""
    for key, of in function["Environment"]["Variables"].items():
        if taken(of, evaluator) != {"Ref": "AWS::NoValue"}:
            yield key, of


def alarm_metrics(resources):
    """CloudWatch charges an alarm by the metrics that it looks at."""
    alarms = of_type(resources, "AWS::CloudWatch::Alarm").values()
    queries = [query for alarm in alarms for query in alarm.get("Metrics", []) if "MetricStat" in query or "SELECT" in query["Expression"]]
    return len(alarms), len(queries) + sum("MetricName" in alarm for alarm in alarms)


def main():
    faults = []
    print(f"{'what':<62} {'is':>8} {'limit':>9}")
    for what, count, limit, document in measured():
        print(f"{what:<62} {count:>8} {limit:>9}  {document}")
        if count > limit:
            faults.append(f"{what}: {count}, over {limit} ({document})")
    resources = transformed()["Resources"]
    alarms, metrics = alarm_metrics(resources)
    print(f"{alarms} alarms look at {metrics} metrics")
    said = f"| alarms | {metrics} metrics × 0.10 | {metrics * 0.10:.2f} |"
    if said not in (ROOT / "functions/DEPLOY.md").read_text():
        faults.append(f"functions/DEPLOY.md doesn't say {said!r}")
    print("\n".join(faults) or "within all limits")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
