/** A task as the backend's API describes it. */
export interface Task {
  id: number;
  title: string;
  description: string | null;
  completed: boolean;
  created_at: string;
  updated_at: string;
}

export const TITLE_LENGTH = 200;
