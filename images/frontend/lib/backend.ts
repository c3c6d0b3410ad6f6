import { readConfig } from "./config.ts";
import { mintToken } from "./token.ts";

/** Well below the time a stopping container has, so a slow backend never delays a shutdown. */
const TIMEOUT_MS = 5_000;

/** What the person at the browser can act on; any other refusal is a fault between the servers. */
const PASSED_ON = [404, 422];

/** Asks the backend in the user's name and hands its answer to the browser. */
export async function forward(method: string, path: string, body?: object): Promise<Response> {
  const { backendUrl, authSecret, user } = readConfig();
  try {
    const reply = await fetch(`${backendUrl}/api/${encodeURIComponent(user)}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${mintToken(user, authSecret)}`,
        "content-type": "application/json",
      },
      body: body && JSON.stringify(body),
      cache: "no-store",
      redirect: "error",
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    const text = await reply.text();
    if (!reply.ok && !PASSED_ON.includes(reply.status)) {
      return unavailable(method, `answered ${reply.status}`);
    }
    return new Response(text || null, {
      status: reply.status,
      headers: { "content-type": "application/json", "cache-control": "no-store" },
    });
  } catch (error) {
    return unavailable(method, reason(error));
  }
}

export function refuse(status: number, detail: string): Response {
  return Response.json({ detail }, { status });
}

function unavailable(method: string, why: string): Response {
  console.error(JSON.stringify({ level: "error", event: "backend_failed", method, why }));
  return refuse(502, "The task service is not available right now.");
}

/** Names and codes only: a message could repeat an address. */
function reason(error: unknown): string {
  if (!(error instanceof Error)) return "unknown";
  const code = (error.cause as { code?: string } | undefined)?.code;
  return code ?? error.name;
}
