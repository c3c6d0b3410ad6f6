"use client";

import { type SubmitEvent, useCallback, useEffect, useRef, useState } from "react";
import { type Task, TITLE_LENGTH } from "../lib/task.ts";

/** Calls this application's own routes; the backend is never visible from here. */
async function call(method: string, path = "", body?: object): Promise<Response> {
  const reply = await fetch(`/api/tasks${path}`, {
    method,
    headers: body && { "content-type": "application/json" },
    body: body && JSON.stringify(body),
  });
  if (!reply.ok) {
    const { detail } = await reply.json().catch(() => ({}));
    throw new Error(typeof detail === "string" ? detail : "That did not work.");
  }
  return reply;
}

export function TaskList() {
  const [tasks, setTasks] = useState<Task[]>();
  const [error, setError] = useState<string>();
  const [busy, setBusy] = useState(true);
  const input = useRef<HTMLInputElement>(null);

  /** Makes one change, if any, and shows what the server then holds. True when it worked. */
  const sync = useCallback(async (change?: () => Promise<Response>): Promise<boolean> => {
    setBusy(true);
    try {
      await change?.();
      setTasks(await (await call("GET")).json());
      setError(undefined);
      return true;
    } catch (failure) {
      setError(failure instanceof TypeError ? "No connection." : (failure as Error).message);
      return false;
    } finally {
      setBusy(false);
    }
  }, []);

  useEffect(() => void sync(), [sync]);

  // One thing at a time. Controls are not disabled meanwhile: the keyboard would lose its place.
  const act: typeof sync = async (change) => !busy && sync(change);

  async function add(event: SubmitEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = event.currentTarget;
    const title = new FormData(form).get("title");
    if (await act(() => call("POST", "", { title }))) form.reset();
    input.current?.focus();
  }

  async function remove(task: Task) {
    const gone = await act(() => call("DELETE", `/${task.id}`));
    if (gone) input.current?.focus(); // the button that had the focus went with the task
  }

  const open = tasks?.filter((task) => !task.completed).length ?? 0;

  return (
    <>
      <form onSubmit={add}>
        <label htmlFor="title">New task</label>
        <input
          id="title"
          name="title"
          ref={input}
          required
          pattern=".*\S.*"
          maxLength={TITLE_LENGTH}
          autoComplete="off"
          placeholder="What is to be done?"
        />
        <button type="submit">Add</button>
      </form>

      {error && (
        <div role="alert">
          <p>{error}</p>
          <button type="button" onClick={() => act()}>Try again</button>
        </div>
      )}

      <p role="status">{summary(tasks, open, error)}</p>

      <ul aria-label="Tasks" aria-busy={busy}>
        {tasks?.map((task) => (
          <li key={task.id}>
            <label>
              <input
                type="checkbox"
                checked={task.completed}
                onChange={() => act(() => call("PATCH", `/${task.id}/complete`))}
              />
              <span className="title">{task.title}</span>
              {task.description && <span className="description">{task.description}</span>}
            </label>
            <button
              type="button"
              className="quiet"
              aria-label={`Delete “${task.title}”`}
              onClick={() => remove(task)}
            >
              Delete
            </button>
          </li>
        ))}
      </ul>
    </>
  );
}

function summary(tasks: Task[] | undefined, open: number, error?: string): string {
  if (!tasks) return error ? "" : "Loading tasks…";
  if (tasks.length === 0) return "Nothing here yet. Add your first task above.";
  if (open === 0) return "All done.";
  return `${open} of ${tasks.length} still to do`;
}
