/**
 * Reads of single keys, as of now. Those of one turn of the event loop share a statement: to find
 * more keys costs the server little more. A reader that is alone has the shortest statement.
 */

import type { Backend } from "./backend.ts";
import type { Stored } from "./lane.ts";
import { idOf } from "./operations.ts";

/** The most keys of one statement: a few large values must not hold up too many others. */
const MAX_KEYS = 64;

/** The most statements at a time. Further readers wait, and share the next one. */
const MAX_STATEMENTS = 8;

/** What a reader gets. */
export type Found = Pick<Stored, "value" | "expiresAt">;

interface Reader {
  readonly key: Uint8Array;
  resolve(found: Found | undefined): void;
  reject(error: unknown): void;
}

/** Collects reads, and sends them. */
export class GatheredReads {
  readonly #backend: Backend;
  #readers: Reader[] = [];
  #underWay = 0;
  readonly #send = (): void => this.#sendAll();

  constructor(backend: Backend) {
    this.#backend = backend;
  }

  /** What is stored for a key, unless it has expired. */
  find(key: Uint8Array): Promise<Found | undefined> {
    return new Promise((resolve, reject) => {
      this.#readers.push({ key, resolve, reject });
      if (this.#readers.length === 1) queueMicrotask(this.#send);
    });
  }

  #sendAll(): void {
    while (this.#readers.length > 0 && this.#underWay < MAX_STATEMENTS) {
      this.#underWay++;
      if (this.#readers.length === 1) this.#sendOne(this.#readers.pop()!);
      else void this.#sendSome(this.#readers.splice(0, MAX_KEYS));
    }
  }

  #end(): void {
    this.#underWay--;
    if (this.#readers.length > 0) this.#sendAll();
  }

  #sendOne({ key, resolve, reject }: Reader): void {
    const { pool, statements, now } = this.#backend;
    const time = now();
    pool.read("read", statements.get, [key]).then(([row]) => {
      const expiresAt = row === undefined ? 0 : Number(row[1] ?? Infinity);
      resolve(expiresAt > time ? { value: row![0] as Uint8Array, expiresAt } : undefined);
      this.#end();
    }, (error) => {
      reject(error);
      this.#end();
    });
  }

  async #sendSome(readers: readonly Reader[]): Promise<void> {
    const time = this.#backend.now();
    try {
      const found = await this.#backend.stored(readers.map(({ key }) => key));
      for (const { key, resolve } of readers) {
        const stored = found.get(idOf(key));
        resolve(stored !== undefined && stored.expiresAt > time ? stored : undefined);
      }
    } catch (error) {
      for (const { reject } of readers) reject(error);
    }
    this.#end();
  }
}
