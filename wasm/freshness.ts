/**
 * Whether `wasm/generated/job_worker.ts`, the program of the worker thread, was made from the
 * current sources. It begins with a line that has the SHA-256 of all of `src/`, whichever files the
 * program needs: making it takes a second, and a list of its sources would be published with it.
 *
 * Everything that runs the library in a checkout checks this first: scripts/test.ts makes a stale
 * program again, and the benches refuse it. Otherwise the thread would silently flush and merge by
 * yesterday's code.
 */

import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** Changed whenever the shape of the generated file changes, so that old ones count as stale. */
const GENERATOR = 3;

/** The first line of a program that is made from the current sources in `root`. */
export function jobWorkerHead(root: string): string {
  const bundler = JSON.parse(readFileSync(join(root, "node_modules/esbuild/package.json"), "utf8"));
  const hash = createHash("sha256").update(`${GENERATOR} ${bundler.version}\n`);
  const names = readdirSync(join(root, "src"), { recursive: true }) as string[];
  const sources = names.map((name) => name.replaceAll("\\", "/")).filter((name) =>
    name.endsWith(".ts")
  );
  for (const source of sources.sort()) {
    // Line ends as git has them.
    const text = readFileSync(join(root, "src", source), "utf8").replaceAll("\r\n", "\n");
    hash.update(`${source} ${text.length}\n${text}`);
  }
  return `// sha256 ${hash.digest("hex")}\n`;
}

/** Whether a generated text is that of the sources as they are now. */
export function isJobWorkerUpToDate(root: string, text: string): boolean {
  return text.startsWith(jobWorkerHead(root));
}

/** @throws {Error} the program is missing, or was made of other sources */
export function requireFreshJobWorker(root: string): void {
  const path = join(root, "wasm/generated/job_worker.ts");
  let text = "";
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
  if (isJobWorkerUpToDate(root, text)) return;
  throw new Error(
    `Cannot run: "${path}", the program of the worker thread, ${
      text === "" ? "is missing" : "was made of other sources than those in src/"
    }; run "npm run prepare"`,
  );
}
