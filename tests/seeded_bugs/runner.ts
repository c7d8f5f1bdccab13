/**
 * Runs tests against broken sources. The library and its tests are copied to a temporary directory;
 * a bug is put into the copy, the tests that must notice it are run there by the pinned Node, and
 * the copy is mended for the next bug. The repository itself is only read.
 */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import * as path from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { jobWorkerModule } from "../../wasm/build_job_worker.ts";
import { ZSTD_WASM_LENGTH } from "../../wasm/generated/zstd_wasm.ts";
import { runtimeCommand } from "../support/runtimes.ts";
import { type TemporaryDirectory, temporaryDirectory } from "../support/temporary.ts";
import { applyEdit, type Bug, type Command } from "./bug.ts";
import { judge, problemOfBaseline, type TestRun, type Verdict } from "./judge.ts";
import { type Outcome, OUTCOME_MARK } from "./reporter.ts";

/** Root of the repository. */
export const repository: string = fileURLToPath(new URL("../..", import.meta.url));

/** A bug that makes its test run for longer than this counts as not caught. */
const TIME_LIMIT_MS = 1_200_000;
/** What is copied; all else is linked or not needed. */
const COPIED = [
  ...["mod.ts", "contract.ts", "contract_suite.ts", "package.json", "deno.json"],
  ...["src", "scripts", "tests", "wasm"],
];
/** What is only read, and large. */
const LINKED = ["node_modules", "tests/fixtures"];
/** Left out: the gate does not run itself. */
const LEFT_OUT = ["tests/fixtures", "tests/seeded_bugs"];

/** A copy of the repository's sources to break. */
export class BrokenTree {
  readonly #directory: TemporaryDirectory;
  /** The runs without a bug; none if they are not asked for. */
  readonly #baselines: Map<string, TestRun> | undefined;

  /**
   * Copies the sources as they are now. With baselines, the tests of each command must first pass
   * without a bug.
   */
  constructor(hasBaselines: boolean) {
    this.#baselines = hasBaselines ? new Map() : undefined;
    this.#directory = temporaryDirectory("seeded-bugs");
    const left = LEFT_OUT.map((name) => path.join(repository, name));
    for (const name of COPIED) {
      cpSync(path.join(repository, name), path.join(this.#directory.path, name), {
        recursive: true,
        filter: (source) => !left.includes(source) && path.basename(source) !== "node_modules",
      });
    }
    for (const name of LINKED) {
      symlinkSync(path.join(repository, name), path.join(this.#directory.path, name));
    }
  }

  /** Removes the copy. */
  dispose(): void {
    this.#directory.dispose();
  }

  /**
   * Puts a bug into the copy, runs its tests, takes it out again, and says what they made of it.
   *
   * @throws {Error} the bug does not apply, or its tests fail without it
   */
  async try(bug: Bug): Promise<{ verdict: Verdict; seconds: number }> {
    const baseline = this.#baselines && await this.#baseline(bug.caughtBy, this.#baselines);
    const before = new Map<string, string>();
    const jobWorker = path.join(this.#directory.path, "wasm", "generated", "job_worker.ts");
    before.set(jobWorker, readFileSync(jobWorker, "utf8"));
    try {
      for (const edit of bug.edits) {
        const file = path.join(this.#directory.path, edit.file);
        const source = readFileSync(file, "utf8");
        if (!before.has(file)) before.set(file, source);
        writeFileSync(file, applyEdit(source, edit));
      }
      // The program of the job thread is made of the same sources.
      writeFileSync(jobWorker, await jobWorkerModule(this.#directory.path, ZSTD_WASM_LENGTH));
      const run = await runTests(this.#directory.path, bug.caughtBy);
      return { verdict: judge(run, baseline, bug), seconds: run.seconds };
    } finally {
      for (const [file, source] of before) writeFileSync(file, source);
    }
  }

  /** The run of the same tests without a bug, once for each different command. */
  async #baseline(command: Command, baselines: Map<string, TestRun>): Promise<TestRun> {
    const key = JSON.stringify([command.files, command.titles.source, command.environment]);
    let run = baselines.get(key);
    if (run === undefined) {
      run = await runTests(this.#directory.path, command);
      const problem = problemOfBaseline(run, command);
      if (problem !== undefined) {
        throw new Error(
          `Cannot seed a bug: its tests (${command.titles} in ${command.files}) do not pass ` +
            `without it: ${problem}\n${run.output.slice(-4000)}`,
        );
      }
      baselines.set(key, run);
    }
    return run;
  }
}

/** Runs the tests of a command in a copy; every process that they start ends with them. */
async function runTests(directory: string, command: Command): Promise<TestRun> {
  const reporter = new URL("reporter.ts", import.meta.url).href;
  const { command: node, args } = runtimeCommand("node", "--test", [
    "--test-isolation=none",
    `--test-reporter=${reporter}`,
    "--test-reporter-destination=stdout",
    `--test-name-pattern=${command.titles.source}`,
    command.files,
  ]);
  const startedMs = performance.now();
  const child = spawn(node, args, {
    cwd: directory,
    // Leads its own group of processes, which can be ended as a whole.
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
    env: {
      ...environmentOf(command),
      // One bug changes a file or two. What Node compiles of the others is kept with the copy.
      NODE_COMPILE_CACHE: path.join(directory, "compiled"),
    },
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => output += text);
  }
  let isTimedOut = false;
  const timer = setTimeout(() => {
    isTimedOut = true;
    endGroup(child.pid);
  }, TIME_LIMIT_MS);
  const exited = once(child, "exit") as Promise<[number | null]>;
  const closed = once(child, "close");
  const [code] = await exited;
  clearTimeout(timer);
  // What is left of the group would keep its output open.
  endGroup(child.pid);
  await closed;
  const seconds = (performance.now() - startedMs) / 1000;
  return { outcomes: outcomesIn(output), code, isTimedOut, seconds, output };
}

function outcomesIn(output: string): Outcome[] {
  return output.split("\n").filter((line) => line.startsWith(OUTCOME_MARK))
    .map((line) => JSON.parse(line.slice(OUTCOME_MARK.length)) as Outcome);
}

/** The environment without what would change which tests run, and how. */
function environmentOf(command: Command): Record<string, string | undefined> {
  const environment: Record<string, string | undefined> = { ...process.env, NO_COLOR: "1" };
  for (const name of Object.keys(environment)) {
    if (name.startsWith("TINYKVS_") || name.startsWith("NODE_")) delete environment[name];
  }
  return { ...environment, ...command.environment };
}

/** Ends a group of processes; one that is gone already is what was wanted. */
function endGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch (error) {
    if ((error as { code?: string }).code !== "ESRCH") throw error;
  }
}
