import assert from "node:assert/strict";
import { test } from "node:test";
import { readConfig } from "./config.ts";

const complete = { BACKEND_URL: "http://backend:8000/", AUTH_SECRET: "s3cret" };

test("a complete environment is accepted, with a default user", () => {
  assert.deepEqual(readConfig(complete), {
    backendUrl: "http://backend:8000",
    authSecret: "s3cret",
    user: "demo",
  });
});

test("every missing variable is named at once", () => {
  assert.throws(() => readConfig({}), /BACKEND_URL is not set; AUTH_SECRET is not set/);
});

test("a bad address is refused without showing it", () => {
  for (const BACKEND_URL of ["backend:8000", "file:///etc/passwd"]) {
    assert.throws(
      () => readConfig({ ...complete, BACKEND_URL }),
      (error: Error) => error.message === "BACKEND_URL is not an http(s) address",
    );
  }
});
