/**
 * What a store tells of its background: events, for those who listen. There is no object of this
 * class until somebody does, so the places that tell ask for one more field, and no more.
 *
 * A listener is called in a microtask of its own, never from within what it is told of: it may use
 * the store.
 */

import { soon } from "../../platform/microtask.ts";
import type { VersionEdit } from "../../version/version_edit.ts";
import { describeValue } from "../../value/value.ts";

/** A memtable, or several, became tables. */
export interface FlushDetail {
  /** Tables that were written. */
  readonly tables: number;
  /** Their entries, deletions included. */
  readonly entries: number;
  /** Their bytes. */
  readonly bytes: number;
}

/** Tables were merged, or moved to a lower level. */
export interface CompactionDetail {
  /** The level of the uppermost table that went. */
  readonly fromLevel: number;
  /** The level of the tables that came; that of those that went if none came. */
  readonly toLevel: number;
  /** Tables that went. */
  readonly removedTables: number;
  /** Tables that came. */
  readonly addedTables: number;
  /** Bytes of the tables that came. */
  readonly bytes: number;
}

/** Acknowledgements of writes had to wait for the background. */
export interface StallDetail {
  /** How long, in milliseconds. */
  readonly waitedMs: number;
}

/** The store has failed: it takes no more writes and has to be reopened. */
export interface ErrorDetail {
  /** What later writes fail with. */
  readonly error: Error;
}

/** The events of a store, by their names. */
export interface StoreEventMap {
  /** A memtable became a table. */
  flush: FlushDetail;
  /** Tables were merged or moved. */
  compaction: CompactionDetail;
  /** Writes had to wait. */
  stall: StallDetail;
  /** The store has failed. */
  error: ErrorDetail;
}

/** Told of an event. */
export type StoreEventListener<T extends keyof StoreEventMap> = (
  event: CustomEvent<StoreEventMap[T]>,
) => void;

const NAMES: readonly string[] = ["flush", "compaction", "stall", "error"];

/**
 * Options of a listener. They are those of `EventTarget`; these names are here because not every
 * program has the types of the DOM.
 */
export interface StoreListenerOptions {
  /** Whether the listener hears of one event only. Default false. */
  once?: boolean;
  /** Removes the listener when it is aborted. */
  signal?: AbortSignal;
  /** Has no meaning here, and is part of a listener's identity, as in `EventTarget`. */
  capture?: boolean;
}

/** The listeners of one store. */
export class StoreEvents {
  readonly #target: EventTarget = new EventTarget();

  /** Adds a listener, as every `EventTarget` does. @throws {TypeError} there is no such event */
  add(type: string, listener: unknown, options?: StoreListenerOptions | boolean): void {
    requireEvent(type, listener);
    this.#target.addEventListener(type, listener as EventListener, options);
  }

  /** Removes a listener. */
  remove(type: string, listener: unknown, options?: StoreListenerOptions | boolean): void {
    requireEvent(type, listener);
    this.#target.removeEventListener(type, listener as EventListener, options);
  }

  /** Tells the listeners, soon. */
  emit<T extends keyof StoreEventMap>(type: T, detail: StoreEventMap[T]): void {
    soon(() => void this.#target.dispatchEvent(new CustomEvent(type, { detail })));
  }

  /** Tells of what a version edit says. */
  edit({ added, removed }: VersionEdit): void {
    const bytes = added.reduce((sum, { table }) => sum + table.sizeBytes, 0);
    if (removed.length === 0) {
      if (added.length === 0) return;
      const entries = added.reduce((sum, { table }) => sum + table.entryCount, 0);
      this.emit("flush", { tables: added.length, entries, bytes });
      return;
    }
    const fromLevel = Math.min(...removed.map(({ level }) => level));
    this.emit("compaction", {
      fromLevel,
      toLevel: added[0]?.level ?? fromLevel,
      removedTables: removed.length,
      addedTables: added.length,
      bytes,
    });
  }
}

/** @throws {TypeError} there is no such event, or the listener is none */
export function requireEvent(type: string, listener: unknown): void {
  if (!NAMES.includes(type)) {
    const found = typeof type === "string" ? JSON.stringify(type) : describeValue(type);
    throw new TypeError(
      `Cannot listen to the store: found event ${found}, expected one of ${NAMES.join(", ")}`,
    );
  }
  const { handleEvent } = (listener ?? {}) as { handleEvent?: unknown };
  if (typeof listener === "function" || typeof handleEvent === "function") return;
  throw new TypeError(
    `Cannot listen to the store: found ${describeValue(listener)}, expected a function`,
  );
}
