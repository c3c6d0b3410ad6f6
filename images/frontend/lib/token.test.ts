import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { test } from "node:test";
import { mintToken } from "./token.ts";

const decode = (part = "") => JSON.parse(Buffer.from(part, "base64url").toString());
const noon = new Date("2026-01-01T12:00:00.900Z");

test("the token names the user and lives for one minute", () => {
  const [header, claims] = mintToken("ada", "secret", noon).split(".");
  assert.deepEqual(decode(header), { alg: "HS256", typ: "JWT" });
  assert.deepEqual(decode(claims), { sub: "ada", iat: 1767268800, exp: 1767268860 });
});

test("the signature is HMAC-SHA256 over header and claims", () => {
  const [header, claims, signature] = mintToken("ada", "secret", noon).split(".");
  const expected = createHmac("sha256", "secret").update(`${header}.${claims}`).digest("base64url");
  assert.equal(signature, expected);
});
