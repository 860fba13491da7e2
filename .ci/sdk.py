"""A life of an account by supabase_auth, Supabase's SDK for Python, unchanged, against a running local system.

  sdk.py ISSUER LOCAL             LOCAL is where the local system has its inbox: http://127.0.0.1:9000/_local
"""

import json
import re
import sys
import urllib.request

from supabase_auth import SyncGoTrueClient
from supabase_auth.errors import AuthApiError

ISSUER, LOCAL = sys.argv[1:]
PHONE, MOVED = "8613900139877", "8613900139878"


def check(holds, what):
    if not holds:
        sys.exit(f"FAILED: {what}")
    print(f"supabase_auth: {what}")


def refused(what, code, call, *arguments):
    try:
        call(*arguments)
    except AuthApiError as error:
        check(error.code == code, f"{what}: {error.status} {error.code} {error.message}")
    else:
        check(False, f"{what} is not refused")


def code(phone):
    with urllib.request.urlopen(f"{LOCAL}/messages", timeout=5) as response:
        messages = [sms["message"] for sms in json.load(response) if sms["phone"] == f"+{phone}"]
    return re.search(r"(?<!\d)\d{6}(?!\d)", messages[-1])[0]


auth = SyncGoTrueClient(url=ISSUER, headers={"apikey": "any"}, auto_refresh_token=False)
auth.sign_in_with_otp({"phone": f"+{PHONE}", "options": {"data": {"name": "Zoë"}}})
again = {"phone": PHONE}
refused("another code at once", "over_sms_send_rate_limit", auth.sign_in_with_otp, again)
wrong = {"phone": PHONE, "token": "abc", "type": "sms"}
refused("a wrong code", "otp_expired", auth.verify_otp, wrong)
answer = auth.verify_otp({"phone": PHONE, "token": code(PHONE), "type": "sms"})
check(answer.user.phone == PHONE and answer.user.user_metadata == {"name": "Zoë"}, f"{answer.user.id} signed up")
check(auth.get_user().user.id == answer.user.id, "the account is read")
check(auth.get_claims()["claims"]["sub"] == answer.user.id, "the claims are checked with the published keys")
refreshed = auth.refresh_session().session
check(refreshed.refresh_token != answer.session.refresh_token, "the session is refreshed")
check(auth.update_user({"data": {"theme": "dark"}}).user.user_metadata["theme"] == "dark", "data is kept")
check(auth.update_user({"phone": f"+{MOVED}"}).user.new_phone == MOVED, "a change of the phone is open")
moved = auth.verify_otp({"phone": MOVED, "token": code(MOVED), "type": "phone_change"})
check(moved.user.phone == MOVED, "the phone is changed")
auth.update_user({"password": "second-password"})
credentials = {"phone": MOVED, "password": "second-password"}
check(auth.sign_in_with_password(credentials).user.id == answer.user.id, "a password signs in")
refused("a wrong password", "invalid_credentials", auth.sign_in_with_password, {**credentials, "password": "no-password"})
auth.sign_out()
check(auth.get_session() is None, "signed out")
