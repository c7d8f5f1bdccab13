/**
 * `open` with `shared: true`: finds the store that this process already has open, or opens it for
 * all later callers. The copy of the library that has opened the store makes all handles, so that
 * only one copy works on a store.
 */

import { LockedError, StoreError } from "../errors.ts";
import type { ResolvedOptions } from "../options.ts";
import type { StoreParts } from "./closing.ts";
import { SharedStore } from "./shared_store.ts";
import { EmbeddedStore } from "./store.ts";
import type { StoreEntry, StorePlace } from "./store_registry.ts";

/** What a caller wants to open. */
export interface SharedRequest {
  /** The store's directory. */
  readonly directory: string;
  /** Every option. */
  readonly options: ResolvedOptions;
  /** The directory's place in the registry. */
  readonly place: StorePlace;
}

/** Options of one call of `open`, and not of the store. */
const OF_THE_CALL: ReadonlySet<string> = new Set([
  "createIfMissing",
  "errorIfExists",
  "fileSystem",
  "lockTimeoutMs",
  "shared",
]);

/**
 * Opens a shared store, or takes one more handle on it. `openParts` is called if it is not open.
 */
export async function openShared(
  request: SharedRequest,
  openParts: (entry: StoreEntry) => Promise<StoreParts>,
): Promise<EmbeddedStore> {
  const { place } = request;
  for (;;) {
    const entry = sharedEntry(request);
    if (entry === undefined) {
      const shared = newEntry(request);
      // Later callers wait for the same opening.
      if (place.find() === undefined) place.put(shared);
      try {
        shared.opening = openParts(shared);
        shared.started(await shared.opening);
        return shared.handle() as EmbeddedStore;
      } catch (error) {
        place.remove(shared);
        // A handle that is not shared was in the way, and another caller who waited for its end was
        // faster.
        if (!(error instanceof LockedError) || sharedEntry(request) === undefined) throw error;
      }
    } else if (entry.opening !== undefined) await entry.opening;
    else if (entry.closing !== undefined) await entry.closing;
    else if (entry.hasFailed) await entry.giveUp();
    else return entry.handle() as EmbeddedStore;
  }
}

/** As `openShared`. */
export function openSharedSync(
  request: SharedRequest,
  openParts: (entry: StoreEntry) => StoreParts,
): EmbeddedStore {
  const entry = sharedEntry(request);
  if (entry?.opening !== undefined) throw busy(request, "opening");
  if (entry?.closing !== undefined) throw busy(request, "closing");
  if (entry?.hasFailed) entry.giveUpSync();
  else if (entry !== undefined) return entry.handle() as EmbeddedStore;
  const shared = newEntry(request);
  shared.started(openParts(shared));
  return shared.handle() as EmbeddedStore;
}

/** The shared store that is open, after a check that it is what the caller asks for. */
function sharedEntry({ directory, options, place }: SharedRequest): StoreEntry | undefined {
  if (place.otherVersion !== undefined) {
    throw new StoreError(
      "UNSUPPORTED_FORMAT",
      `Cannot share "${directory}": another copy of this library in the process keeps its stores in ` +
        `form ${place.otherVersion}, this one in form 1; load one version only`,
    );
  }
  const entry = place.find();
  if (entry === undefined || !entry.isShared) return undefined;
  if (options.errorIfExists) {
    throw new StoreError("ALREADY_EXISTS", `Cannot create a store in "${directory}": one exists`);
  }
  const wanted = agreedOptions(options);
  for (const name of new Set([...Object.keys(wanted), ...Object.keys(entry.options)])) {
    if (Object.is(wanted[name], entry.options[name])) continue;
    throw new TypeError(
      `Cannot share "${directory}": "${name}" is ${
        String(wanted[name])
      }, and the store is open with ` +
        String(entry.options[name]),
    );
  }
  return entry;
}

function newEntry({ options }: SharedRequest): SharedStore {
  return new SharedStore(agreedOptions(options), (parts, share) => new EmbeddedStore(parts, share));
}

/** The options on which all handles must agree: values that code without our types can compare. */
function agreedOptions(options: ResolvedOptions): Record<string, unknown> {
  return Object.fromEntries(Object.entries(options).filter(([name]) => !OF_THE_CALL.has(name)));
}

function busy({ directory }: SharedRequest, what: string): LockedError {
  return new LockedError(directory, `this process, which is ${what} it asynchronously`);
}

/**
 * The error for a directory that this process itself has locked, which says what to do about it;
 * `error` unchanged if another process has it. `own` is the caller's entry.
 */
export function lockedHere(
  error: LockedError,
  { directory, options, place }: SharedRequest,
  own: StoreEntry,
): LockedError {
  const entry = place.findOther(own);
  if (entry === undefined) return error;
  const holder = error.holder.startsWith("this process")
    ? error.holder
    : `this process, by ${error.holder}`;
  const advice = options.shared
    ? "that handle was opened without { shared: true }"
    : entry.isShared
    ? "that handle is shared: open this one with { shared: true }, too"
    : "close that handle, or open it every time with { shared: true }";
  return new LockedError(directory, holder, { cause: error }, advice);
}
