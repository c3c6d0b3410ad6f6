import { forward, refuse } from "../../../../lib/backend.ts";

export async function DELETE(
  _: Request,
  { params }: RouteContext<"/api/tasks/[id]">,
): Promise<Response> {
  const { id } = await params;
  return /^\d+$/.test(id) ? forward("DELETE", `/tasks/${id}`) : refuse(404, "No such task.");
}
