// The life of an account by @supabase/auth-js, unchanged, against a running local system.
//
//   node sdk.mjs ISSUER LOCAL
//
// LOCAL is where the local system has its inbox and its clock: http://127.0.0.1:9000/_local
import { GoTrueClient } from "@supabase/auth-js";

const [issuer, local] = process.argv.slice(2);
const headers = { apikey: "anon", Authorization: "Bearer anon" };

/** A storage as a page has it, which its windows share. */
function storage() {
  const items = new Map();
  return {
    getItem: (key) => items.get(key) ?? null,
    setItem: (key, value) => void items.set(key, value),
    removeItem: (key) => void items.delete(key),
  };
}

const client = (shared = storage()) =>
  new GoTrueClient({
    url: issuer,
    headers,
    storage: shared,
    storageKey: "latchkey",
    autoRefreshToken: false,
    persistSession: true,
    detectSessionInUrl: false,
  });

function check(holds, what) {
  if (!holds) throw new Error(`FAILED: ${what}`);
  console.log(`auth-js: ${what}`);
}

/** The data of an answer that is no error. */
function good({ data, error }) {
  if (error) throw error;
  return data;
}

/** Checks that an answer is this error. */
function refused({ error }, what, status, code) {
  check(error?.status === status && error?.code === code, `${what}: ${error?.status} ${error?.code} ${error?.message}`);
}

async function code(phone) {
  const messages = (await (await fetch(`${local}/messages`)).json()).filter((sms) => sms.phone === `+${phone}`);
  return messages.at(-1).message.match(/(?<!\d)\d{6}(?!\d)/)[0];
}

/** Lets time pass, here and there. */
async function wait(seconds) {
  const passed = await fetch(`${local}/wait/${seconds}`, { method: "POST" });
  if (!passed.ok) throw new Error(`FAILED: the clock answered ${passed.status}`);
  const now = Date.now;
  Date.now = () => now() + seconds * 1000;
}

const phone = "8613900139777";
const known = { phone: "8613800138001", password: "eric-password" };

// A new number signs up.
const first = client();
good(await first.signInWithOtp({ phone: `+${phone}`, options: { data: { name: "Zoë" } } }));
refused(await first.signInWithOtp({ phone }), "another code at once", 429, "over_sms_send_rate_limit");
refused(await first.verifyOtp({ phone, token: "abc", type: "sms" }), "a wrong code", 403, "otp_expired");
const { session, user } = good(await first.verifyOtp({ phone, token: await code(phone), type: "sms" }));
check(user.phone === phone && user.user_metadata.name === "Zoë", `${user.id} signed up`);
refused(
  await client().signInWithOtp({ phone: "8613900139778", options: { shouldCreateUser: false } }),
  "a sign-up that is not wanted",
  422,
  "otp_disabled",
);

// The session.
check(good(await first.getUser()).user.id === user.id, "the account is read");
const { claims } = good(await first.getClaims());
check(claims.sub === user.id && claims.session_id, "the claims are checked with the published keys");
const refreshed = good(await first.refreshSession()).session;
check(refreshed.refresh_token !== session.refresh_token, "the session is refreshed");

// Two windows of one storage, and two devices with one token, refresh at once.
const shared = storage();
const windows = [client(shared), client(shared)];
good(await windows[0].setSession(refreshed));
const answers = await Promise.all(windows.map((window) => window.refreshSession()));
const tokens = new Set(answers.filter(({ data }) => data.session).map(({ data }) => data.session.refresh_token));
check(tokens.size === 1, "two windows refresh at once and have one token");
good(await windows[1].refreshSession());
check(good(await windows[0].getUser()).user.id === user.id, "both stay signed in");
const newest = (await windows[0].getSession()).data.session;
const devices = await Promise.all([client(), client()].map((device) => device.refreshSession(newest)));
check(
  new Set(devices.map((answer) => good(answer).session.refresh_token)).size === 1,
  "two storages refresh at once and have one token",
);

// A page that is opened an hour later refreshes by itself.
const later = storage();
await later.setItem("latchkey", JSON.stringify({ ...devices[0].data.session, expires_at: 1 }));
const reopened = client(later);
check(
  (await reopened.getSession()).data.session.expires_at > Date.now() / 1000,
  "an expired session is refreshed by itself",
);

// A stolen token.
const old = session.refresh_token;
refused(
  await client().refreshSession({ refresh_token: old }),
  "an old refresh token",
  400,
  "refresh_token_already_used",
);
refused(await client().refreshSession({ refresh_token: old }), "it again", 400, "refresh_token_not_found");
const over = await reopened.getUser();
check(over.error && !over.data.user, `the session is over: ${over.error?.name}`);
refused(await client().refreshSession({ refresh_token: "short" }), "no refresh token", 400, "validation_failed");

// A password, and every scope of a logout.
refused(
  await client().signInWithPassword({ ...known, password: "wrong-password" }),
  "a wrong password",
  400,
  "invalid_credentials",
);
for (const [scope, ends] of [
  ["local", [true, false]],
  ["others", [false, true]],
  ["global", [true, true]],
]) {
  const [one, other] = [client(), client()];
  for (const device of [one, other]) good(await device.signInWithPassword(known));
  const [mine, others] = [(await one.getSession()).data.session, (await other.getSession()).data.session];
  good({ data: {}, ...(await one.signOut({ scope })) });
  for (const [which, { access_token }, ended] of [
    ["this session", mine, ends[0]],
    ["the other", others, ends[1]],
  ]) {
    const { error } = await client().getUser(access_token);
    check(Boolean(error) === ended, `a logout of scope ${scope} ${ended ? "ends" : "leaves"} ${which}`);
  }
}

// What the account keeps.
const own = client();
good(await own.signInWithPassword(known));
const changed = good(await own.updateUser({ data: { theme: "dark", old: 1 } })).user;
check(changed.user_metadata.theme === "dark", "data is kept");
const merged = good(await own.updateUser({ data: { old: null } })).user.user_metadata;
check(merged.theme === "dark" && !("old" in merged), "data is merged, and null drops a key");
refused(await own.updateUser({ data: { k: "x".repeat(2048) } }), "too much data", 400, "validation_failed");
refused(await own.updateUser({ email: "eric@example.com" }), "an e-mail address", 422, "email_provider_disabled");

// Another phone.
refused(await own.updateUser({ phone: "+8613627140483" }), "a phone that is taken", 422, "phone_exists");
const moved = "8613900139779";
check(good(await own.updateUser({ phone: `+${moved}` })).user.new_phone === moved, "a change of the phone is open");
refused(await own.resend({ type: "phone_change", phone: moved }), "its code at once", 429, "over_sms_send_rate_limit");
await wait(61);
good(await own.resend({ type: "phone_change", phone: moved }));
const there = good(await own.verifyOtp({ phone: moved, token: await code(moved), type: "phone_change" }));
check(there.user.phone === moved && !there.user.new_phone, "the phone is changed");

// A password: in a fresh session, and with a nonce in an old one.
refused(await own.updateUser({ password: "short" }), "a short password", 422, "weak_password");
refused(await own.updateUser({ password: known.password }), "the same password", 422, "same_password");
good(await own.updateUser({ password: "second-password" }));
good(await client().signInWithPassword({ phone: moved, password: "second-password" }));
await wait(25 * 3600);
check((await own.getSession()).data.session.expires_at > Date.now() / 1000, "a day later it is refreshed by itself");
refused(await own.updateUser({ password: "third-password" }), "no nonce", 400, "reauthentication_needed");
good(await own.reauthenticate());
const third = { password: "third-password" };
refused(await own.updateUser({ ...third, nonce: "abc" }), "a wrong nonce", 422, "reauthentication_not_valid");
good(await own.updateUser({ ...third, nonce: await code(moved) }));
good(await client().signInWithPassword({ phone: moved, password: "third-password" }));
check(good(await own.getUser()).user.phone === moved, "the session goes on");

// What is not here.
const nobody = client();
const email = { email: "eric@example.com", password: "eric-password" };
refused(await nobody.signUp({ phone: "+8613900139780", password: "secret" }), "a sign-up", 422, "signup_disabled");
refused(await nobody.signInAnonymously(), "nobody", 422, "anonymous_provider_disabled");
refused(await nobody.signInWithOtp({ email: email.email }), "a link", 422, "email_provider_disabled");
refused(await nobody.signInWithPassword(email), "an e-mail address", 422, "email_provider_disabled");
refused(await nobody.resetPasswordForEmail(email.email), "a recovery", 400, "email_provider_disabled");
refused(await nobody.resend({ type: "signup", email: email.email }), "a resend", 400, "email_provider_disabled");
refused(
  await nobody.verifyOtp({ email: email.email, token: "123456", type: "email" }),
  "a code by e-mail",
  403,
  "otp_expired",
);
refused(await nobody.signInWithIdToken({ provider: "google", token: "x" }), "an id token", 400, "provider_disabled");
refused(await nobody.signInWithSSO({ domain: "example.com" }), "SAML", 404, "saml_provider_disabled");
refused(await own.mfa.enroll({ factorType: "totp" }), "a factor", 422, "mfa_totp_enroll_not_enabled");
refused(await own.mfa.unenroll({ factorId: "1" }), "no factor", 404, "mfa_factor_not_found");
refused(await own.linkIdentity({ provider: "github" }), "an identity", 404, "manual_linking_disabled");
refused(await nobody.admin.listUsers(), "administration", 403, "not_admin");
refused(await nobody.getUser("a.b.c"), "no token", 403, "bad_jwt");

// A session that is over.
const gone = client();
good(await gone.setSession((await own.getSession()).data.session));
good({ data: {}, ...(await own.signOut({ scope: "local" })) });
const ended = await gone.updateUser({ data: {} });
check(ended.error && !ended.data.user, `the session is over: ${ended.error?.name} ${ended.error?.code ?? ""}`);

// The end: what GoTrue leaves to administrators, the owner asks for with the SDK's token.
const leaving = client();
const left = good(await leaving.signInWithPassword({ phone: moved, password: "third-password" }));
const withToken = { ...headers, Authorization: `Bearer ${left.session.access_token}` };
await fetch(`${issuer}/reauthenticate?for=delete`, { headers: withToken });
const body = JSON.stringify({ nonce: await code(moved) });
const removed = await fetch(`${issuer}/user`, { method: "DELETE", headers: withToken, body });
check(removed.status === 204, "the account is deleted");
const dead = await leaving.getUser();
check(dead.error && !dead.data.user, `the session is over: ${dead.error?.name} ${dead.error?.code ?? ""}`);
refused(
  await client().signInWithPassword({ phone: moved, password: "third-password" }),
  "the account is gone",
  400,
  "invalid_credentials",
);
