/**
 * How commands get at a store. On the command line each command opens and closes it; in a shell it
 * stays open, and closing what a command was given does nothing.
 */

import { type EmbeddedStore, open, type Options } from "@tinykvs/core";
import { fileURLToPath } from "node:url";
import { UsageError } from "./errors.ts";

/** A store whose cursors show keys as bytes: keys need not be UTF-8. */
export type OpenStore = EmbeddedStore<Uint8Array>;

/** An open store that a command gives back at its end, with `await using`. */
export interface Lease extends AsyncDisposable {
  readonly store: OpenStore;
  /** When it was opened for reading, in milliseconds; undefined if it shows every write. */
  readonly asOf: number | undefined;
}

/** Options that a command may add when it opens a store for writing. */
export type WriteOptions = Pick<
  Options,
  | "compression"
  | "compressionLevel"
  | "blockSizeBytes"
  | "createIfMissing"
  | "errorIfExists"
  | "flushOnClose"
  | "walSync"
>;

/**
 * For commands that write a few keys: they leave the log to the next open, and make no table of
 * their own. It is as durable.
 */
export const SMALL_WRITE: WriteOptions = { flushOnClose: false };

/** Access to the store of a command. */
export interface StoreAccess {
  /** The path of the directory. @throws {UsageError} the command line names none */
  readonly path: string;
  /** Opens it for reading, beside a writer, as it is at this moment. */
  read(): Promise<Lease>;
  /** Opens it for writing. Creates no store unless `createIfMissing` is true. */
  write(options?: WriteOptions): Promise<Lease>;
}

/** Opens the store of a command line for each command. */
export class DirectoryAccess implements StoreAccess {
  readonly #path: string | undefined;
  readonly #now: () => number;

  /** `path` is undefined if the command line names no store. */
  constructor(path: string | undefined, now: () => number) {
    // The core takes such an address, too, but files beside the store need the path.
    this.#path = path?.startsWith("file://") === true ? fileURLToPath(path) : path;
    this.#now = now;
  }

  get path(): string {
    if (this.#path !== undefined && this.#path !== "") return this.#path;
    throw new UsageError(
      "No store is given",
      "Write its directory before the command: tinykvs ./db get KEY. Or set TINYKVS_STORE.",
    );
  }

  async read(): Promise<Lease> {
    const asOf = this.#now();
    return lease(
      await open(this.path, { readOnly: true, keyEncoding: "bytes" }),
      asOf,
    );
  }

  async write(options: WriteOptions = {}): Promise<Lease> {
    const store = await open(this.path, {
      createIfMissing: false,
      ...options,
      keyEncoding: "bytes",
    });
    return lease(store, undefined);
  }
}

function lease(store: OpenStore, asOf: number | undefined): Lease {
  return { store, asOf, [Symbol.asyncDispose]: () => store.close() };
}
