/** The snapshots of a Level database, which are snapshots of its store. */

import { AbstractSnapshot } from "abstract-level";
import type { Reader, Snapshot } from "../../contract/reader.ts";
import type { Store } from "../../contract/store.ts";

/** The arguments that Level's class takes. Its types do not declare them. */
type SnapshotConstructor = new (options: unknown) => AbstractSnapshot;
const Base: SnapshotConstructor = AbstractSnapshot as unknown as SnapshotConstructor;

/** A snapshot made by `db.snapshot()`. */
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
   * The reader for a call: the snapshot that its options name, or else the store.
   *
   * @throws {TypeError} it is not a snapshot of this database
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
    // The caller may ask for an iterator after closing the snapshot. These calls then throw Level's
    // own error.
    snapshot.ref();
    snapshot.unref();
    return snapshot.#snapshot;
  }

  /** Level calls it when nothing uses the snapshot any more. */
  _close(): Promise<void> {
    this.#snapshot.close();
    return Promise.resolve();
  }
}
