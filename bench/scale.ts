/**
 * `npm run bench:scale`: loads many entries in little memory, samples on the way, then opens and
 * reads.
 *
 *   npm run bench:scale -- seq                      100,000,000 entries of 16 + 20 bytes, on Node
 *   npm run bench:scale -- random bun               10,000,000 entries of 16 + 100 bytes, another runtime
 *   npm run bench:scale -- seq --entries 2000000    fewer
 *   npm run bench:scale -- seq --directory /data --json seq.json --update-docs
 *
 * Exits with 1 if a target is missed or an answer was wrong. `--directory` should be on a real
 * disk, with room for about 40 bytes an entry (seq) or 70 (random) and as much again.
 */

import { mkdirSync, mkdtempSync, readFileSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { cpus, release, tmpdir, totalmem } from "node:os";
import * as path from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { binaryOf, failureOf, parseRuntime, root, runProcess } from "../scripts/processes.ts";
import { replaceSection } from "./document.ts";
import { programOf } from "./program.ts";
import { keyLength } from "./key_values.ts";
import { type ScaleOrder, scaleValueBytes } from "./scale_data.ts";
import {
  judgeScale,
  type LoadResult,
  type ReadResult,
  renderScale,
  type ScaleResult,
} from "./scale_report.ts";
import { requireFreshJobWorker } from "../wasm/freshness.ts";

requireFreshJobWorker(root);
const { values: given, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    entries: { type: "string" },
    sample: { type: "string" },
    seed: { type: "string", default: "1" },
    directory: { type: "string", default: tmpdir() },
    json: { type: "string" },
    "update-docs": { type: "boolean", default: false },
  },
});
const [order, runtimeText] = positionals;
const runtime = parseRuntime(runtimeText ?? "node");
if ((order !== "seq" && order !== "random") || runtime === undefined || positionals.length > 2) {
  throw new RangeError(
    `Cannot run "${positionals.join(" ")}": expected seq or random, and node, deno or bun`,
  );
}
const defaultEntries: Readonly<Record<ScaleOrder, number>> = {
  seq: 100_000_000,
  random: 10_000_000,
};
const entries = Number(given.entries ?? defaultEntries[order]);
if (!Number.isSafeInteger(entries) || entries < 1000) {
  throw new RangeError(`Cannot run with "${given.entries}" entries: expected 1000 or more`);
}
/** A million, or fewer where that would give less than 20 samples. */
const sample = Number(given.sample ?? Math.min(1_000_000, Math.ceil(entries / 20)));

const tmpfsType = 0x01021994;
if (statfsSync(given.directory).type === tmpfsType) {
  console.log(`"${given.directory}" is in memory: name a --directory on a disk`);
}

function versionIn(file: string): string {
  return (JSON.parse(readFileSync(path.join(root, file), "utf8")) as { version: string }).version;
}

const folder = mkdtempSync(path.join(given.directory, "tinykvs-scale-"));
const program = await programOf(runtime, path.join(root, "bench", "scale_run.ts"));

/** What README advises for little memory: V8's young generation takes up to 100 MB otherwise. */
const nodeFlags = ["--max-semi-space-size=16"];

/** Runs a phase in its own process, and returns what it measured. */
async function runPhase<T>(phase: "load" | "read", name: string, count: number): Promise<T> {
  const output = path.join(folder, `${name}-${phase}.json`);
  const flags = runtime === "deno"
    ? ["run", "-A", "--no-check"]
    : runtime === "node"
    ? nodeFlags
    : [];
  const isWarmUp = count !== entries;
  const result = await runProcess(binaryOf(runtime!), [
    ...flags,
    program,
    `--phase=${phase}`,
    `--order=${order!}`,
    `--entries=${count}`,
    `--sample=${sample}`,
    `--seed=${given.seed}`,
    `--directory=${path.join(folder, name)}`,
    `--output=${output}`,
  ], { inherit: !isWarmUp });
  const failure = failureOf(result);
  if (failure !== undefined) throw new Error(`The ${phase} process ${failure}\n${result.output}`);
  return JSON.parse(readFileSync(output, "utf8")) as T;
}

try {
  mkdirSync(path.join(folder, "store"));
  await runPhase<LoadResult>("load", "warm-up", 1000);
  const load = await runPhase<LoadResult>("load", "store", entries);
  const read = await runPhase<ReadResult>("read", "store", entries);
  const described = await runProcess("git", ["describe", "--always", "--dirty", "--exclude=*"]);
  const commit = failureOf(described) === undefined ? described.stdout.trim() : "unknown commit";
  const result: ScaleResult = {
    order,
    runtime: `${{ node: "Node", deno: "Deno", bun: "Bun" }[runtime]} ` +
      [versionIn(`node_modules/${runtime}/package.json`), ...(runtime === "node" ? nodeFlags : [])]
        .join(" "),
    about: `@tinykvs/core ${versionIn("package.json")} (${commit}), ` +
      `${new Date().toISOString().slice(0, 10)}, ${process.platform} ${release()}, ` +
      `${cpus().length} x ${cpus()[0]?.model.trim() ?? "unknown"}, ` +
      `${Math.round(totalmem() / 1e9)} GB of memory`,
    command: ["npm run bench:scale --", ...process.argv.slice(2)].join(" "),
    entries,
    keyBytes: keyLength,
    valueBytes: scaleValueBytes[order],
    load,
    read,
  };
  const report = renderScale(result);
  console.log(`\n${report}`);
  if (given.json !== undefined) {
    writeFileSync(given.json, `${JSON.stringify(result, undefined, 1)}\n`);
  }
  if (given["update-docs"]) {
    const file = path.join(root, "docs", "benchmarks", "scale.md");
    const text = replaceSection(readFileSync(file, "utf8"), `bench/scale ${order}`, report);
    writeFileSync(file, text);
  }
  process.exitCode = judgeScale(result).every(({ isMet }) => isMet) ? 0 : 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
