/**
 * Prints the SBOM that tells a scanner what no package manager knows: which Node.js is in the image.
 * Run by that very binary, so the version is never somebody's claim. The same binary, the same bytes.
 *
 * The purl type is `bitnami` because it is the one under which scanners hold advisories for the Node.js
 * runtime (`generic` is skipped, `npm/node` is another thing); its versions are Node.js's own. The CPE
 * names the real vendor.
 */
const version = process.versions.node;
if (!process.release.lts) throw new Error(`Node.js ${version} is not a long-term support release`);

console.log(JSON.stringify({
  bomFormat: "CycloneDX",
  specVersion: "1.6",
  version: 1,
  metadata: { component: { type: "application", "bom-ref": "base-node", name: "base-node" } },
  components: [{
    type: "application",
    "bom-ref": `pkg:bitnami/node@${version}`,
    supplier: { name: "OpenJS Foundation" },
    name: "node",
    version,
    licenses: [{ license: { id: "MIT" } }],
    cpe: `cpe:2.3:a:nodejs:node.js:${version}:*:*:*:*:*:*:*`,
    purl: `pkg:bitnami/node@${version}`,
  }],
}, null, 2));
