/** Snapshots of a Level database: those of the store. */

import { AbstractSnapshot } from "abstract-level";
import type { Reader, Snapshot } from "../../contract/reader.ts";
import type { Store } from "../../contract/store.ts";

/** What Level's class takes; its types do not say. */
type SnapshotConstructor = new (options: unknown) => AbstractSnapshot;
const Base: SnapshotConstructor = AbstractSnapshot as unknown as SnapshotConstructor;

/** A snapshot that `db.snapshot()` made. */
export class LevelSnapshot extends Base {
  readonly #store: Store;
  readonly #snapshot: Snapshot;

  /** Takes a snapshot of the store. */
  constructor(store: Store, options: unknown) {
    super(options);
    this.#store = store;
    this.#snapshot = store.snapshot();
  }

  /**
   * What to read from: the store, or the snapshot that the options of a read name.
   *
   * @throws {TypeError} it is a snapshot of something else
   */
  static readerOf(store: Store, snapshot: unknown): Reader {
    if (snapshot === undefined || snapshot === null) return store;
    if (
      typeof snapshot !== "object" || !(#store in snapshot) ||
      snapshot.#store !== store
    ) {
      throw new TypeError(
        'Cannot read: "snapshot" is not a snapshot of this database, or it was made before the ' +
          "database was opened again",
      );
    }
    // An iterator may be asked for when the snapshot is closed: Level's own error says so.
    snapshot.ref();
    snapshot.unref();
    return snapshot.#snapshot;
  }

  /** Called by Level when nothing uses the snapshot any more. */
  _close(): Promise<void> {
    this.#snapshot.close();
    return Promise.resolve();
  }
}
