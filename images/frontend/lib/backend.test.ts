import assert from "node:assert/strict";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { mock, test } from "node:test";
import { forward } from "./backend.ts";

process.env.AUTH_SECRET = "s3cret";

async function withBackend(listener: RequestListener, use: () => Promise<void>) {
  const server = createServer(listener).listen(0, "127.0.0.1");
  await new Promise((ready) => server.once("listening", ready));
  process.env.BACKEND_URL = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const log = mock.method(console, "error", () => {});
  try {
    await use();
    for (const call of log.mock.calls) assert.doesNotMatch(String(call.arguments), /s3cret|127\.0/);
  } finally {
    log.mock.restore();
    server.close();
  }
}

test("the answer is passed on, asked for with the user's token", async () => {
  await withBackend(
    (request, response) => {
      assert.equal(request.url, "/api/demo/tasks");
      assert.match(request.headers.authorization ?? "", /^Bearer [\w-]+\.[\w-]+\.[\w-]+$/);
      response.end("[]");
    },
    async () => {
      const reply = await forward("GET", "/tasks");
      assert.deepEqual([reply.status, await reply.json()], [200, []]);
    },
  );
});

test("an answer without a body stays one", async () => {
  await withBackend(
    (_, response) => response.writeHead(204).end(),
    async () => assert.equal((await forward("DELETE", "/tasks/1")).status, 204),
  );
});

for (const [answered, passed] of [[404, 404], [422, 422], [401, 502], [500, 502]] as const) {
  test(`${answered} from the backend becomes ${passed}`, async () => {
    await withBackend(
      (_, response) => response.writeHead(answered).end("{}"),
      async () => assert.equal((await forward("GET", "/tasks")).status, passed),
    );
  });
}

test("an unreachable backend becomes 502", async () => {
  await withBackend(
    (request) => request.socket.destroy(),
    async () => assert.equal((await forward("GET", "/tasks")).status, 502),
  );
});
