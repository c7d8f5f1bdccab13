/**
 * Embeds the program of the job thread: makes one text of `src/worker/job_worker.ts` and what it
 * imports, and writes `wasm/generated/job_worker.ts`, which `src/worker/job_thread.ts` starts as a
 * `data:` URL. `wasm/build.ts` calls it; like the zstd module the output is not committed, but published.
 *
 * The zstd module is left out: the thread gets it from its host. The head of the output names the
 * sources and their SHA-256, so that a stale one is noticed (`--if-stale`, and a test).
 */

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { build, type Plugin, version } from "esbuild";

/** Changed whenever the shape of the generated file changes, so that old ones count as stale. */
const GENERATOR = 1;
const ENTRY = "src/worker/job_worker.ts";
const SOURCES_MARK = "// sources ";

/** Replaces wasm/generated/zstd_wasm.ts. */
function zstdOfHost(length: number): Plugin {
  return {
    name: "zstd of the host",
    setup({ onLoad }) {
      onLoad({ filter: /generated[\\/]zstd_wasm\.ts$/ }, () => ({
        contents: `import { workerData } from "node:worker_threads";
export const ZSTD_WASM_LENGTH = ${length};
export const ZSTD_WASM_DEFLATED_BASE64 = workerData.data.zstdWasm;`,
      }));
    },
  };
}

/** SHA-256 over the content of sources, line ends as git has them. */
function hashOf(root: string, sources: readonly string[]): string {
  const hash = createHash("sha256").update(`${GENERATOR} ${version}\n`);
  for (const source of sources) {
    const text = readFileSync(join(root, source), "utf8").replaceAll("\r\n", "\n");
    hash.update(`${source} ${text.length}\n${text}`);
  }
  return hash.digest("hex");
}

function headOf(root: string, sources: readonly string[]): string {
  return `// sha256 ${hashOf(root, sources)}\n${SOURCES_MARK}${sources.join(" ")}\n`;
}

/** Whether a generated text is that of the sources as they are now. */
export function isJobWorkerUpToDate(root: string, text: string): boolean {
  const line = text.split("\n", 2)[1] ?? "";
  if (!line.startsWith(SOURCES_MARK)) return false;
  try {
    return text.startsWith(headOf(root, line.slice(SOURCES_MARK.length).split(" ")));
  } catch (error) {
    // A source is gone.
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return false;
    throw error;
  }
}

/** The text of wasm/generated/job_worker.ts. `zstdWasmLength` is the length of the module in bytes. */
export async function jobWorkerModule(root: string, zstdWasmLength: number): Promise<string> {
  const { outputFiles, metafile } = await build({
    entryPoints: [join(root, ENTRY)],
    absWorkingDir: resolve(root),
    bundle: true,
    write: false,
    metafile: true,
    format: "esm",
    platform: "node",
    target: "es2023",
    minify: true,
    legalComments: "inline",
    plugins: [zstdOfHost(zstdWasmLength)],
  });
  const sources = Object.keys(metafile.inputs)
    .map((input) => relative(root, resolve(root, input)).replaceAll("\\", "/"))
    .filter((input) => input.startsWith("src/")).sort();
  const program = outputFiles[0]!.text;
  return `${headOf(root, sources)}//
// Made by wasm/build_job_worker.ts; do not edit.

/** The program of the job thread, an ES module. */
export const JOB_WORKER_SOURCE: string = ${JSON.stringify(program)};
`;
}
