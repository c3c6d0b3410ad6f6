import { forward, refuse } from "../../../lib/backend.ts";
import { TITLE_LENGTH } from "../../../lib/task.ts";

export const dynamic = "force-dynamic";

export function GET(): Promise<Response> {
  return forward("GET", "/tasks");
}

export async function POST(request: Request): Promise<Response> {
  // A page of another site can send forms and plain text here, but not JSON.
  if (!request.headers.get("content-type")?.startsWith("application/json")) {
    return refuse(415, "Send the task as application/json.");
  }
  const body = await request.json().catch(() => null);
  const title = typeof body?.title === "string" ? body.title.trim() : "";
  if (!title || title.length > TITLE_LENGTH) {
    return refuse(422, `A task needs a title of at most ${TITLE_LENGTH} characters.`);
  }
  return forward("POST", "/tasks", { title });
}
