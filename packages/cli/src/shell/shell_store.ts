/**
 * The store of a shell. It is opened for reading, beside a writer, until the first command that
 * writes. From then on the shell is the writer, and holds the lock until its end.
 *
 * A store that is open for reading shows the moment of its opening. So it is opened again before a
 * command if the files of its directory have changed.
 */

import { readdirSync, statSync } from "node:fs";
import * as path from "node:path";
import { open } from "@tinykvs/core";
import type { Lease, OpenStore, StoreAccess, WriteOptions } from "../store_access.ts";

/** The clock of file systems is coarser than ours: files as young as this may change unseen. */
const CLOCK_MS = 100;

interface Opened {
  readonly store: OpenStore;
  /** When it was opened for reading; undefined if it is open for writing. */
  readonly asOf: number | undefined;
  readonly options: string;
  /** What the directory looked like before; undefined if that says nothing. */
  readonly files: string | undefined;
  leases: number;
  isReplaced: boolean;
}

/** Keeps a store open between commands. */
export class ShellStore implements StoreAccess {
  readonly path: string;
  readonly #now: () => number;
  #opened: Opened | undefined;

  constructor(path: string, now: () => number) {
    this.path = path;
    this.#now = now;
  }

  async read(): Promise<Lease> {
    const opened = this.#opened;
    if (opened !== undefined) {
      const isCurrent = opened.asOf === undefined || opened.leases > 0 ||
        (opened.files !== undefined && opened.files === this.#files());
      if (isCurrent) return this.#lease(opened);
      await this.#replace(undefined);
    }
    const files = this.#files();
    const asOf = this.#now();
    const store = await open(this.path, {
      readOnly: true,
      keyEncoding: "bytes",
    });
    return this.#lease(this.#keep(store, asOf, "", files));
  }

  async write(options: WriteOptions = {}): Promise<Lease> {
    const opened = this.#opened;
    // How a command closes its store has no meaning here.
    const { flushOnClose: _, createIfMissing, errorIfExists, ...lasting } = options;
    const wanted = JSON.stringify(lasting);
    if (opened !== undefined) {
      const fits = opened.asOf === undefined &&
        (wanted === "{}" || wanted === opened.options);
      if (fits && errorIfExists !== true) return this.#lease(opened);
      await this.#replace(undefined);
    }
    const store = await open(this.path, {
      ...lasting,
      createIfMissing: createIfMissing ?? false,
      errorIfExists: errorIfExists ?? false,
      flushOnClose: false,
      keyEncoding: "bytes",
    });
    return this.#lease(this.#keep(store, undefined, wanted, undefined));
  }

  /** Closes it until the next command. */
  async close(): Promise<void> {
    await this.#replace(undefined);
  }

  #keep(
    store: OpenStore,
    asOf: number | undefined,
    options: string,
    files: string | undefined,
  ): Opened {
    const opened = {
      store,
      asOf,
      options,
      files,
      leases: 0,
      isReplaced: false,
    };
    this.#opened = opened;
    return opened;
  }

  async #replace(by: Opened | undefined): Promise<void> {
    const opened = this.#opened;
    this.#opened = by;
    if (opened === undefined) return;
    opened.isReplaced = true;
    if (opened.leases === 0) await opened.store.close();
  }

  #lease(opened: Opened): Lease {
    opened.leases++;
    let isHeld = true;
    return {
      store: opened.store,
      asOf: opened.asOf,
      [Symbol.asyncDispose]: async () => {
        if (!isHeld) return;
        isHeld = false;
        opened.leases--;
        if (opened.isReplaced && opened.leases === 0) {
          await opened.store.close();
        }
      },
    };
  }

  /** Names, sizes and times of the files; undefined if a file is too young for its time. */
  #files(): string | undefined {
    const youngest = this.#now() - CLOCK_MS;
    const facts: string[] = [];
    try {
      for (const name of readdirSync(this.path).sort()) {
        const { size, mtimeMs } = statSync(path.join(this.path, name));
        if (mtimeMs > youngest) return undefined;
        facts.push(`${name} ${size} ${mtimeMs}`);
      }
    } catch {
      // A file has gone meanwhile, or the directory: opening tells.
      return undefined;
    }
    return facts.join("\n");
  }
}
