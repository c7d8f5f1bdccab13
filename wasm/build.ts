/**
 * Makes what is embedded: the program of the job thread (build_job_worker.ts) and the zstd WebAssembly
 * module. Reads `zstd.wasm` of the pinned npm package `@bokuweb/zstd-wasm`, checks its version and
 * SHA-256, makes two functions of it faster, and writes
 * `wasm/generated/zstd_wasm.ts`, which `src/compression/zstd_wasm.ts` imports.
 *
 *     node wasm/build.ts              # writes the file
 *     node wasm/build.ts --if-stale   # does nothing when the file is that of the pinned module
 *
 * npm runs it as `prepare`: after `npm ci`, and before packing. The output is not committed, but it
 * is published, with the notices of wasm/NOTICE.txt in front. To move to another version of the
 * package, change the two constants below after reading what the engine relies on in
 * wasm/README.md.
 */

import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { deflateRawSync, inflateRawSync } from "node:zlib";
import { isJobWorkerUpToDate, jobWorkerModule } from "./build_job_worker.ts";

const PACKAGE = "@bokuweb/zstd-wasm";
const VERSION = "0.0.27";
const WASM_SHA256 = "80260eee5795ee8072bb5821e203730c74dca3909938f5ac1128da67f96223df";

/** Changed whenever the shape of the generated file changes, so that old ones count as stale. */
const GENERATOR = 3;

/**
 * Two functions of the module copy and fill memory a byte at a time (it was compiled without the
 * bulk-memory instructions, which all engines have had since 2021). Their bodies are replaced by one
 * instruction each, padded to the same length, so that nothing else moves. Frames stay the same;
 * compressing a block of 16 KiB takes 43 instead of 48 us on Node, 51 for 56 on Deno, of 4 KiB 15 for 19.
 */
const REPLACED_BODIES: readonly { before: string; instructions: string }[] = [
  // memcpy(to, from, length): memory.copy
  {
    before: "01017f20020440200021030340200320012d00003a0000200341016a2103200141016a2101200241016b" +
      "22020d000b0b20000b",
    instructions: "200020012002fc0a00002000",
  },
  // memset(to, byte, length): memory.fill
  {
    before: "01017f20020440200021030340200320013a0000200341016a2103200241016b22020d000b0b20000b",
    instructions: "200020012002fc0b002000",
  },
];

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

/** The module with the bodies above replaced: no locals, `nop` as often as it takes, and the instructions. */
function withBulkMemory(wasm: Uint8Array): Uint8Array {
  let text = Buffer.from(wasm).toString("hex");
  for (const { before, instructions } of REPLACED_BODIES) {
    const padding = "01".repeat((before.length - instructions.length) / 2 - 2);
    const parts = text.split(before);
    if (parts.length !== 2) {
      throw new Error(`Cannot embed "${PACKAGE}": ${parts.length - 1} functions are ${before}`);
    }
    text = parts.join(`00${padding}${instructions}0b`);
  }
  return Buffer.from(text, "hex");
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
export const ZSTD_WASM_SHA256: string = "${createHash("sha256").update(wasm).digest("hex")}";

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
const wasm = withBulkMemory(readPinnedModule());
if (!onlyIfStale || !generatedText(outputPath).startsWith(stamp)) {
  write(outputPath, zstdModule(wasm));
}
if (!onlyIfStale || !isJobWorkerUpToDate(root, generatedText(jobWorkerPath))) {
  write(jobWorkerPath, await jobWorkerModule(root, wasm.length));
}
