/**
 * What a store has to look like to be measured: a thin adapter in engines/ gives it this shape, and
 * loops.ts drives nothing else.
 *
 * An operation that a store does not offer is left out, and the table says so; an adapter never
 * imitates one (no `await` around a synchronous call, no cursor in place of a get). Keys are
 * strings of 16 ASCII characters and values are bytes, in and out. Adapters load their package
 * with a computed specifier, so that this folder is checked without its node_modules.
 */

/** What is promised when a write returns or resolves; each adapter says what it sets for it. */
export type Durability = "none" | "durable";

/** How a store is opened. */
export interface OpenOptions {
  /** Its own directory; made by the caller. */
  readonly directory: string;
  readonly durability: Durability;
  /** Bytes of its own cache; 0 for as little as it can do with. Not every store has one. */
  readonly cacheBytes: number;
  /** Whether the data are larger than the memory: what a store documents for that is set. */
  readonly isBeyondMemory?: boolean;
}

/** Takes an entry of a scan; the bytes may be gone after it returns. */
export type See = (key: string, value: Uint8Array) => void;

/** What a scan covers: everything, or the keys with a prefix. */
export interface ScanRange {
  /** Null for everything. */
  readonly prefix: string | null;
  /** The smallest key that is larger than all with the prefix; null for everything. */
  readonly end: string | null;
  readonly reverse: boolean;
}

/** What the body of a transaction reads and writes by; only valid in the body. */
export interface EngineTransaction {
  get(key: string): Uint8Array | null | undefined;
  put(key: string, value: Uint8Array): void;
}

/** An open store. */
export interface Engine {
  putSync?(key: string, value: Uint8Array): void;
  put?(key: string, value: Uint8Array): Promise<unknown>;
  /** All entries at once: a batch or transaction, in the way that the store does it best. */
  writeBatch?(keys: readonly string[], values: readonly Uint8Array[]): Promise<unknown> | void;
  /** Reads and writes as one, in the call. */
  transactionSync?(body: (transaction: EngineTransaction) => void): void;
  /** As `transactionSync`. Resolves when the transaction is committed. */
  transaction?(body: (transaction: EngineTransaction) => void): Promise<unknown>;
  getSync?(key: string): Uint8Array | null | undefined;
  get?(key: string): Promise<Uint8Array | null | undefined>;
  getMany?(keys: readonly string[]): Promise<readonly (Uint8Array | null | undefined)[]>;
  /** `for (… of …)` over entries. */
  scanForOf?(range: ScanRange, see: See): void;
  /** `for await (… of …)` over entries. */
  scanForAwait?(range: ScanRange, see: See): Promise<void>;
  /** The fastest way to see many entries: a callback, pages, or whatever the store calls it. */
  scanBulk?(range: ScanRange, see: See): Promise<void> | void;
  /** Every key in order, without the values. */
  listKeys?(see: (key: string) => void): Promise<void> | void;
  /**
   * Bytes written to files by `puts` single puts into a new store, logs included, after background
   * work has come to rest. For the write amplification of stores that count them.
   */
  writtenBytes?(puts: number): Promise<number>;
  /** Puts the files into the shape that the store likes best; not measured. */
  compact?(): Promise<unknown> | void;
  close(): Promise<unknown> | void;
}

/** A store that can be measured. */
export interface EngineKind {
  readonly name: string;
  /** Runtimes on which it is measured unless told otherwise. */
  readonly runtimes: readonly ("node" | "deno" | "bun")[];
  /** A floor does no work: its answers are not checked, and no ratio counts it as a peer. */
  readonly isFloor?: boolean;
  /** A variant of tinykvs: no ratio counts it as a peer. */
  readonly isOwn?: boolean;
  /** Prefixes of the names of the workloads for which it is of interest; all by default. */
  readonly rowsOfInterest?: readonly string[];
  /** What a write survives in either durability, and what else a reader has to know. */
  readonly notes: string;
  /**
   * Loads the package. Throws if the runtime can't.
   *
   * @returns its version and a function that opens a store
   */
  load(): Promise<LoadedEngine>;
}

/** A store whose package is loaded. */
export interface LoadedEngine {
  readonly version: string;
  open(options: OpenOptions): Promise<Engine> | Engine;
}

/** Reads a numeric or text version out of the package.json beside this file's node_modules. */
export async function versionOf(name: string): Promise<string> {
  const { readFileSync } = await import("node:fs");
  const file = new URL(`./node_modules/${name}/package.json`, import.meta.url);
  return (JSON.parse(readFileSync(file, "utf8")) as { version: string }).version;
}
