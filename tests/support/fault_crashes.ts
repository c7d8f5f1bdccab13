/**
 * Explores the crash states of one run of a workload: at every operation of its file system that changes
 * something it takes the states that a crash may leave, opens each different one, and requires that the
 * store shows a prefix of the history with everything in it that was acknowledged as durable, that it
 * keeps what it shows and takes new writes, and that nothing is left lying about. Of some states the
 * recovery itself is crashed at every operation.
 */

import type { Options } from "../../src/options.ts";
import { openSync } from "../../src/store/open.ts";
import type { Store } from "../../src/store/store.ts";
import { decodeCurrent, decodeManifest } from "../../src/version/manifest_format.ts";
import { readWholeFileSync } from "../../src/platform/transfer.ts";
import { manifestName, parseFileName, tableName } from "../../src/version/file_names.ts";
import {
  type CrashImage,
  type CrashKind,
  crashKinds,
  type FaultFileSystem,
  type OperationEvent,
} from "./fault_file_system.ts";
import type { Bounds } from "./fault_history.ts";
import { frozenScheduler, useScheduler } from "./fault_scheduler.ts";
import { DIRECTORY, type Run } from "./fault_workload.ts";

/** One state to be checked, as TINYKVS_CRASH names it: workload:event:kind#variant:seed. */
export interface CrashName {
  readonly workload: string;
  readonly event: number;
  readonly kind: CrashKind;
  readonly variant: number;
  readonly seed: number;
}

/** Reads a name; the variant may be left out. */
export function parseCrashName(text: string): CrashName {
  const match = /^([\w-]+):(\d+):([\w-]+?)(?:#(\d+))?:(\d+)$/.exec(text);
  const kind = crashKinds.find((known) => known === match?.[3]);
  if (match === null || kind === undefined) {
    throw new RangeError(`Cannot repeat "${text}": expected workload:operation:kind#variant:seed`);
  }
  return {
    workload: match[1]!,
    event: Number(match[2]),
    kind,
    variant: Number(match[4] ?? 0),
    seed: Number(match[5]),
  };
}

/** What was done. */
export interface CrashCounts {
  /** States that were taken. */
  states: number;
  /** Different ones that were opened and checked. */
  opened: number;
  /** States of crashed recoveries that were opened. */
  nested: number;
}

/** What is known of a state. */
interface Known {
  /** The prefix that it shows; undefined before it was opened, or where it is left out. */
  ordinal: number | undefined;
  /** The tightest bounds that it was seen with, and where. */
  lowest: number;
  durable: number;
  event: number;
  variant: number;
}

/** Kinds taken after an effect, those with a choice several times. */
const AFTER: readonly CrashKind[] = [
  "process",
  "strict",
  "all",
  "prefix",
  "prefix",
  "prefix",
  "sector-512",
  "sector-512",
  "sector-4096",
  "size-first",
  "reorder",
  "reorder",
  "names-late",
  "names-early",
];
/** Kinds taken before an effect and before a call settles: only what was acknowledged may differ. */
const OTHERWISE: readonly CrashKind[] = ["process", "strict", "prefix"];
const NESTED: readonly CrashKind[] = ["process", "strict", "prefix", "reorder", "names-early"];
const UNCHANGING = new Set(["open", "read", "stat", "list", "lock"]);
/** One state of a crashed recovery in this many is also written to and reopened. */
const NESTED_WRITE_ONE_IN = 8;
/** One state of a crashed recovery in this many has its own recovery crashed. */
const THIRD_ONE_IN = 64;
const LOG_LENGTH = 16;

/** The exploration of one run. */
export class CrashExplorer {
  readonly #workload: string;
  readonly #seed: number;
  readonly #run: Run;
  readonly #checkOptions: Options;
  readonly #oneIn: number;
  readonly #nestedOneIn: number;
  readonly #counts: CrashCounts;
  readonly #only: CrashName | undefined;
  readonly #known = new Map<string, Known>();
  readonly #log: string[] = [];
  #waiting: { image: CrashImage; known: Known; highest: number }[] = [];
  #event = 0;
  #distinct = 0;
  #failed: Error | undefined;

  /**
   * Attaches itself to a run. One in `oneIn` of the different states is opened, and of those one in
   * `nestedOneIn` has its recovery crashed.
   */
  constructor(settings: {
    workload: string;
    seed: number;
    run: Run;
    checkOptions: Options;
    oneIn: number;
    nestedOneIn: number;
    counts: CrashCounts;
    only: CrashName | undefined;
  }) {
    this.#workload = settings.workload;
    this.#seed = settings.seed;
    this.#run = settings.run;
    this.#checkOptions = settings.checkOptions;
    this.#oneIn = settings.oneIn;
    this.#nestedOneIn = settings.nestedOneIn;
    this.#counts = settings.counts;
    this.#only = settings.only;
    this.#run.onIdle = () => this.checkWaiting();
    this.#run.onRestart = (fileSystem) => this.#attach(fileSystem);
    this.#attach(this.#run.fileSystem);
  }

  /** Number of moments at which states were taken. */
  get events(): number {
    return this.#event;
  }

  /** Checks what was taken since the last call. No call of the store may be on the stack. */
  checkWaiting(): void {
    if (this.#failed !== undefined) throw this.#failed;
    if (this.#waiting.length === 0) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    const restore = useScheduler(frozenScheduler());
    try {
      for (const { image, known, highest } of waiting) this.#check(image, known, highest);
    } finally {
      restore();
    }
  }

  #attach(fileSystem: FaultFileSystem): void {
    this.checkWaiting();
    this.#known.clear();
    fileSystem.onOperation = (event) => this.#take(fileSystem, event);
  }

  #take(fileSystem: FaultFileSystem, { operation, path, phase }: OperationEvent): void {
    if (UNCHANGING.has(operation)) return;
    const event = this.#event++;
    if (this.#log.push(`${event} ${phase} ${operation} ${path}`) > LOG_LENGTH) this.#log.shift();
    if (this.#only !== undefined && event > this.#only.event) return;
    const bounds = this.#run.history.bounds;
    const kinds = phase === "after" ? AFTER : OTHERWISE;
    let variant = 0;
    for (const [at, kind] of kinds.entries()) {
      variant = at > 0 && kinds[at - 1] === kind ? variant + 1 : 0;
      const isAsked = this.#only === undefined ||
        (this.#only.event === event && this.#only.kind === kind && this.#only.variant === variant);
      if (isAsked) this.#takeOne(fileSystem, event, kind, variant, bounds);
    }
  }

  #takeOne(
    fileSystem: FaultFileSystem,
    event: number,
    kind: CrashKind,
    variant: number,
    bounds: Bounds,
  ): void {
    const image = fileSystem.crash(kind, stateSeed(this.#seed, event, variant));
    this.#counts.states++;
    const lowest = kind === "process" ? bounds.written : bounds.durable;
    const known = this.#known.get(image.key);
    if (known === undefined) {
      const fresh = { ordinal: undefined, lowest, durable: bounds.durable, event, variant };
      this.#known.set(image.key, fresh);
      if (this.#only === undefined && this.#distinct++ % this.#oneIn !== 0) return;
      this.#waiting.push({ image, known: fresh, highest: bounds.issued });
    } else if (lowest > known.lowest) {
      Object.assign(known, { lowest, durable: bounds.durable, event, variant });
      if (known.ordinal !== undefined && known.ordinal < lowest) {
        // Not thrown here: the engine would take it for a failure of its file system.
        this.#failed ??= this.#failure(
          kind,
          known,
          new Error(`write ${known.ordinal} is the newest, but write ${lowest} was acknowledged`),
        );
      }
    }
  }

  #check(image: CrashImage, known: Known, highest: number): void {
    const isDeep = this.#only !== undefined || this.#counts.opened % this.#nestedOneIn === 0;
    this.#counts.opened++;
    try {
      known.ordinal = this.#verify(image, known.lowest, highest, known.durable, isDeep ? 2 : 1);
    } catch (error) {
      throw this.#failure(image.kind, known, error);
    }
  }

  /**
   * Opens a state and checks it; returns the prefix that it shows. Depth 0 leaves the later write out,
   * 2 crashes the recovery too.
   */
  #verify(
    image: CrashImage,
    lowest: number,
    highest: number,
    durable: number,
    depth: 0 | 1 | 2,
  ): number {
    const { history } = this.#run;
    const fileSystem = image.build(1);
    const recovery: CrashImage[] = [];
    if (depth === 2) this.#takeRecovery(fileSystem, recovery);
    const store = this.#open(fileSystem);
    fileSystem.onOperation = undefined;
    const ordinal = history.check(store, lowest, highest);
    requireTidy(fileSystem);
    if (image.kind === "process") {
      // What a reader has seen may not be taken back by a power loss.
      const seen = fileSystem.crash("strict", 1).build(2);
      history.check(this.#open(seen), ordinal, ordinal);
    }
    if (depth > 0) {
      const marks = new Map([["k000", "mark:"], ["zz", `mark:${ordinal}`]]);
      store.writeSync([...marks].map(([key, value]) => ({ type: "put" as const, key, value })));
      const crashed = fileSystem.crash("strict", 1).build(3);
      const second = this.#open(crashed);
      history.check(second, ordinal, ordinal, marks);
      if (depth === 2) this.#closeAndReopen(crashed, second, ordinal, marks);
      requireLegal(crashed);
    }
    requireLegal(fileSystem);
    // A recovery of durable files that is cut short leaves the same prefix; one of a killed process's
    // files may lose what was never synced.
    const least = image.kind === "process" ? durable : ordinal;
    for (const [at, nested] of recovery.entries()) {
      const isThird = this.#counts.nested++ % THIRD_ONE_IN === 0;
      const nestedDepth = isThird ? 2 : this.#counts.nested % NESTED_WRITE_ONE_IN === 0 ? 1 : 0;
      try {
        this.#verify(
          nested,
          nested.kind === "process" ? ordinal : least,
          ordinal,
          least,
          nestedDepth,
        );
      } catch (error) {
        throw new Error(`then ${nested.kind} at step ${at} of the recovery: ${text(error)}`, {
          cause: error,
        });
      }
    }
    return ordinal;
  }

  #closeAndReopen(
    fileSystem: FaultFileSystem,
    store: Store,
    ordinal: number,
    marks: ReadonlyMap<string, string>,
  ): void {
    store.closeSync();
    if (fileSystem.openHandles !== 0) {
      throw new Error(`${fileSystem.openHandles} handles are open after close`);
    }
    const operations = fileSystem.operationCount;
    const again = this.#open(fileSystem);
    this.#run.history.check(again, ordinal, ordinal, marks);
    if (fileSystem.operationCount === operations) throw new Error("the second open did nothing");
    again.closeSync();
  }

  #takeRecovery(fileSystem: FaultFileSystem, into: CrashImage[]): void {
    const seen = new Set<string>();
    let event = 0;
    fileSystem.onOperation = ({ operation, phase }) => {
      if (phase !== "after" || UNCHANGING.has(operation)) return;
      event++;
      // At every operation one kind, in turn.
      const kind = NESTED[(event + this.#counts.opened) % NESTED.length]!;
      const image = fileSystem.crash(kind, stateSeed(this.#seed, event, 7));
      if (!seen.has(image.key)) into.push(image);
      seen.add(image.key);
    };
  }

  #open(fileSystem: FaultFileSystem): Store {
    return openSync(DIRECTORY, { ...this.#checkOptions, walSync: "batch", fileSystem });
  }

  #failure(kind: CrashKind, known: Known, cause: unknown): Error {
    const name = `${this.#workload}:${known.event}:${kind}#${known.variant}:${this.#seed}`;
    return new Error(
      `crash state ${name}: ${text(cause)}\n` +
        `operations up to the check:\n  ${this.#log.join("\n  ")}\n` +
        `repeat: TINYKVS_CRASH=${name} node --test tests/faults/crash_test.ts`,
      { cause },
    );
  }
}

function stateSeed(seed: number, event: number, variant: number): number {
  return Math.imul(seed ^ Math.imul(event + 1, 0x9e3779b1), 0x85ebca6b) + variant * 0x632be5ab;
}

function text(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}

/**
 * Requires that only files are there that the manifest knows, and that their sizes are those that it says
 * (that levels are in order is what open itself requires). No log is left: everything recovered is in tables.
 */
function requireTidy(fileSystem: FaultFileSystem): void {
  const path = (name: string): string => fileSystem.joinPath(DIRECTORY, name);
  const current = readWholeFileSync(fileSystem, path("CURRENT"), 128);
  const { storeId, manifestNumber: number } = decodeCurrent(current);
  const name = manifestName(number);
  const { edits } = decodeManifest(
    readWholeFileSync(fileSystem, path(name), 2 ** 24),
    storeId,
    number,
  );
  const sizes = new Map<string, number>();
  for (const edit of edits) {
    for (const { number: removed } of edit.removed) sizes.delete(tableName(removed));
    for (const { table } of edit.added) sizes.set(tableName(table.number), table.sizeBytes);
  }
  for (const found of fileSystem.listSync(DIRECTORY)) {
    if (found === "CURRENT" || found === name) continue;
    const size = sizes.get(found);
    if (parseFileName(found)?.kind !== "table" || size === undefined) {
      throw new Error(`"${found}" is left over after open`);
    }
    sizes.delete(found);
    const actual = fileSystem.statSync(path(found))!.sizeBytes;
    if (actual !== size) throw new Error(`"${found}" has ${actual} bytes, expected ${size}`);
  }
  if (sizes.size > 0) throw new Error(`${[...sizes.keys()].join(", ")} missing after open`);
}

function requireLegal(fileSystem: FaultFileSystem): void {
  if (fileSystem.violations.length > 0) throw new Error(fileSystem.violations.join("; "));
}
