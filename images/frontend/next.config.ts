import { createHash } from "node:crypto";
import { globSync, readFileSync } from "node:fs";
import type { NextConfig } from "next";

/** Same sources, same id: the build is reproducible, and browsers refetch only what changed. */
function sourceHash(): string {
  const hash = createHash("sha256");
  for (const file of globSync(["{app,lib,public}/**/*.*", "*.config.ts", "*.json"]).sort()) {
    hash.update(file).update("\0").update(readFileSync(file)).update("\0");
  }
  return hash.digest("hex").slice(0, 16);
}

const contentSecurityPolicy = [
  "default-src 'self'",
  "script-src 'self' 'unsafe-inline'", // Next.js starts a prerendered page with inline scripts
  "style-src 'self' 'unsafe-inline'",
  "object-src 'none'",
  "base-uri 'self'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join("; ");

const config: NextConfig = {
  output: "standalone",
  outputFileTracingRoot: import.meta.dirname,
  generateBuildId: sourceHash,
  images: { unoptimized: true },
  outputFileTracingExcludes: {
    // The image optimiser's native library: nothing here uses it.
    "*": ["node_modules/{sharp,@img,semver,detect-libc}/**"],
  },
  experimental: {
    isrFlushToDisk: false, // the server runs on a read-only filesystem
    turbopackSourceMaps: false, // for the server too, where they would be shipped
  },
  poweredByHeader: false,
  headers: async () => [
    {
      source: "/:path*",
      headers: [
        { key: "Content-Security-Policy", value: contentSecurityPolicy },
        { key: "Referrer-Policy", value: "no-referrer" },
        { key: "X-Content-Type-Options", value: "nosniff" },
      ],
    },
  ],
};

export default config;
