/** Alive means: this process answers. The backend's health is the backend's own to tell. */
export const dynamic = "force-dynamic";

export function GET(): Response {
  return Response.json({ status: "ok" });
}
