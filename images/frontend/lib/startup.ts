import { readConfig } from "./config.ts";

/** Next.js finishes open requests on SIGTERM; this is for the one that never ends. */
const STOP_MS = 9_000;

try {
  readConfig();
} catch (error) {
  console.error(`cannot start: ${(error as Error).message}`);
  process.exit(1);
}

process.once("SIGTERM", () => setTimeout(() => process.exit(143), STOP_MS).unref());
