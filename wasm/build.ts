/**
 * Makes what is embedded: the program of the job thread (build_job_worker.ts) and the zstd
 * WebAssembly module. Reads `zstd.wasm` of the pinned npm package `@bokuweb/zstd-wasm`, checks its
 * version and SHA-256, and writes `wasm/generated/zstd_wasm.ts`, which
 * `src/compression/zstd_wasm.ts` imports.
 *
 *     node wasm/build.ts              # writes the file
 *     node wasm/build.ts --if-stale   # does nothing when the file is that of the pinned module
 *
 * npm runs it as `prepare`: after `npm ci`, and before packing. The output is not committed, but it
 * is published, with the notices of wasm/NOTICE.txt in front. To move to another version of the
 * package, change the two constants below after reading what the engine relies on in
 * wasm/README.md.
 */

import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { deflateRawSync, inflateRawSync } from "node:zlib";
import { jobWorkerModule } from "./build_job_worker.ts";
import { isJobWorkerUpToDate } from "./freshness.ts";

const PACKAGE = "@bokuweb/zstd-wasm";
const VERSION = "0.0.27";
const WASM_SHA256 = "80260eee5795ee8072bb5821e203730c74dca3909938f5ac1128da67f96223df";

/** Changed whenever the shape of the generated file changes, so that old ones count as stale. */
const GENERATOR = 2;

const here = dirname(fileURLToPath(import.meta.url));
const outputPath = join(here, "generated", "zstd_wasm.ts");
const jobWorkerPath = join(here, "generated", "job_worker.ts");
const stamp = `// generator ${GENERATOR}, ${PACKAGE} ${VERSION}, sha256 ${WASM_SHA256}\n`;

/** The text of a generated file, or "" where there is none. */
function generatedText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return "";
    throw error;
  }
}

/** The bytes of the pinned module; throws when the installed package is any other. */
function readPinnedModule(): Uint8Array {
  const folder = join(here, "..", "node_modules", ...PACKAGE.split("/"));
  const { version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  if (version !== VERSION) {
    throw new Error(`Cannot embed "${PACKAGE}": version is "${version}", expected "${VERSION}"`);
  }
  const wasm = readFileSync(join(folder, "dist", "esm", "zstd.wasm"));
  const sha256 = createHash("sha256").update(wasm).digest("hex");
  if (sha256 !== WASM_SHA256) {
    throw new Error(`Cannot embed "${PACKAGE}": sha256 is ${sha256}, expected ${WASM_SHA256}`);
  }
  return wasm;
}

function zstdModule(wasm: Uint8Array): string {
  const deflated = deflateRawSync(wasm, { level: 9 });
  if (!inflateRawSync(deflated).equals(wasm)) {
    throw new Error(`Cannot embed "${PACKAGE}": the deflated module does not inflate to itself`);
  }
  const notice = readFileSync(join(here, "NOTICE.txt"), "utf8")
    .trimEnd().split("\n").map((line) => `// ${line}`.trimEnd()).join("\n");
  return `${stamp}//
// Made by wasm/build.ts; do not edit.
//
${notice}

/** SHA-256 of the WebAssembly module, in hexadecimal. */
export const ZSTD_WASM_SHA256: string = "${WASM_SHA256}";

/** Length of the WebAssembly module in bytes. */
export const ZSTD_WASM_LENGTH: number = ${wasm.length};

/** Length of the deflated module in bytes. */
export const ZSTD_WASM_DEFLATED_LENGTH: number = ${deflated.length};

/** The WebAssembly module: raw deflate data as base64. */
export const ZSTD_WASM_DEFLATED_BASE64: string =
  "${deflated.toString("base64")}";
`;
}

function write(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  // Written aside and renamed: two installs at once, or a killed one, leave no half file behind.
  const temporaryPath = `${path}.${process.pid}.tmp`;
  writeFileSync(temporaryPath, text);
  renameSync(temporaryPath, path);
  console.log(`wrote ${path} (${text.length} bytes)`);
}

const onlyIfStale = process.argv.includes("--if-stale");
const root = join(here, "..");
const wasm = readPinnedModule();
if (!onlyIfStale || !generatedText(outputPath).startsWith(stamp)) {
  write(outputPath, zstdModule(wasm));
}
if (!onlyIfStale || !isJobWorkerUpToDate(root, generatedText(jobWorkerPath))) {
  write(jobWorkerPath, await jobWorkerModule(root, wasm.length));
}
