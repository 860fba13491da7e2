"""template.yaml as CloudFormation gets it: after SAM's transform, with Globals merged and roles made.

As a program it writes that to the given file, for other tools. Needs the Python of aws-sam-cli: SAM's translator and
YAML reader come with it.
"""

import json
import logging
import pathlib
import sys

from samcli.yamlhelper import yaml_parse
from samtranslator.translator.transform import transform

logging.disable(logging.WARNING)  # SAM's remarks on its own feature flags and metrics

ROOT = pathlib.Path(__file__).resolve().parent.parent
SOURCE = ROOT / "template.yaml"

# The one parameter without a default.
ANSWERS = {"AlarmEmail": "operator@example.com"}
# Every optional part is made.
EVERYTHING = {
    **ANSWERS,
    "CorsOrigins": "https://app.example.com",
    "ReservedConcurrency": "5",
    "TrustedProxies": "1",
    "RequireOriginSecret": "true",
    "DomainName": "api.example.com",
    "CertificateArn": "arn:aws:acm:us-east-1:123456789012:certificate/1234-abcd",
    "DisableDefaultEndpoint": "true",
}


class NoManagedPolicies:
    """The template names managed policies by ARN or reference, so SAM has none to look up."""

    def load(self):
        return {}


def source():
    return yaml_parse(SOURCE.read_text())


def transformed(parameters=ANSWERS, template=None):
    """The template after the transform, with these parameters, which SAM reads too."""
    template = template or source()
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = "s3://bucket/key"  # the transform comes after the upload
    return transform(template, dict(parameters), NoManagedPolicies())


def of_type(resources, kind):
    return {name: resource["Properties"] for name, resource in resources.items() if resource["Type"] == kind}


def listed(value):
    return value if isinstance(value, list) else [value]


class Evaluator:
    """Evaluates conditions and rules as CloudFormation does, from parameters and their defaults."""

    def __init__(self, template, parameters, region="us-east-1"):
        self.template = template
        self.values = {name: str(of["Default"]) for name, of in template["Parameters"].items() if "Default" in of}
        self.values |= parameters | {"AWS::Region": region}

    def value(self, of):
        return self.values[of["Ref"]] if isinstance(of, dict) else str(of)

    def holds(self, condition):
        ((function, argument),) = condition.items()
        match function:
            case "Fn::Equals":
                return self.value(argument[0]) == self.value(argument[1])
            case "Fn::Not":
                return not self.holds(argument[0])
            case "Fn::And":
                return all(self.holds(each) for each in argument)
            case "Fn::Or":
                return any(self.holds(each) for each in argument)
            case "Condition":
                return self.condition(argument)
        raise ValueError(f"{function} is not understood")

    def condition(self, name):
        return self.holds(self.template["Conditions"][name])

    def chosen(self, of):
        """The value that conditions choose."""
        while isinstance(of, dict) and "Fn::If" in of:
            condition, this, other = of["Fn::If"]
            of = this if self.condition(condition) else other
        return of

    def resources(self):
        """What is made."""
        everything = self.template["Resources"].items()
        return {name: of for name, of in everything if "Condition" not in of or self.condition(of["Condition"])}

    def broken_rules(self):
        """What CloudFormation stops the deployment with."""
        for rule in self.template.get("Rules", {}).values():
            if "RuleCondition" not in rule or self.holds(rule["RuleCondition"]):
                for assertion in rule["Assertions"]:
                    if not self.holds(assertion["Assert"]):
                        yield assertion["AssertDescription"]


def main(path):
    pathlib.Path(path).write_text(json.dumps(transformed(), indent=1))


if __name__ == "__main__":
    main(*sys.argv[1:])
