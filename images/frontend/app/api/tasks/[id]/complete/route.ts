import { forward, refuse } from "../../../../../lib/backend.ts";

/** Turns done into open and open into done. */
export async function PATCH(
  _: Request,
  { params }: RouteContext<"/api/tasks/[id]/complete">,
): Promise<Response> {
  const { id } = await params;
  return /^\d+$/.test(id) ? forward("PATCH", `/tasks/${id}/complete`) : refuse(404, "No such task.");
}
