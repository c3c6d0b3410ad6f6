import { TaskList } from "./task-list.tsx";

export default function Page() {
  return (
    <main>
      <h1>Tasks</h1>
      <TaskList />
    </main>
  );
}
