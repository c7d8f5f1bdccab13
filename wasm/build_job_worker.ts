/**
 * Embeds the program of the job thread: makes one text of `src/worker/job_worker.ts` and what it
 * imports, and writes `wasm/generated/job_worker.ts`, which `src/worker/job_thread.ts` starts as a
 * `data:` URL. `wasm/build.ts` calls it; like the zstd module the output is not committed, but
 * published.
 *
 * The zstd module is left out: the thread gets it from its host. So are the directory's lock, which
 * the host has, and the portable inflation, because the runtime has its own. The output begins with
 * the SHA-256 of the sources, so that a stale one is noticed (freshness.ts).
 */

import { join, resolve } from "node:path";
import { build, type Plugin } from "esbuild";
import { jobWorkerHead } from "./freshness.ts";

const ENTRY = "src/worker/job_worker.ts";

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

/** Leaves out what the thread does not need. */
const unneeded: Plugin = {
  name: "unneeded",
  setup({ onLoad }) {
    // Each runtime that has such threads inflates by itself.
    onLoad({ filter: /platform[\\/]inflate\.ts$/ }, () => ({
      contents: `export function inflate() {
  throw new Error("Cannot inflate in the job thread: the runtime has no zlib");
}`,
    }));
    // The store that starts the thread has the directory's lock.
    onLoad({ filter: /platform[\\/]directory_lock\.ts$/ }, () => ({
      contents: `function refuse() {
  throw new Error("Cannot lock a directory in the job thread: its host has the lock");
}
export { refuse as lockDirectory, refuse as lockDirectorySync };`,
    }));
  },
};

/**
 * The text of wasm/generated/job_worker.ts. `zstdWasmLength` is the length of the module in bytes.
 */
export async function jobWorkerModule(root: string, zstdWasmLength: number): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [join(root, ENTRY)],
    absWorkingDir: resolve(root),
    bundle: true,
    write: false,
    format: "esm",
    platform: "node",
    target: "es2023",
    minify: true,
    legalComments: "inline",
    plugins: [zstdOfHost(zstdWasmLength), unneeded],
  });
  const program = outputFiles[0]!.text;
  return `${jobWorkerHead(root)}//
// Made by wasm/build_job_worker.ts; do not edit.

/** The program of the job thread, an ES module. */
export const JOB_WORKER_SOURCE: string = ${JSON.stringify(program)};
`;
}
