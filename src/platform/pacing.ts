/**
 * How long work may hold the event loop at a time, and how far apart its pauses are.
 * ARCHITECTURE.md ("How work is paused") has the protocols.
 */

/**
 * While a store is in use: background work, checkpoints, waking of readers, calls that await
 * nothing.
 */
export const SLICE_MS = 1.5;

/** While a store is being opened or closed: nobody waits for its answers. */
export const OPENING_SLICE_MS = 2;

/** In the worker thread: how long a new flush may wait for a merge. */
export const WORKER_SLICE_MS = 2;

/**
 * Entries that a flush, a merge or a copy handles between two points where it may pause: 30 to 100
 * µs.
 */
export const ENTRIES_PER_PAUSE = 32;
