/**
 * What a reader sees: the memtables and one version, at one sequence number.
 *
 * The store holds the view in force. It is replaced, never changed, when a memtable is frozen or
 * flushed or a compaction finishes. A synchronous read just uses it. An operation that lives longer
 * than one synchronous stretch (an awaiting get, a cursor) takes a lease. The lease keeps the
 * view's memtables and tables until it is released, or until the store is closed.
 */

import { ClosedError } from "../../errors.ts";
import type { Memtable } from "../../memtable/memtable.ts";
import type { ValueReader } from "../../sstable/value_reader.ts";
import type { Version } from "../../version/version.ts";
import type { VersionSet } from "../../version/version_set.ts";

/** Memtables, newest first, and the tables below them. */
export class ReadView {
  /** The active memtable and the immutable ones, newest first. */
  readonly memtables: readonly Memtable[];
  /** The tables. */
  readonly version: Version;
  readonly #versions: VersionSet;
  readonly #onUnused: (memtable: Memtable) => void;
  #references = 1;

  /**
   * Makes a view of the version in force, held once by its maker. `onUnused` gets a memtable that
   * no view shows any more.
   */
  constructor(
    memtables: readonly Memtable[],
    versions: VersionSet,
    onUnused: (memtable: Memtable) => void,
  ) {
    this.memtables = memtables;
    this.#versions = versions;
    this.#onUnused = onUnused;
    this.version = versions.retain();
    for (const memtable of memtables) memtable.references++;
  }

  /** Reads the large values that the view refers to. */
  get values(): ValueReader {
    return this.#versions.values.reader;
  }

  /** Adds a holder. */
  retain(): void {
    this.#references++;
  }

  /** Removes a holder. */
  release(): void {
    if (--this.#references > 0) return;
    this.#versions.release(this.version);
    for (const memtable of this.memtables) {
      if (--memtable.references === 0) this.#onUnused(memtable);
    }
  }
}

/** The right to read a view for a while. */
export class Lease {
  /** The view. */
  readonly view: ReadView;
  /** Entries with higher sequence numbers are not seen. */
  readonly sequence: number;
  /**
   * Entries that expire by this time are not seen: milliseconds since 1970; 0 if it sees none that
   * expires.
   */
  readonly wallMs: number;
  /**
   * Objects that nobody needs to release any more when the store is closed: then they may become
   * garbage.
   */
  holdings: { sources: unknown } | undefined;
  readonly #leases: Set<Lease>;
  #state: "held" | "released" | "store closed" = "held";

  /** Takes a lease and notes it in `leases`. */
  constructor(view: ReadView, sequence: number, leases: Set<Lease>, wallMs = 0) {
    this.view = view;
    this.sequence = sequence;
    this.wallMs = wallMs;
    this.#leases = leases;
    view.retain();
    leases.add(this);
  }

  /** Releases it. A second release does nothing. */
  release(): void {
    this.#end("released");
  }

  /** The store is being closed: the lease ends, and `requireHeld` tells its holder. */
  revoke(): void {
    this.#end("store closed");
    if (this.holdings !== undefined) this.holdings.sources = undefined;
  }

  /** @throws {ClosedError} the store was closed meanwhile, or the lease was released */
  requireHeld(what: string): void {
    if (this.#state === "held") return;
    throw new ClosedError(this.#state === "released" ? what : "store");
  }

  #end(state: "released" | "store closed"): void {
    if (this.#state !== "held") return;
    this.#state = state;
    this.#leases.delete(this);
    this.view.release();
  }
}
