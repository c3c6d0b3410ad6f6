/**
 * The environment, read on the server and at run time: one image serves every environment,
 * and nothing of it reaches the browser.
 */
export interface Config {
  backendUrl: string;
  authSecret: string;
  user: string;
}

type Environment = Record<string, string | undefined>;

/** Throws an error that names every variable at fault and shows no value. */
export function readConfig(env: Environment = process.env): Config {
  const { BACKEND_URL = "", AUTH_SECRET = "", TODO_USER } = env;
  const problems = [
    !BACKEND_URL && "BACKEND_URL is not set",
    BACKEND_URL && !isWebAddress(BACKEND_URL) && "BACKEND_URL is not an http(s) address",
    !AUTH_SECRET && "AUTH_SECRET is not set",
  ].filter(Boolean);
  if (problems.length > 0) throw new Error(problems.join("; "));
  return {
    backendUrl: BACKEND_URL.replace(/\/+$/, ""),
    authSecret: AUTH_SECRET,
    user: TODO_USER || "demo",
  };
}

function isWebAddress(text: string): boolean {
  return /^https?:$/.test(URL.parse(text)?.protocol ?? "");
}
