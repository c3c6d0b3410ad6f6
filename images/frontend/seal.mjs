/**
 * Takes the secrets out of the build.
 *
 * `next build` makes random keys for preview mode and server actions and leaves them beside the code,
 * where everyone who can pull the image can read them; and no two builds would be equal. This
 * application uses neither feature, so both are closed: `false` equals no cookie and no header, and an
 * empty key makes Next.js refuse (set NEXT_SERVER_ACTIONS_ENCRYPTION_KEY at run time to use actions).
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";

const root = ".next/standalone/.next";
const previewFiles = [`${root}/server/preview-props.json`, `${root}/prerender-manifest.json`];
const actionsFiles = ["json", "js"].map((type) => `${root}/server/server-reference-manifest.${type}`);

const read = (file) => readFileSync(file, "utf8");
const preview = Object.values(JSON.parse(read(previewFiles[0])));
const { encryptionKey } = JSON.parse(read(actionsFiles[0]));
const secrets = [...preview, encryptionKey];
if (secrets.length !== 4 || !secrets.every((secret) => secret?.length >= 32)) {
  throw new Error("Next.js keeps its build-time keys elsewhere now: seal.mjs has to follow.");
}

for (const file of previewFiles) {
  const sealed = preview.reduce((text, key) => text.replaceAll(`"${key}"`, "false"), read(file));
  writeFileSync(file, sealed);
}
for (const file of actionsFiles) writeFileSync(file, read(file).replaceAll(encryptionKey, ""));

for (const folder of [".next/standalone", ".next/static"]) {
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const file = `${entry.parentPath}/${entry.name}`;
    if (entry.isFile() && secrets.some((secret) => readFileSync(file).includes(secret))) {
      throw new Error(`${file} still holds a build-time key: seal.mjs has to follow.`);
    }
  }
}
