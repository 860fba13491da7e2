"""Uses a running local system as its users do.

  try.py readme OUTPUT            README's login with curl and its whole life, in every shell of SHELLS that
                                  is installed; OUTPUT is what `cargo run -p local` has printed
  try.py watch LOG...             every event in events/ with `cargo lambda invoke`, the login with curl of
                                  events/README.md, and a look at what the functions have logged
  try.py sam ARGUMENT...          every event with `sam local invoke ARGUMENT...`
  try.py start-api                the login with curl of events/README.md on `sam local start-api`

Commands are taken from the READMEs themselves.

The inbox is the local system's at LATCHKEY_LOCAL, 127.0.0.1:9000 unless it says otherwise.
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
INBOX = f"http://{os.environ.get('LATCHKEY_LOCAL', '127.0.0.1:9000')}/_local/messages"
ERIC, MARY = "13800138001", "13627140483"  # the demo accounts
NAMES = {ERIC: "eric", MARY: "mary"}
READMES = ["README.md", "events/README.md", "tests/README.md"]
SHELLS = ["bash", "zsh"]  # those that README's whole life is written for

# What each event in events/ is answered with, on a system that has just started. `cargo test` reads it too,
# and knows that it has every function.
ANSWERS = {row["function"]: row["answer"] for row in json.loads((ROOT / "tests/api/template/answers.json").read_text())}


def check(holds, message):
    if not holds:
        sys.exit(f"FAILED: {message}")


def check_answer(what, answer, expected):
    print(f"{what}: {json.dumps(answer, ensure_ascii=False)[:160]}")
    check(agrees(answer, expected), f"{what} answered {answer}, not {expected}")


def agrees(answer, expected):
    """Whether an answer has what is expected of it. Objects may have more."""
    if isinstance(expected, dict):
        return isinstance(answer, dict) and all(agrees(answer.get(name), of) for name, of in expected.items())
    if isinstance(expected, list):
        return isinstance(answer, list) and len(answer) == len(expected) and all(map(agrees, answer, expected))
    return answer == expected


def check_login(answer, phone):
    check_answer("login", answer, ANSWERS["login"])
    user = answer["result"]
    check((user["name"], user["countryCode"], user["phone"]) == (NAMES[phone], "86", phone), f"logged in {user}")
    check(answer.get("token"), "no session token")


def inbox():
    with urllib.request.urlopen(INBOX, timeout=5) as response:
        return json.load(response)


def code_in(message):
    return re.search(r"(?<!\d)\d{6}(?!\d)", message)[0]


def sent_code(phone):
    """The code in the newest SMS to a phone."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        messages = [sms["message"] for sms in inbox() if sms["phone"] == f"+86{phone}"]
        if messages:
            return code_in(messages[-1])
        time.sleep(0.1)
    check(False, "no SMS came")


def blocks():
    """All that the READMEs tell people to type."""
    text = "".join((ROOT / readme).read_text() for readme in READMES)
    return "".join(re.findall(r"^```\w*\n(.*?)^```", text, re.M | re.S)).replace("\\\n", " ")


def curl(host, path, values):
    """The READMEs' request to this path of this host, with these values in its body."""
    found = re.search(rf"^(curl .*{host}\S*/{path}\b.*)$", blocks(), re.M)
    check(found, f"no README shows a curl for {path} on {host}")
    command = found[1]
    for name, value in values.items():
        command, put = re.subn(rf'("{name}"\s*:\s*")[^"]*', rf"\g<1>{value}", command)
        check(put == 1, f"the READMEs' curl for {path} has no {name}")
    print(f"$ {found[1][:160]}")
    out = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60)
    check("{" in out.stdout, f"curl got {out.stdout!r} {out.stderr!r}")
    return json.loads(out.stdout[out.stdout.index("{") :]), command


def log_in(host, send, login):
    """The READMEs' two requests, and the code that was sent between them."""
    answer, command = curl(host, send, {})
    check_answer("send", answer, ANSWERS["send-login-message"])
    phone = re.search('"phone":"([0-9]+)"', command)[1]
    code = sent_code(phone)
    answer, _ = curl(host, login, {"phoneInfo": answer["result"], "code": code})
    check_login(answer, phone)
    return code


def life(shell, phone, new_phone, name):
    """README's whole life, typed in order, with what the last answer or SMS said in place of each `…`."""
    define, *requests = re.findall(r"^(post\b.*)$", blocks(), re.M)
    check(len(requests) > 10, f"README's life has {len(requests)} requests")
    ticket = token = None
    for request in requests:
        for shown, own in (("13900139000", phone), ("13900139001", new_phone), ("anna", name)):
            request = request.replace(shown, own)
        request = request.replace('"phoneInfo":"…"', f'"phoneInfo":"{ticket}"').replace("Bearer …", f"Bearer {token}")
        if "…" in request:
            code = code_in([sms["message"] for sms in inbox() if sms["phone"] in (f"+86{phone}", f"+86{new_phone}")][-1])
            request = request.replace("…", code)
        out = subprocess.run([shell, "-c", f"{define}\n{request}"], capture_output=True, text=True, timeout=60)
        print(f"{shell} $ {request[:100]}")
        check(out.stdout.startswith("{"), f"{shell} got {out.stdout!r} {out.stderr!r}")
        answer = json.loads(out.stdout)
        check(answer["code"] in ("OK", 200), f"{shell}: {request} answered {answer}")
        ticket = answer["result"] if isinstance(answer.get("result"), str) else ticket
        token = answer.get("token", token)


def readme(output):
    for command in ("cargo run -p local", "cargo test"):
        check(re.search(rf"^{command}\b", blocks(), re.M), f"README doesn't show `{command}`")
    code = log_in("127.0.0.1:9000", "sendLoginMessage", "loginByMessage")
    check(code in pathlib.Path(output).read_text(), "the local system didn't print the SMS")
    for number, shell in enumerate(SHELLS):
        if not shutil.which(shell):
            print(f"no {shell} here")
            continue
        life(shell, f"139001390{number}0", f"139001390{number}1", f"anna{number}")


def events(invoke):
    """Every event, and a login with the code that one of them sent. What must be in no log."""
    def answer_to(name, event):
        out = subprocess.run(invoke(name, str(event)), capture_output=True, text=True, timeout=300, cwd=ROOT)
        check(out.returncode == 0 and out.stdout.strip(), f"{name} failed: {out.stdout}{out.stderr}")
        answer = json.loads(out.stdout)
        return json.loads(answer["body"]) if "body" in answer else answer  # no route, no envelope

    answers = {}
    for name, expected in ANSWERS.items():
        answers[name] = answer_to(name, f"events/{name}.json")
        check_answer(name, answers[name], expected)
        if name == "send-login-message":
            code = sent_code(ERIC)  # now, as a later event may send him another

    event = json.loads((ROOT / "events/login-by-message.json").read_text())
    login = {"phoneInfo": answers["send-login-message"]["result"], "code": code}
    event["body"] = json.dumps(login)
    path = ROOT / "target/ci/login.json"
    path.write_text(json.dumps(event))
    answer = answer_to("login-by-message", path)
    check_login(answer, ERIC)
    support_case(answer_to)
    return ERIC, login["code"], login["phoneInfo"], answer["token"]


def support_case(answer_to):
    """"I get no codes", as functions/OPERATIONS.md says it: a phone that has had one too lately gets one at once."""
    send = "events/send-login-message.json"
    answer_to("send-login-message", send)  # the address is known since the login, and gets one at once
    refused = answer_to("send-login-message", send)
    check_answer("send", refused, {"code": "SEND_MESSAGE_FREQUENTLY"})
    page = (ROOT / "functions/OPERATIONS.md").read_text()
    case = re.search(r"^## Somebody gets no codes\n(.*?)^## ", page, re.M | re.S)[1]
    steps = re.findall(r"^admin (\w+) '(.*)'$", case, re.M)
    check([name for name, _ in steps] == ["AdminRead", "AdminRead", "AdminSupport"], f"the support case is {steps}")
    path = ROOT / "target/ci/operator.json"
    for resource, event in steps:
        path.write_text(event)
        name = re.sub(r"(?<!^)([A-Z])", r"-\1", resource).lower()
        check_answer(name, answer_to(name, path), {"done": True})
    check_answer("send", answer_to("send-login-message", send), ANSWERS["send-login-message"])


def watch(*logs):
    command = ["cargo", "lambda", "invoke", "--invoke-port", "9001", "--data-file"]
    secrets = events(lambda name, event: [*command, event, name])
    code = log_in("127.0.0.1:9001", "send-login-message", "login-by-message")

    logged = "".join(pathlib.Path(log).read_text() for log in logs)
    check('"outcome":"OK"' in logged, "the functions log nothing")
    check('"CloudWatchMetrics"' in logged, "the functions measure nothing")
    for secret in (*secrets, MARY, code):
        check(not re.search(rf"(?<![0-9A-Za-z.]){re.escape(secret)}(?![0-9])", logged), f"a log holds {secret}")


def sam(*arguments):
    def invoke(name, event):
        resource = "".join(word.capitalize() for word in name.split("-"))
        return ["sam", "local", "invoke", resource, "--event", event, *arguments]

    events(invoke)


def start_api():
    log_in("127.0.0.1:3000", "sendLoginMessage", "loginByMessage")


{"readme": readme, "watch": watch, "sam": sam, "start-api": start_api}[sys.argv[1]](*sys.argv[2:])
