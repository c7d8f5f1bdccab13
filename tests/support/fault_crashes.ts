/**
 * Explores the crash states of one run of a workload. At every operation of its file system that
 * changes something, it takes the states that a crash may leave, opens each different one, and
 * compares what it shows with the history. The invariants have numbers, I1 to I13; the number
 * stands beside the code that requires it.
 *
 * States are compared by their bytes. A state that was opened before is not opened again: what it
 * showed then must satisfy the bounds that hold now. The same is true of the states that a later
 * crash leaves of an opened store: many crashes lead to the same one.
 *
 * Events come in the order of the run, and at each event the simple kinds of crash come before
 * those that cut and reorder. So if every state is opened, the first failure has the shortest run
 * that leads to one.
 */

import type { Options } from "../../src/options.ts";
import { openSync } from "../../src/store/open.ts";
import type { EmbeddedStore } from "../../src/store/store.ts";
import { type CrashCounts, CrashFailure, type CrashName } from "./crash_names.ts";
import { requireDamageIsLeftAlone } from "./fault_damage.ts";
import type {
  CrashImage,
  CrashKind,
  FaultFileSystem,
  OperationEvent,
} from "./fault_file_system.ts";
import type { Bounds } from "./fault_history.ts";
import { OperationLog } from "./fault_log.ts";
import { frozenScheduler, useScheduler } from "./fault_scheduler.ts";
import { FileChecker } from "./fault_state_checks.ts";
import { DIRECTORY, type Run } from "./fault_workload.ts";

/** What an exploration needs to know. */
export interface CrashSettings {
  readonly workload: string;
  readonly seed: number;
  readonly run: Run;
  /** Options with which the states are opened. */
  readonly checkOptions: Options;
  /** Names of files that opening leaves alone. */
  readonly mayRemain?: ((name: string) => boolean) | undefined;
  /** How many states are taken of the kinds with a choice, at every event. */
  readonly variants: number;
  /** Whether the last write is cut at every byte. */
  readonly everyByte?: boolean | undefined;
  /**
   * Whether the file system can make a rename durable: without that, I13 holds from the next sync
   * on.
   */
  readonly namesAreDurable: boolean;
  /** One in this number of the different states is opened. */
  readonly oneIn: number;
  /** Later events are left out. */
  readonly lastEvent?: number | undefined;
  /** The only state to be opened. */
  readonly only?: CrashName | undefined;
  /** Where test files say how to repeat a state. */
  readonly testFile: string;
  readonly counts: CrashCounts;
}

/** What is known of a state. */
interface Known {
  /** The prefix that it shows; undefined before it was opened, or if it is left out. */
  ordinal: number | undefined;
  /** The tightest bounds that it was seen with, and where. */
  lowest: number;
  durable: number;
  event: number;
  kind: CrashKind;
  variant: number;
}

/** What a state must show. */
interface Expected {
  readonly lowest: number;
  readonly highest: number;
  /** What of it is durable already. */
  readonly durable: number;
}

/** Simple kinds, taken at every event. */
const SIMPLE: readonly CrashKind[] = ["strict", "process", "all", "names-late", "names-early"];
/** Kinds with a choice, each with its share of the variants. */
const CHOOSING: readonly (readonly [CrashKind, number])[] = [
  ["prefix", 1],
  ["torn", 1],
  ["reorder", 1],
  ["sector-512", 0.75],
  ["sector-4096", 0.25],
  ["size-first", 0.25],
  ["stale", 0.75],
];
const NESTED: readonly CrashKind[] = [
  "process",
  "strict",
  "prefix",
  "reorder",
  "torn",
  "names-early",
  "sector-512",
  "stale",
];
const UNCHANGING = new Set(["open", "read", "stat", "list", "lock"]);
/** One state in this many has its recovery crashed at every operation. */
const NESTED_ONE_IN = 20;
/**
 * One state in this many is opened a second time. Each recovery runs often in a workload, from
 * states that differ little; the first opening, which is compared with the history, is of all.
 */
const REPEATED_ONE_IN = 4;
/** At most this many states of one recovery are opened; the next recovery has others. */
const MAX_NESTED = 16;
/** One state of a crashed recovery in this many has its own recovery crashed. */
const THIRD_ONE_IN = 64;

/** The exploration of one run. */
export class CrashExplorer {
  readonly #settings: CrashSettings;
  readonly #run: Run;
  readonly #counts: CrashCounts;
  readonly #only: CrashName | undefined;
  readonly #log = new OperationLog();
  readonly #files: FileChecker;
  /** States of the run, by content. */
  readonly #known = new Map<string, Known>();
  /** What states of recoveries show. */
  readonly #nested = new Map<string, number>();
  /** What states show that a crash leaves of an opened store. */
  readonly #later = new Map<string, number>();
  /** Opened stores whose files were checked. */
  readonly #checked = new Set<string>();
  #waiting: { image: CrashImage; known: Known; highest: number }[] = [];
  #event = 0;
  #failed: CrashFailure | undefined;
  #outcome = 0;

  /** Attaches itself to a run. */
  constructor(settings: CrashSettings) {
    this.#settings = settings;
    this.#run = settings.run;
    this.#counts = settings.counts;
    this.#only = settings.only;
    this.#files = new FileChecker(settings.mayRemain);
    this.#run.onIdle = () => this.checkWaiting();
    this.#run.onRestart = (fileSystem) => this.#attach(fileSystem);
    this.#attach(this.#run.fileSystem);
  }

  /** A number that is equal if equal states had equal outcomes, in the same order (I10). */
  get outcome(): number {
    return this.#outcome >>> 0;
  }

  /** Checks what was taken since the last call. No call of the store may be on the stack. */
  checkWaiting(): void {
    if (this.#failed !== undefined) throw this.#failed;
    if (this.#waiting.length === 0) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    const restore = useScheduler(frozenScheduler());
    // A close makes an error for everybody who still waits; the stack of the error costs more than
    // the close.
    const { stackTraceLimit } = Error;
    if (this.#only === undefined) Error.stackTraceLimit = 0;
    try {
      for (const { image, known, highest } of waiting) this.#check(image, known, highest);
    } finally {
      Error.stackTraceLimit = stackTraceLimit;
      restore();
    }
  }

  #attach(fileSystem: FaultFileSystem): void {
    this.checkWaiting();
    // The known states were compared with a history that a crash has changed.
    this.#known.clear();
    this.#nested.clear();
    this.#later.clear();
    this.#checked.clear();
    fileSystem.onOperation = (event) => this.#take(fileSystem, event);
  }

  #take(fileSystem: FaultFileSystem, happened: OperationEvent): void {
    if (UNCHANGING.has(happened.operation)) return;
    const event = this.#event++;
    this.#log.add(happened);
    this.#run.peak();
    const { lastEvent = this.#only?.event ?? Infinity, variants, everyByte } = this.#settings;
    if (event > lastEvent || this.#failed !== undefined) return;
    const bounds = this.#run.history.bounds;
    for (const kind of SIMPLE) this.#takeOne(fileSystem, event, kind, 0, bounds);
    // Before an effect and before a promise settles only what was acknowledged is new.
    const isEffect = happened.phase === "after" || happened.phase === "during";
    for (const [kind, share] of CHOOSING) {
      let count = isEffect ? Math.max(1, Math.round(variants * share)) : 1;
      const isCut = kind === "torn" && happened.operation === "write";
      if (isCut && everyByte) count = fileSystem.tornBytes;
      for (let variant = 0; variant < count; variant++) {
        this.#takeOne(fileSystem, event, kind, variant, bounds);
      }
    }
  }

  #takeOne(
    fileSystem: FaultFileSystem,
    event: number,
    kind: CrashKind,
    variant: number,
    bounds: Bounds,
  ): void {
    const only = this.#only;
    if (
      only !== undefined &&
      (only.event !== event || only.kind !== kind || only.variant !== variant)
    ) return;
    const seed = kind === "torn" && this.#settings.everyByte
      ? variant
      : stateSeed(this.#settings.seed, event, variant);
    const image = fileSystem.crash(kind, seed);
    this.#counts.states++;
    const lowest = kind === "process" ? bounds.written : bounds.durable;
    const known = this.#known.get(image.key);
    const seen = { lowest, durable: bounds.durable, event, kind, variant };
    if (known === undefined) {
      const fresh: Known = { ordinal: undefined, ...seen };
      this.#known.set(image.key, fresh);
      if (only === undefined && this.#counts.distinct++ % this.#settings.oneIn !== 0) return;
      this.#waiting.push({ image, known: fresh, highest: bounds.issued });
    } else if (lowest > known.lowest) {
      Object.assign(known, seen);
      if (known.ordinal === undefined || known.ordinal >= lowest) return;
      // Not thrown here: the engine would take it for a failure of its file system.
      this.#failed ??= this.#failure(
        known,
        new Error(`write ${known.ordinal} is the newest, but write ${lowest} was acknowledged`),
        image,
      );
    }
  }

  #check(image: CrashImage, known: Known, highest: number): void {
    const isDeep = this.#only !== undefined || hashOf(image.key) % NESTED_ONE_IN === 0;
    if (!this.#nested.has(image.key)) this.#counts.opened++;
    const { lowest, durable } = known;
    try {
      known.ordinal = this.#verify(image, { lowest, durable, highest }, isDeep, 0);
    } catch (error) {
      throw this.#failure(known, error, image);
    }
  }

  /**
   * Opens a state and checks it; returns the prefix that it shows. A deep check crashes the
   * recovery, too; `recoveries` were crashed on the way to this state.
   */
  #verify(image: CrashImage, expected: Expected, isDeep: boolean, recoveries: number): number {
    const { history } = this.#run;
    const fileSystem = image.build(1);
    const recovery = isDeep ? this.#takeRecovery(fileSystem, image) : [];
    const store = this.#open(fileSystem);
    fileSystem.onOperation = undefined;
    // I1 (of a killed process I12), I2, I3, I4, I5.
    const ordinal = history.check(store, expected.lowest, expected.highest);
    const opened = fileSystem.contentKey;
    this.#outcome = Math.imul(this.#outcome ^ hashOf(opened), 0x01000193) + ordinal;
    this.#requireFiles(fileSystem, opened, ordinal);
    if (isDeep) {
      const { manifest, tables } = this.#files.check(fileSystem);
      requireDamageIsLeftAlone(image, [manifest, ...tables.slice(0, 1)], this.#options());
    }
    if (isDeep || hashOf(image.key) % REPEATED_ONE_IN === 0) this.#requireRepeatable(image, opened);
    // I13: what a reader has seen is not taken back by a power loss.
    if (this.#settings.namesAreDurable) this.#requireLater(fileSystem.crash("strict", 1), ordinal);
    // I7: a new write wins over what was recovered, and stays.
    const marks = new Map([["k000", "mark:"], ["zz", `mark:${ordinal}`]]);
    store.writeSync([...marks].map(([key, value]) => ({ type: "put" as const, key, value })));
    this.#requireLater(fileSystem.crash("strict", 1), ordinal, marks);
    requireLegal(fileSystem);
    this.#verifyRecovery(recovery, image, expected, ordinal, recoveries + 1);
    return ordinal;
  }

  /** I6, I7, I8 of an opened store. */
  #requireFiles(fileSystem: FaultFileSystem, opened: string, ordinal: number): void {
    if (this.#checked.has(opened)) return;
    this.#checked.add(opened);
    const { lastSequence } = this.#files.check(fileSystem);
    const taken = this.#run.history.operationCount(ordinal);
    if (lastSequence < taken) {
      throw new Error(`the next write gets sequence ${lastSequence + 1}, ${taken} are taken`);
    }
  }

  /**
   * I10 and I11: opened again, with other short reads and another order of names, it is the same.
   */
  #requireRepeatable(image: CrashImage, opened: string): void {
    const fileSystem = image.build(2);
    const store = this.#open(fileSystem);
    if (fileSystem.contentKey !== opened) {
      throw new Error(`opened a second time it has other files: ${fileSystem.describe()}`);
    }
    store.closeSync();
    if (fileSystem.openHandles !== 0) {
      throw new Error(`${fileSystem.openHandles} handles are open after close`);
    }
    requireLegal(fileSystem);
  }

  /** What a crash leaves of an opened store must show the same prefix, and `marks` over it. */
  #requireLater(image: CrashImage, ordinal: number, marks?: ReadonlyMap<string, string>): void {
    const known = this.#later.get(image.key);
    if (known !== undefined) {
      if (known === ordinal) return;
      throw new Error(`after a later power loss it shows write ${known}, expected ${ordinal}`);
    }
    const fileSystem = image.build(3);
    const store = this.#open(fileSystem);
    this.#run.history.check(store, ordinal, ordinal, marks);
    store.closeSync();
    if (fileSystem.openHandles !== 0) {
      throw new Error(`${fileSystem.openHandles} handles are open after close`);
    }
    requireLegal(fileSystem);
    this.#later.set(image.key, ordinal);
  }

  /** The states that crashes leave of a recovery: one at every operation, the kinds alternating. */
  #takeRecovery(fileSystem: FaultFileSystem, image: CrashImage): CrashImage[] {
    const taken: CrashImage[] = [];
    const salt = hashOf(image.key);
    const seen = new Set<string>();
    let event = 0;
    fileSystem.onOperation = ({ operation, phase }) => {
      if (phase !== "after" || UNCHANGING.has(operation)) return;
      event++;
      const kind = NESTED[(event + salt) % NESTED.length]!;
      const nested = fileSystem.crash(kind, stateSeed(salt, event, 7));
      if (!seen.has(nested.key)) taken.push(nested);
      seen.add(nested.key);
    };
    return taken;
  }

  #verifyRecovery(
    recovery: readonly CrashImage[],
    image: CrashImage,
    { durable }: Expected,
    ordinal: number,
    recoveries: number,
  ): void {
    // A recovery of durable files that is cut short leaves the same prefix; one of a killed
    // process's files may lose what was never synced.
    const least = image.kind === "process" ? durable : ordinal;
    const phase = hashOf(image.key);
    for (const [at, nested] of recovery.entries()) {
      if (isLeftOut(at, recovery.length, phase)) continue;
      const lowest = nested.kind === "process" ? ordinal : least;
      const hash = hashOf(nested.key);
      const isThird = recoveries === 1 && hash % THIRD_ONE_IN === 0;
      try {
        const known = this.#nested.get(nested.key) ?? this.#known.get(nested.key)?.ordinal;
        if (known === undefined) {
          this.#counts.nested++;
          const expected = { lowest, highest: ordinal, durable: least };
          this.#nested.set(nested.key, this.#verify(nested, expected, isThird, recoveries));
        } else if (known < lowest || known > ordinal) {
          throw new Error(`it shows write ${known}, expected ${lowest} to ${ordinal}`);
        }
      } catch (error) {
        throw new Error(`then ${nested.kind} at step ${at} of the recovery: ${text(error)}`, {
          cause: error,
        });
      }
    }
  }

  #options(): Options {
    return { ...this.#settings.checkOptions, walSync: "batch" };
  }

  #open(fileSystem: FaultFileSystem): EmbeddedStore {
    return openSync(DIRECTORY, { ...this.#options(), fileSystem });
  }

  #failure(known: Known, cause: unknown, image?: CrashImage): CrashFailure {
    const { event, kind, variant, lowest } = known;
    const { workload, seed, testFile } = this.#settings;
    const name = `${workload}:${event}:${kind}#${variant}:${seed}`;
    const lines = [
      `crash state ${name}: ${text(cause)}`,
      `writes that must be there: ${lowest}, issued: ${this.#run.history.bounds.issued}`,
      `operations of the file system that led there:`,
      this.#log.text(event),
    ];
    if (image !== undefined) lines.push(`files: ${image.build(1).describe()}`);
    lines.push(`repeat: TINYKVS_CRASH=${name} node --test ${testFile}`);
    return new CrashFailure(event, lines.join("\n"), cause);
  }
}

/** Whether a state of a recovery is left out. Those that are opened have even distances. */
function isLeftOut(at: number, count: number, phase: number): boolean {
  return count > MAX_NESTED && (at * MAX_NESTED + phase) % count >= MAX_NESTED;
}

function stateSeed(seed: number, event: number, variant: number): number {
  return Math.imul(seed ^ Math.imul(event + 1, 0x9e3779b1), 0x85ebca6b) + variant * 0x632be5ab;
}

function hashOf(key: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193);
  return (hash ^ (hash >>> 15)) >>> 0;
}

function text(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}

function requireLegal(fileSystem: FaultFileSystem): void {
  if (fileSystem.violations.length > 0) throw new Error(fileSystem.violations.join("; "));
}
