"""Uses a running local system as its users do.

  try.py readme OUTPUT            README's two requests with curl, taken from README itself; OUTPUT is what
                                  `cargo run -p local` has printed
  try.py events PORT LOG...       every event in events/ with `cargo lambda invoke`, then a login with the code
                                  that was sent; LOG is what the functions have logged
"""

import json
import pathlib
import re
import subprocess
import sys
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
INBOX = "http://127.0.0.1:9000/_local/messages"
PHONE = "13800138001"  # eric's, the user of the document

# What each event in events/ is answered with, on a system that has just started.
NO_SESSION = {"status": 401, "code": "INVALID_TOKEN", "success": False}
FORGED = {"status": 400, "code": "{PHONE_INFO}_NOT_VALID", "success": False}  # signed by somebody else
DONE = {"status": 200, "code": "OK", "success": True}
ANSWERS = {
    "send-login-message": DONE,
    "login-by-message": FORGED,
    "send-change-password-message": NO_SESSION,
    "change-password-by-message": NO_SESSION,
    "send-change-password-message2": {"status": 400, "code": "USER_NOT_FOUND", "success": False},
    "change-password-by-message2": FORGED,
    "send-register-message": DONE,
    "register": FORGED,
    "login": DONE,
    "info": NO_SESSION,
    "send-verification-code": {"code": 0, "msg": 2006, "info": "已发送短信"},
    "make-sure-verification-code": {"code": 1, "msg": 8013, "info": "验证码错误"},
    "changepasswd": {"code": 1, "msg": 8013, "info": "令牌无效"},
    "verify-code": {"code": 401, "msg": "Unauthorized"},
    "mobile": {"code": 401, "msg": "Unauthorized"},
    "import-users": {"created": 2, "exists": 0, "invalid": 0},
}


def check(holds, message):
    if not holds:
        sys.exit(f"FAILED: {message}")


def check_answer(what, answer, expected):
    print(f"{what}: {json.dumps(answer, ensure_ascii=False)[:160]}")
    got = {name: answer.get(name) for name in expected}
    check(got == expected, f"{what} answered {got}, not {expected}")


def check_login(answer):
    check_answer("login", answer, {"status": 200, "code": "OK", "success": True})
    user = answer["result"]
    check((user["name"], user["countryCode"], user["phone"]) == ("eric", "86", PHONE), f"logged in {user}")
    check(answer.get("token"), "no session token")


def sent_code():
    """The code in the newest SMS to PHONE."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        with urllib.request.urlopen(INBOX, timeout=5) as response:
            messages = [sms["message"] for sms in json.load(response) if sms["phone"] == f"+86{PHONE}"]
        if messages:
            return re.search(r"(?<!\d)\d{6}(?!\d)", messages[-1])[0]
        time.sleep(0.1)
    check(False, "no SMS came")


def readme(output):
    text = (ROOT / "README.md").read_text()
    blocks = "".join(re.findall(r"^```\w*\n(.*?)^```", text, re.M | re.S)).replace("\\\n", " ")
    for command in ("cargo run -p local", "cargo test"):
        check(re.search(rf"^(\$ )?{command}\b", blocks, re.M), f"README doesn't show `{command}`")

    def curl(path, values):
        found = re.search(rf"^(?:\$ )?(curl .*{path}.*)$", blocks, re.M)
        check(found, f"README shows no curl for {path}")
        command = found[1]
        for name, value in values.items():
            command, put = re.subn(rf'("{name}\\?"\s*:\s*\\?")[^"\\]*', rf"\g<1>{value}", command)
            check(put == 1, f"README's curl for {path} has no {name}")
        print(f"$ {found[1][:160]}")
        out = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=30)
        check("{" in out.stdout, f"curl got {out.stdout!r} {out.stderr!r}")
        return json.loads(out.stdout[out.stdout.index("{") :])

    answer = curl("/v1/user/sendLoginMessage", {})
    check_answer("send", answer, {"status": 200, "code": "OK", "success": True})
    code = sent_code()
    check_login(curl("/v1/user/loginByMessage", {"phoneInfo": answer["result"], "code": code}))
    check(code in pathlib.Path(output).read_text(), "the local system didn't print the SMS")


def events(port, *logs):
    names = sorted(path.name for path in (ROOT / "functions").iterdir())
    check(names == sorted(ANSWERS), f"functions are {names}; ANSWERS has {sorted(ANSWERS)}")

    def invoke(name, event):
        command = ["cargo", "lambda", "invoke", name, "--invoke-port", port, "--data-file", str(event)]
        out = subprocess.run(command, capture_output=True, text=True, timeout=300)
        check(out.returncode == 0, f"{name} failed: {out.stdout}{out.stderr}")
        answer = json.loads(out.stdout)
        return json.loads(answer["body"]) if "body" in answer else answer  # no route, no envelope

    answers = {}
    for name, expected in ANSWERS.items():
        answers[name] = invoke(name, ROOT / f"events/{name}.json")
        check_answer(name, answers[name], expected)

    event = json.loads((ROOT / "events/login-by-message.json").read_text())
    login = {"phoneInfo": answers["send-login-message"]["result"], "code": sent_code()}
    event["body"] = json.dumps(login)
    path = ROOT / "target/ci/login.json"
    path.write_text(json.dumps(event))
    answer = invoke("login-by-message", path)
    check_login(answer)

    logged = "".join(pathlib.Path(log).read_text() for log in logs)
    check('"outcome":"OK"' in logged, "the functions log nothing")
    for secret in (PHONE, login["code"], login["phoneInfo"], answer["token"]):
        check(secret not in logged, f"a log holds {secret}")


{"readme": readme, "events": events}[sys.argv[1]](*sys.argv[2:])
