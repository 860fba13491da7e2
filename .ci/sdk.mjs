// The life of an account by @supabase/auth-js, unchanged, against a running local system.
//
//   node sdk.mjs ISSUER INBOX
import { GoTrueClient } from "@supabase/auth-js";

const [issuer, inbox] = process.argv.slice(2);
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
  const messages = (await (await fetch(inbox)).json()).filter((sms) => sms.phone === `+${phone}`);
  return messages.at(-1).message.match(/(?<!\d)\d{6}(?!\d)/)[0];
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
