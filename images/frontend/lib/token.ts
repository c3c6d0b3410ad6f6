import { createHmac } from "node:crypto";

const LIFETIME_SECONDS = 60;

/**
 * A short-lived HS256 JSON Web Token that tells the backend whose tasks are asked for.
 *
 * Everyone who opens this demo is the same user. Real sign-in plugs in here: take the user from a
 * verified session instead of from the configuration, and nothing else has to change.
 */
export function mintToken(user: string, secret: string, now: Date = new Date()): string {
  const issued = Math.floor(now.getTime() / 1000);
  const header = encode({ alg: "HS256", typ: "JWT" });
  const claims = encode({ sub: user, iat: issued, exp: issued + LIFETIME_SECONDS });
  const signature = createHmac("sha256", secret).update(`${header}.${claims}`).digest("base64url");
  return `${header}.${claims}.${signature}`;
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}
