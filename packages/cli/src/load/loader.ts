/**
 * Fills a store from a dump or an import. All sources share the same care:
 *
 * 1. A source that can be read twice is checked first: a bad line changes nothing.
 * 2. A store that is not empty asks, because keys that are in both get new values.
 * 3. Entries are written in batches, in their order. So what a kill leaves is the first part of the
 *    source, and the same command goes on after it (marker.ts).
 * 4. If the load made the store and fails, it removes it again.
 */

import { Buffer } from "node:buffer";
import { existsSync } from "node:fs";
import { readdir, rm } from "node:fs/promises";
import { destroy, type EmbeddedBatch, StoreError } from "@tinykvs/core";
import type { Context } from "../context.ts";
import { CommandError, EXIT, type ExitCode, type InputError } from "../errors.ts";
import { describeFailure } from "../failures.ts";
import { escapeControls } from "../text/escape.ts";
import { countOf, countText, durationText } from "../text/numbers.ts";
import type { StoredEntry } from "../values/json_form.ts";
import { isSameMark, type LoadMark, readMark, removeMark, writeMark } from "./marker.ts";

const BATCH_BYTES = 1024 * 1024;
/** Bad lines that are shown one by one. */
const SHOWN_PROBLEMS = 20;

/** What to load. */
export interface LoadJob {
  /** The name of the source for people. */
  readonly name: string;
  /** For the progress; undefined if nobody knows. */
  readonly sizeBytes: number | undefined;
  /** Whether `entries` may be called twice. */
  readonly isRepeatable: boolean;
  /** How to recognise the source if the command is repeated. */
  readonly mark: LoadMark | undefined;
  /** Whether bad lines are left out, and do not end the load. */
  readonly keepGoing: boolean;
  /** The entries, in groups. `onBad` throws if bad lines are to end it. */
  entries(
    onBad: (error: InputError) => void,
    onBytes: (bytes: number) => void,
  ): AsyncIterable<readonly StoredEntry[]>;
}

/** What was found when the source was read. */
interface Content {
  entries: number;
  /** Those of the entries that expired before they were read. */
  expired: number;
  problems: number;
  /** Whether every key is larger than the one before. */
  isSorted: boolean;
}

/** Runs a load, and shows what it did. */
export async function load(context: Context, job: LoadJob): Promise<ExitCode> {
  const { output, settings, store } = context;
  const startedMs = context.terminal.now();
  let content: Content | undefined;
  if (job.isRepeatable || settings.dryRun) {
    content = await read(context, job, "checking", settings.dryRun, () => {});
  }
  if (settings.dryRun) {
    const { entries, expired, problems } = content!;
    await output.result(
      { wouldLoad: entries - expired, expired, problems },
      `would load ${countOf(entries - expired, "entry", "entries")} into ${
        escapeControls(store.path)
      }${leftOutText(expired, problems)}`,
    );
    return problems > 0 ? EXIT.damage : EXIT.ok;
  }
  const target = await look(context, job);
  if (target.isFilled && !target.isContinued) {
    const what = content === undefined
      ? "entries"
      : countOf(content.entries - content.expired, "entry", "entries");
    await context.prompt.confirm(
      `This loads ${what} into ${store.path}, which is not empty; keys in both get new values`,
    );
  }
  const { loaded, skipped, expired, problems } = await fill(
    context,
    job,
    target,
    content,
  );
  const seconds = (context.terminal.now() - startedMs) / 1000;
  const continued = skipped === 0 ? "" : `, ${countText(skipped)} were there already`;
  await output.result(
    { loaded, skipped, expired, problems, seconds },
    `loaded ${countOf(loaded, "entry", "entries")}${continued}${leftOutText(expired, problems)}` +
      output.paint("dim", `  ${durationText(seconds)}`),
  );
  return problems > 0 ? EXIT.damage : EXIT.ok;
}

function leftOutText(expired: number, problems: number): string {
  const over = expired === 0 ? "" : `, left out ${countText(expired)} that expired`;
  return problems === 0 ? over : `${over}, left out ${countOf(problems, "bad line")}`;
}

/** What is known about the store before the load. */
interface Target {
  /** Whether there is a directory. */
  readonly hasDirectory: boolean;
  readonly isStore: boolean;
  readonly isFilled: boolean;
  /** Whether an earlier run of the same load has begun to fill it. */
  readonly isContinued: boolean;
}

async function look({ store }: Context, job: LoadJob): Promise<Target> {
  const hasDirectory = existsSync(store.path);
  try {
    await using lease = await store.read();
    const isFilled = (await lease.store.keys({ limit: 1 }).toArray()).length > 0;
    const isContinued = isFilled &&
      isSameMark(await readMark(store.path), job.mark);
    return { hasDirectory, isStore: true, isFilled, isContinued };
  } catch (error) {
    if (!(error instanceof StoreError) || error.code !== "NOT_A_STORE") {
      throw error;
    }
    return {
      hasDirectory,
      isStore: false,
      isFilled: false,
      isContinued: false,
    };
  }
}

/** Writes the entries; what it made, it removes if it fails. */
async function fill(
  context: Context,
  job: LoadJob,
  target: Target,
  content: Content | undefined,
): Promise<{ loaded: number; skipped: number; expired: number; problems: number }> {
  const { store, signal, terminal } = context;
  let loaded = 0;
  let skipped = 0;
  let expired = 0;
  let isInterrupted = false;
  const isMarked = job.mark !== undefined &&
    (!target.isFilled || target.isContinued);
  try {
    await using lease = await store.write({
      createIfMissing: true,
      walSync: "none",
    });
    if (isMarked) await writeMark(store.path, job.mark!);
    // What an earlier run has written is the first part of the source, in its order.
    const [last] = target.isContinued && content?.isSorted === true
      ? await lease.store.keys({ reverse: true, limit: 1 }).toArray()
      : [];
    let batch: EmbeddedBatch = lease.store.batch();
    let waiting = 0;
    const write = async (): Promise<void> => {
      await batch.write();
      loaded += waiting;
      waiting = 0;
      batch = lease.store.batch();
    };
    const { problems } = await read(
      context,
      job,
      "loading",
      true,
      async (group) => {
        for (const entry of group) {
          if (last !== undefined && Buffer.compare(entry.key, last) <= 0) {
            skipped++;
            continue;
          }
          if (isOver(entry, terminal.now())) {
            expired++;
            continue;
          }
          add(batch, entry);
          waiting++;
          if (batch.sizeBytes >= BATCH_BYTES) await write();
        }
      },
      content?.entries,
    );
    await write();
    await lease.store.sync();
    if (isMarked) await removeMark(store.path);
    return { loaded, skipped, expired, problems };
  } catch (error) {
    isInterrupted = signal.aborted;
    if (isInterrupted && isMarked) {
      const so = `${countOf(loaded, "entry", "entries")} are in the store`;
      throw new CommandError(
        EXIT.interrupted,
        `Interrupted: ${so}`,
        "The same command goes on.",
      );
    }
    if (!target.isStore) {
      await removeMade(store.path, target.hasDirectory);
      throw error;
    }
    throw loaded === 0 ? error : partly(error, loaded);
  }
}

/** Adds an entry to a batch. */
function add(
  batch: EmbeddedBatch,
  { key, value, expiresAt }: StoredEntry,
): void {
  if (expiresAt === undefined) batch.put(key, value);
  else batch.put(key, value, { expiresAt });
}

/**
 * Whether an entry has expired since it was written to the source. Such an entry is left out, as
 * if the source were made now; to put it would delete the key.
 */
function isOver({ expiresAt }: StoredEntry, now: number): boolean {
  return expiresAt !== undefined && expiresAt <= now;
}

/** The error of a load into a store that was there before, with what it has left. */
function partly(error: unknown, loaded: number): unknown {
  const failure = describeFailure(error);
  if (failure === undefined) return error;
  const { exitCode, message } = failure;
  return new CommandError(
    exitCode,
    `${message}; ${countOf(loaded, "entry", "entries")} are in the store`,
    "To load the same input again does no harm.",
    { cause: error },
  );
}

/** Removes the store that a failed load has made. */
async function removeMade(
  directory: string,
  hadDirectory: boolean,
): Promise<void> {
  try {
    await removeMark(directory);
    await destroy(directory);
    if (hadDirectory) return;
    // What is left is the file of the lock. Another file would be somebody else's.
    const isLeftover = (name: string): boolean => /^LOCK/.test(name);
    if ((await readdir(directory)).every(isLeftover)) {
      await rm(directory, { recursive: true });
    }
  } catch {
    // The reason of the failure is what the person has to know.
  }
}

/** Reads the whole source, with progress. */
async function read(
  context: Context,
  job: LoadJob,
  title: string,
  showsProblems: boolean,
  take: (group: readonly StoredEntry[]) => Promise<void> | void,
  totalItems?: number,
): Promise<Content> {
  const { signal, terminal } = context;
  using bar = context.progress(title);
  const content: Content = { entries: 0, expired: 0, problems: 0, isSorted: true };
  let doneBytes = 0;
  let last: Uint8Array | undefined;
  const onBad = (error: InputError): void => {
    if (!job.keepGoing) throw error;
    content.problems++;
    if (!showsProblems || content.problems > SHOWN_PROBLEMS) return;
    void terminal.err.write(`tinykvs: ${escapeControls(error.message)}\n`);
  };
  for await (const group of job.entries(onBad, (bytes) => doneBytes = bytes)) {
    signal.throwIfAborted();
    const now = terminal.now();
    for (const entry of group) {
      const { key } = entry;
      if (isOver(entry, now)) content.expired++;
      if (last !== undefined && Buffer.compare(last, key) >= 0) {
        content.isSorted = false;
      }
      last = key;
    }
    content.entries += group.length;
    await take(group);
    bar.update({
      doneBytes,
      totalBytes: job.sizeBytes,
      items: content.entries,
      totalItems,
    });
  }
  return content;
}
