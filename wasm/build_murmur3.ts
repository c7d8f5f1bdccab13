/**
 * Compiles `wasm/assembly/murmur3.ts` with the pinned AssemblyScript and writes the module as text
 * to `src/bytes/murmur3_wasm.ts`, which is committed: it is small, and so neither an install nor a
 * publish needs the compiler.
 *
 *     node wasm/build_murmur3.ts
 *
 * The compiler gives the same bytes on every runtime; tests/wasm/build_murmur3_test.ts compiles
 * again and compares. Run this after any change of the source, or of the compiler's version.
 */

import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { main } from "assemblyscript/asc";

const here = dirname(fileURLToPath(import.meta.url));
const outputPath = join(here, "..", "src", "bytes", "murmur3_wasm.ts");

/** The text of `src/bytes/murmur3_wasm.ts`, compiled again. */
export async function murmur3ModuleText(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "tinykvs-murmur3-"));
  try {
    const binaryPath = join(folder, "murmur3.wasm");
    const { error, stderr } = await main([
      "assembly/murmur3.ts",
      "--baseDir",
      here,
      "--outFile",
      binaryPath,
      "--runtime",
      "stub",
      "-O3",
      "--noAssert",
      "--initialMemory",
      "2",
      "--maximumMemory",
      "2",
    ]);
    if (error !== null) throw new Error(`Cannot compile murmur3.ts: ${stderr.toString()}`);
    return wrap(await readFile(binaryPath, "base64"));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function wrap(base64: string): string {
  const lines = base64.match(/.{1,92}/g) ?? [];
  return `/**
 * The compiled MurmurHash3 kernel in base64. Generated from wasm/assembly/murmur3.ts by
 * wasm/build_murmur3.ts; don't edit.
 */
export const MURMUR3_WASM: string = // deno-fmt-ignore
${lines.map((line) => `  "${line}"`).join(" +\n")};
`;
}

if (process.argv[1] !== undefined && fileURLToPath(import.meta.url) === process.argv[1]) {
  await writeFile(outputPath, await murmur3ModuleText());
}
