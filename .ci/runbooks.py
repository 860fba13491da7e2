"""The commands of functions/DEPLOY.md and functions/OPERATIONS.md, as CI follows them."""

import re

from transformed import ROOT

PAGES = ["functions/DEPLOY.md", "functions/OPERATIONS.md"]


def blocks(text, language="bash"):
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.M | re.S)


def runbook(heading):
    """The bash blocks under a heading of the pages."""
    for page in PAGES:
        if found := re.search(rf"^#+ {re.escape(heading)}\n(.*?)(?=^#+ |\Z)", (ROOT / page).read_text(), re.M | re.S):
            return blocks(found[1])
    raise ValueError(f"no page has {heading!r}")


def functions():
    """The shell functions that the commands use: the pages' first blocks, `keep` and `admin`."""
    firsts = [blocks((ROOT / page).read_text())[0] for page in PAGES]
    return "".join(firsts) + runbook("Change a parameter")[0] + runbook("Who may do what")[0]


def template_of(file):
    """The template that a page shows under this name."""
    for page in PAGES:
        if found := re.search(rf"\(`{re.escape(file)}`\):\n\n```yaml\n(.*?)^```", (ROOT / page).read_text(), re.M | re.S):
            return found[1]
    raise ValueError(f"no page shows {file}")
