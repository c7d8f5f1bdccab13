/**
 * The stores that this process has open for writing, known to every copy of the library in it.
 * After a hot reload, or with two versions of a package, there are several copies, and none can
 * reach another one's modules.
 *
 * The registry is a property of the global object, with a version. Its content is a contract
 * between releases: older code than the reader may have made a {@linkcode StoreEntry} of version 1,
 * and the other way round. It is per thread: workers have their own global object.
 */

import { commonValue } from "../platform/common_value.ts";
import type { FileSystem } from "../platform/file_system.ts";

/** A store that is open, being opened or being closed. */
export interface StoreEntry {
  /** Whether it may be opened again, with one more handle on the same store. */
  readonly isShared: boolean;
  /** The options that all its handles agree on, by name. */
  readonly options: Readonly<Record<string, unknown>>;
  /** Settles with its opening; undefined after that is over. */
  readonly opening: Promise<unknown> | undefined;
  /** Resolves when it is closed; undefined before the close begins. */
  readonly closing: Promise<void> | undefined;
  /** Whether it takes no writes any more and must be opened again. */
  readonly hasFailed: boolean;
  /** One more handle: a `Store` of the copy of the library that has opened it. */
  handle(): unknown;
  /** Closes it, with all its handles. */
  giveUp(): Promise<void>;
  /** As `giveUp`. */
  giveUpSync(): void;
}

interface Registry {
  readonly version: number;
  /** Stores on the system's disk, by the real path of their directories. */
  readonly disk: Map<string, StoreEntry>;
  /** Stores on other file systems, by path. */
  readonly others: WeakMap<FileSystem, Map<string, StoreEntry>>;
}

const VERSION = 1;
const NAME = "@tinykvs/core.stores";

/** The registry's place for the store in one directory. */
export class StorePlace {
  readonly #stores: Map<string, StoreEntry>;
  readonly #key: string;
  /** The version of the registry if this code can't use it: then nothing is ever found. */
  readonly otherVersion: number | undefined;

  /**
   * The place of an existing directory; `isDisk` says whether the file system is the runtime's own.
   */
  constructor(fileSystem: FileSystem, isDisk: boolean, directory: string) {
    const registry = commonValue<Registry>(
      NAME,
      () => ({ version: VERSION, disk: new Map(), others: new WeakMap() }),
    );
    this.otherVersion = registry.version === VERSION ? undefined : registry.version;
    this.#key = fileSystem.realPathSync?.(directory) ?? directory;
    if (this.otherVersion !== undefined) this.#stores = new Map();
    else if (isDisk) this.#stores = registry.disk;
    else {
      let stores = registry.others.get(fileSystem);
      if (stores === undefined) registry.others.set(fileSystem, stores = new Map());
      this.#stores = stores;
    }
  }

  /** The entry, if there is one. */
  find(): StoreEntry | undefined {
    return this.#stores.get(this.#key);
  }

  /** The entry, unless it is `own`. */
  findOther(own: StoreEntry): StoreEntry | undefined {
    const found = this.find();
    return found === own ? undefined : found;
  }

  /** Notes an entry. */
  put(entry: StoreEntry): void {
    this.#stores.set(this.#key, entry);
  }

  /** Removes an entry, unless another one has replaced it. */
  remove(entry: StoreEntry): void {
    if (this.find() === entry) this.#stores.delete(this.#key);
  }
}
