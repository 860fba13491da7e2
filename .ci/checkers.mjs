// Has jose check access tokens, of which it is told the issuer and nothing else. See checkers.py.
import { createRemoteJWKSet, jwtVerify } from "jose";

const [issuer, audience, token, changed, session] = process.argv.slice(2);
const discovery = await (await fetch(`${issuer}/.well-known/openid-configuration`)).json();
const keys = createRemoteJWKSet(new URL(discovery.jwks_uri));
const expected = { issuer, audience, algorithms: discovery.id_token_signing_alg_values_supported };

const { payload, protectedHeader } = await jwtVerify(token, keys, expected);
if (payload.uuid !== 5 || protectedHeader.alg !== "RS256") throw new Error(`jose read ${JSON.stringify(payload)}`);
console.log(`jose admits the token of ${payload.sub}`);

const later = (seconds) => new Date((payload.iat + seconds) * 1000);
await jwtVerify(token, keys, { ...expected, currentDate: later(3599) });
for (const [what, refused, others] of [
  ["a changed signature", changed, {}],
  ["another audience", token, { audience: "anon" }],
  ["another issuer", token, { issuer: `${issuer}/` }],
  ["a token after an hour", token, { currentDate: later(3600) }],
  ["a session token", session, {}],
]) {
  const error = await jwtVerify(refused, keys, { ...expected, ...others }).then(
    () => null,
    (error) => error,
  );
  if (!error) throw new Error(`jose admits ${what}`);
  console.log(`jose refuses ${what}: ${error.message}`);
}
