// Makes bundle/ of src/: what a page of results is given, one script or style sheet each, needing no other file.
//
// Each script ends with the licences of the packages in it, as these ask for. bundle/SHA256SUMS changes whenever one
// of them does, so that the workflow makes the page anew.

import { createHash } from "node:crypto";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";

const here = import.meta.dirname;
const out = join(here, "bundle");

/** Names of the packages of which a bundle has files, sorted. */
function packagesIn(inputs) {
  const names = Object.keys(inputs)
    .map((file) => file.match(/.*node_modules\/((?:@[^/]+\/)?[^/]+)\//)?.[1])
    .filter((name) => name !== undefined);
  return [...new Set(names)].sort();
}

/** The text of a package's licence, or what its package.json names. */
function licenceOf(name) {
  const folder = join(here, "node_modules", name);
  const about = JSON.parse(readFileSync(join(folder, "package.json"), "utf-8"));
  const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
  const text = file ? readFileSync(join(folder, file), "utf-8").trim() : about.license;
  return `${name} ${about.version}\n\n${text}`;
}

rmSync(out, { recursive: true, force: true });
const { metafile } = await build({
  absWorkingDir: here,
  entryPoints: ["src/index.ts", "src/scans.ts", "src/viewer.ts", "src/blinded.ts", "src/page.css"],
  outdir: "bundle",
  bundle: true,
  minify: true,
  format: "iife",
  target: "es2022",
  charset: "ascii", // a page may be read as whatever encoding
  legalComments: "none",
  metafile: true,
  logLevel: "warning",
});

const sums = Object.keys(metafile.outputs)
  .sort()
  .map((file) => {
    const path = join(here, file);
    const licences = packagesIn(metafile.outputs[file].inputs).map(licenceOf);
    const notice = licences.join("\n\n\n").replaceAll("*/", "* /").replaceAll("</", "< /");
    const text = readFileSync(path, "utf-8") + (licences.length ? `/*\n${notice}\n*/\n` : "");
    writeFileSync(path, text);
    return `${createHash("sha256").update(text).digest("hex")}  ${file.replace("bundle/", "")}\n`;
  });
writeFileSync(join(out, "SHA256SUMS"), sums.join(""));
