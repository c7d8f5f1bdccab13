/**
 * Error injection: two scripts, run once for every operation of their file system and every way in
 * which that operation may fail, once and from then on. Whatever fails, every call settles, with a typed
 * error if at all; nothing is written after a failed write; acknowledged data stays readable while the
 * fault lasts, and is all there when the store is reopened.
 *
 *   TINYKVS_FAULT=script:operation:kind:once|sticky   makes just that run (failures print theirs)
 *   TINYKVS_TEST_SCALE=0.1                            tries fewer operations
 */

import assert from "node:assert/strict";
import process from "node:process";
import { setImmediate } from "node:timers";
import { test } from "node:test";
import { StoreError } from "../../src/errors.ts";
import type { Options } from "../../src/options.ts";
import { runtimeName } from "../../src/platform/natives.ts";
import { openSync } from "../../src/store/open.ts";
import type { Store } from "../../src/store/store.ts";
import {
  type CrashImage,
  type Fault,
  FaultFileSystem,
  type Operation,
} from "../support/fault_file_system.ts";
import { History } from "../support/fault_history.ts";
import { FaultScheduler, frozenScheduler, useScheduler } from "../support/fault_scheduler.ts";
import { DIRECTORY, Run, smallOptions } from "../support/fault_workload.ts";

/** The ways in which an operation may fail. */
const kinds = [
  "eio-before",
  "eio-after",
  "sync-drop",
  "sync-revert",
  "enospc-short",
  "enospc-partial",
  "emfile",
  "eacces",
] as const;
type Kind = typeof kinds[number];

const SEED = 7;
const scale = Number(process.env["TINYKVS_TEST_SCALE"] ?? "1");
/** One operation in this many is tried. */
const oneIn = Math.max(1, Math.round((runtimeName === "node" ? 1 : 4) / scale));
const minimumRuns = runtimeName === "node" ? 2_000 : 450;
let runs = 0;

/** The failure of one operation, or undefined where this kind can't strike it. */
function faultOf(kind: Kind, { operation }: Operation): Fault | undefined {
  switch (kind) {
    case "eio-before":
      return { mode: "before", code: "EIO" };
    case "eio-after":
      return { mode: "after", code: "EIO" };
    case "sync-drop":
      return operation === "sync" ? { mode: "drop", code: "EIO" } : undefined;
    case "sync-revert":
      return operation === "sync" ? { mode: "revert", code: "EIO" } : undefined;
    case "enospc-short":
      return operation === "write" ? { mode: "short", code: "ENOSPC" } : undefined;
    case "enospc-partial":
      if (operation === "create") return { mode: "before", code: "ENOSPC" };
      return operation === "write" ? { mode: "partial", code: "ENOSPC" } : undefined;
    case "emfile":
      return operation === "open" || operation === "create"
        ? { mode: "before", code: "EMFILE" }
        : undefined;
    case "eacces":
      return operation === "rename" || operation === "remove"
        ? { mode: "before", code: "EACCES" }
        : undefined;
  }
}

/** Makes operation `index` fail, and with `isSticky` every later one of its sort. */
class Injector {
  /** Operations that were made to fail. */
  readonly struck: Operation[] = [];
  readonly #index: number;
  readonly #kind: Kind;
  readonly #isSticky: boolean;
  readonly #seen: Operation[] | undefined;
  #first: Operation | undefined;
  #isCleared = false;

  /** `seen` receives every operation until the fault is cleared. */
  constructor(index: number, kind: Kind, isSticky: boolean, seen?: Operation[]) {
    this.#seen = seen;
    this.#index = index;
    this.#kind = kind;
    this.#isSticky = isSticky;
  }

  readonly faultFor = (operation: Operation): Fault | undefined => {
    if (this.#isCleared) return undefined;
    this.#seen?.push(operation);
    if (operation.index < this.#index) return undefined;
    const fault = this.#choose(operation);
    if (fault !== undefined) this.struck.push(operation);
    return fault;
  };

  /** Whether the engine may try again: it closes files where it gets no more descriptors. */
  get mayBeRetried(): boolean {
    return this.#kind === "emfile";
  }

  clear(): void {
    this.#isCleared = true;
  }

  #choose(operation: Operation): Fault | undefined {
    if (this.#first === undefined) {
      this.#first = operation;
      return faultOf(this.#kind, operation);
    }
    const isWrite = operation.operation === "write" || operation.operation === "create";
    if (this.#kind === "enospc-short") {
      // The short count is followed by the error that explains it.
      const isNext = this.struck.length === 1;
      return isWrite && (isNext || this.#isSticky) ? { mode: "before", code: "ENOSPC" } : undefined;
    }
    if (!this.#isSticky) return undefined;
    const isEio = this.#kind === "eio-before" || this.#kind === "eio-after";
    if (isEio && operation.operation !== this.#first.operation) return undefined;
    return faultOf(this.#kind, operation);
  }
}

/** A script: what it starts with, and what it does. */
interface Script {
  readonly name: string;
  readonly options: Options;
  /** What an earlier session left behind, with the history that led there. */
  readonly start?: () => Promise<{ image: CrashImage; history: History }>;
  readonly steps: (trial: Trial) => Promise<void>;
}

/** One run of a script with one fault. */
class Trial {
  readonly run: Run;
  readonly #injector: Injector;
  readonly #options: Options;
  store: Store | undefined;
  /** The first rejection of a write. */
  refusal: unknown;
  /** Whether any call was rejected. */
  hasRejected = false;

  constructor(run: Run, injector: Injector) {
    this.run = run;
    this.#injector = injector;
    this.#options = { ...run.options, fileSystem: run.fileSystem };
  }

  async open(): Promise<boolean> {
    const struck = this.#injector.struck.length;
    try {
      this.store = await this.run.open(this.#options);
      return true;
    } catch (error) {
      this.#requireTyped(error, "open", struck);
      return false;
    }
  }

  /** A write, flush, sync or compaction: after the first that is refused every other one must be. */
  async write(what: string, call: () => Promise<void>): Promise<void> {
    const before = this.#injector.struck.length;
    try {
      await this.run.wait(call());
    } catch (error) {
      this.#requireTyped(error, what, 0);
      this.refusal ??= error;
      return;
    }
    assert.equal(this.refusal, undefined, `${what} succeeds after ${text(this.refusal)}`);
    if (what !== "a compaction") return;
    // One that met a failure in a table, or could not open it, may not claim to be done.
    const missed = this.#injector.struck.slice(before).find(({ operation, path }) =>
      path.endsWith(".sst") && operation !== "remove" && operation !== "stat"
    );
    const isExcused = missed === undefined || this.#injector.mayBeRetried;
    assert.ok(isExcused, `a compaction succeeds after ${JSON.stringify(missed)}`);
  }

  /** Reads every key, by get and by scan. */
  async read(): Promise<void> {
    for (const key of this.run.history.keys) {
      const found = await this.#readOne(`get of "${key}"`, () => this.store!.get(key));
      if (found.isRead) this.#requireKnown(key, found.value);
    }
    const scanned = await this.#readOne("a scan", () => this.store!.entries().toArray());
    if (!scanned.isRead) return;
    const shown = new Map(scanned.value as [string, string][]);
    for (const key of this.run.history.keys) this.#requireKnown(key, shown.get(key));
  }

  async close(): Promise<void> {
    let isRefused = false;
    try {
      await this.run.close();
    } catch (error) {
      this.#requireTyped(error, "close", 0);
      isRefused = true;
    }
    assert.ok(
      isRefused || this.refusal === undefined,
      `close succeeds after ${text(this.refusal)}`,
    );
    assert.equal(this.store!.status, "closed");
  }

  async #readOne<T>(
    what: string,
    call: () => Promise<T>,
  ): Promise<{ isRead: true; value: T } | { isRead: false }> {
    const struck = this.#injector.struck.length;
    try {
      return { isRead: true, value: await this.run.wait(call()) };
    } catch (error) {
      this.#requireTyped(error, what, struck);
      return { isRead: false };
    }
  }

  /** The value must be the one after some prefix that has everything acknowledged. */
  #requireKnown(key: string, value: unknown): void {
    const { written, issued } = this.run.history.bounds;
    for (let ordinal = written; ordinal <= issued; ordinal++) {
      if (this.run.history.state(ordinal).values.get(key) === value) return;
    }
    assert.fail(
      `"${key}" is "${String(value).slice(0, 20)}", no value of writes ${written}-${issued}`,
    );
  }

  /** A call may fail only where there are more than `since` faults by then. */
  #requireTyped(error: unknown, what: string, since: number): void {
    this.hasRejected = true;
    const isTyped = error instanceof StoreError && ["IO", "BACKGROUND"].includes(error.code);
    if (!isTyped) throw new Error(`${what} is refused with ${text(error)}`, { cause: error });
    assert.ok(this.#injector.struck.length > since, `${what} fails on its own: ${text(error)}`);
  }
}

const scripts: readonly Script[] = [
  {
    name: "fresh",
    options: { walSync: "none", blockCacheSizeBytes: 0 },
    steps: async (trial) => {
      const { run } = trial;
      if (!await trial.open()) return;
      await trial.write("a put", () => run.put(12, 60));
      await trial.write("a synced batch", () => run.batch(4, 12, 60, { sync: true }));
      await trial.write("a large batch", () => run.batch(12, 12, 900));
      await trial.write("a put", () => run.put(12, 60));
      await trial.write("a flush", () => run.flush());
      await trial.read();
      await trial.write("a batch", () => run.batch(6, 12, 200));
      await trial.write("a sync", () => run.sync());
      await trial.write("a flush", () => run.flush());
      await trial.write("a compaction", () => run.compact());
      await trial.write("a put", () => run.put(12, 60));
      await trial.read();
      await trial.write("a large batch", () => run.batch(12, 12, 900));
      await trial.write("a flush", () => run.flush());
      await trial.write("a put", () => run.put(12, 60, true));
      await trial.close();
    },
  },
  {
    name: "recovered",
    options: { walSync: "batch", blockCacheSizeBytes: 0 },
    start: async () => {
      const scheduler = new FaultScheduler(SEED);
      const history = new History();
      const fileSystem = new FaultFileSystem(SEED, scheduler);
      const run = new Run(SEED, fileSystem, scheduler, history, { walSync: "batch" });
      const restore = useScheduler(scheduler);
      try {
        await run.open();
        await run.wait(run.batch(8, 12, 300));
        await run.wait(run.flush());
        await run.wait(run.batch(8, 12, 300));
        await run.wait(run.put(12, 100));
      } finally {
        restore();
      }
      return { image: fileSystem.crash("process", SEED), history };
    },
    steps: async (trial) => {
      const { run } = trial;
      if (!await trial.open()) return;
      await trial.read();
      await trial.write("puts", async () => {
        const settled = await Promise.allSettled([
          run.put(12, 60),
          run.put(12, 60),
          run.put(12, 60),
        ]);
        for (const call of settled) if (call.status === "rejected") throw call.reason;
      });
      await trial.write("a large batch", () => run.batch(10, 12, 900));
      await trial.write("a put", () => run.put(12, 60));
      await trial.write("a large batch", () => run.batch(10, 12, 900));
      await trial.write("a compaction", () => run.compact());
      await trial.write("a put", () => run.put(12, 60));
      await trial.read();
      await trial.close();
    },
  },
];

/** Runs a script with a fault, clears the fault, and requires that nothing acknowledged is lost. */
async function attempt(
  script: Script,
  start: { image: CrashImage; history: History } | undefined,
  injector: Injector,
  isLive: boolean,
): Promise<void> {
  const scheduler = new FaultScheduler(SEED);
  const fileSystem = start?.image.build(SEED, scheduler) ?? new FaultFileSystem(SEED, scheduler);
  const history = start?.history.copy() ?? new History();
  const run = new Run(SEED, fileSystem, scheduler, history, script.options);
  const trial = new Trial(run, injector);
  fileSystem.faultFor = injector.faultFor;
  const restore = useScheduler(scheduler);
  try {
    await script.steps(trial);
    await scheduler.settle();
  } finally {
    restore();
  }
  injector.clear();
  assert.equal(fileSystem.openHandles, 0, "handles that are open after close");
  assert.deepEqual(fileSystem.violations, []);
  const mattered = injector.struck.filter(({ path, operation }) =>
    /\.wal$|MANIFEST|CURRENT/.test(path) && !["remove", "stat"].includes(operation)
  );
  if (mattered.length > 0) {
    assert.ok(trial.hasRejected, `${JSON.stringify(mattered[0])} was swallowed`);
  }

  const restoreFrozen = useScheduler(frozenScheduler());
  try {
    const { written, durable, issued } = history.bounds;
    const reopen = (on: FaultFileSystem, lowest: number): void => {
      const store = openSync(DIRECTORY, { ...smallOptions, fileSystem: on });
      const ordinal = history.check(store, lowest, issued);
      store.putSync("zz", "mark:");
      store.closeSync();
      const again = openSync(DIRECTORY, { ...smallOptions, fileSystem: on });
      history.check(again, ordinal, ordinal, new Map([["zz", "mark:"]]));
      again.closeSync();
      assert.equal(on.openHandles, 0);
      assert.deepEqual(on.violations, []);
    };
    reopen(fileSystem.crash("strict", SEED).build(SEED), durable);
    reopen(fileSystem, isLive ? written : durable);
  } finally {
    restoreFrozen();
  }
}

function text(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}

const only = process.env["TINYKVS_FAULT"];

const titles: Readonly<Record<Kind, string>> = {
  "eio-before": "An operation that fails before its effect",
  "eio-after": "An operation that fails after its effect",
  "sync-drop": "A sync that fails and forgets what it did not write",
  "sync-revert": "A sync that fails and takes back what it did not write",
  "enospc-short": "A disk that takes a part of a write and then nothing",
  "enospc-partial": "A disk that is full in the middle of a write",
  "emfile": "A lack of descriptors",
  "eacces": "A refused rename or removal",
};

/** Makes every run of a script with one kind of failure. */
async function inject(script: Script, kind: Kind): Promise<void> {
  const unhandled: unknown[] = [];
  const onUnhandled = (reason: unknown): void => void unhandled.push(reason);
  process.on("unhandledRejection", onUnhandled);
  try {
    const start = await script.start?.();
    const operations: Operation[] = [];
    await attempt(script, start, new Injector(Infinity, kind, false, operations), true);
    const struck = operations.filter((operation) => faultOf(kind, operation) !== undefined);
    for (const [at, operation] of struck.entries()) {
      if (at % oneIn !== 0 && only === undefined) continue;
      for (const mode of ["once", "sticky"]) {
        const name = [script.name, operation.index, kind, mode].join(":");
        if (only !== undefined && only !== name) continue;
        runs++;
        try {
          const injector = new Injector(operation.index, kind, mode === "sticky");
          await attempt(script, start, injector, kind !== "sync-revert");
          await new Promise<void>((resolve) => setImmediate(resolve));
          assert.deepEqual(unhandled.map(text), [], "unhandled rejections");
        } catch (error) {
          throw new Error(
            `${kind} (${mode}) at operation ${operation.index}, ${operation.operation} of ` +
              `"${operation.path}": ${text(error)}\n` +
              `repeat: TINYKVS_FAULT=${name} node --test tests/faults/error_injection_test.ts`,
            { cause: error },
          );
        }
      }
    }
  } finally {
    process.off("unhandledRejection", onUnhandled);
  }
}

for (const script of scripts) {
  for (const kind of kinds) {
    test(`${titles[kind]} loses nothing and hangs nothing (script "${script.name}")`, async () => {
      await inject(script, kind);
    });
  }
}

test("The injection of errors makes as many runs as it is meant to", () => {
  console.log(`errors: ${runs} runs`);
  if (only !== undefined || scale < 1) return;
  assert.ok(runs >= minimumRuns, `${runs} runs`);
});
