/**
 * LevelDB directories, by the package classic-level, which is optional: it has a native part.
 *
 * LevelDB cannot open a directory without writing to it. So an import reads a mirror in the
 * temporary folder: tables are linked, because nothing changes them, and the other files are
 * copied. The directory itself stays as it is, also if somebody has it open.
 */

import { copyFile, link, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { CommandError, EXIT, InputError } from "../errors.ts";
import type { StoredEntry } from "../values/json_form.ts";
import { valueBytes } from "../output/entry_columns.ts";
import { type BytesAs, valueOfBytes } from "./bytes_as.ts";

const GROUP = 512;
const WRITE_GROUP = 256;

/** The part of classic-level that is used. */
interface Level {
  open(): Promise<void>;
  close(): Promise<void>;
  iterator(): {
    nextv(count: number): Promise<[Uint8Array, Uint8Array][]>;
    close(): Promise<void>;
  };
  batch(operations: readonly unknown[]): Promise<void>;
}

/** The entries of a LevelDB directory. */
export async function* levelEntries(
  directory: string,
  bytesAs: BytesAs,
  onBad: (error: InputError) => void,
): AsyncGenerator<StoredEntry[]> {
  const mirror = await mirrorOf(directory);
  try {
    const level = await openLevel(
      mirror,
      { createIfMissing: false },
      directory,
    );
    const iterator = level.iterator();
    try {
      while (true) {
        const pairs = await iterator.nextv(GROUP);
        if (pairs.length === 0) return;
        const group: StoredEntry[] = [];
        for (const [key, bytes] of pairs) {
          try {
            group.push({ key, value: valueOfBytes(bytes, bytesAs) });
          } catch (error) {
            if (!(error instanceof InputError)) throw error;
            onBad(
              new InputError(
                `The key ${String(key).slice(0, 60)}: ${error.message}`,
              ),
            );
          }
        }
        yield group;
      }
    } finally {
      await iterator.close();
      await level.close();
    }
  } catch (error) {
    const { code, message, cause } = error as NodeJS.ErrnoException;
    if (code?.startsWith("LEVEL_") !== true && !/Corruption:/.test(message)) {
      throw error;
    }
    const reason = cause instanceof Error ? cause.message : message;
    throw new InputError(`"${directory}" is no sound LevelDB: ${reason}`);
  } finally {
    await rm(mirror, { recursive: true, force: true });
  }
}

/** Writes entries to a new LevelDB directory: text and bytes as they are, others as literals. */
export async function writeLevel(
  batches: AsyncIterable<readonly StoredEntry[]>,
  directory: string,
  onEntry: (bytes: number) => void,
): Promise<void> {
  const level = await openLevel(directory, { errorIfExists: true }, directory);
  try {
    for await (const batch of batches) {
      for (let at = 0; at < batch.length; at += WRITE_GROUP) {
        const operations = batch.slice(at, at + WRITE_GROUP).map(
          ({ key, value }) => {
            const bytes = valueBytes(value, "raw");
            onEntry(key.length + bytes.length);
            return { type: "put", key, value: bytes };
          },
        );
        await level.batch(operations);
      }
    }
  } finally {
    await level.close();
  }
}

async function openLevel(
  directory: string,
  options: Readonly<Record<string, unknown>>,
  shown: string,
): Promise<Level> {
  const level = await newLevel(directory, options);
  try {
    await level.open();
  } catch (error) {
    const cause = (error as Error).cause as Error | undefined;
    throw new InputError(
      `Cannot open "${shown}" as LevelDB: ${cause?.message ?? (error as Error).message}`,
    );
  }
  return level;
}

async function newLevel(
  directory: string,
  options: Readonly<Record<string, unknown>>,
): Promise<Level> {
  try {
    const { ClassicLevel } = await import("classic-level");
    return new ClassicLevel(directory, {
      keyEncoding: "view",
      valueEncoding: "view",
      ...options,
    }) as unknown as Level;
  } catch (error) {
    throw new CommandError(
      EXIT.refused,
      "LevelDB needs the package classic-level, which is not here",
      "Install it beside this command: npm install classic-level. The compiled file has none.",
      { cause: error },
    );
  }
}

async function mirrorOf(directory: string): Promise<string> {
  const names = await readdir(directory);
  const mirror = await mkdtemp(path.join(tmpdir(), "tinykvs-leveldb-"));
  for (const name of names) {
    if (name === "LOCK" || name.startsWith("LOG")) continue;
    const from = path.join(directory, name);
    const to = path.join(mirror, name);
    const isTable = /\.(?:ldb|sst)$/.test(name);
    // Another disk cannot link.
    if (!isTable || !await link(from, to).then(() => true, () => false)) {
      await copyFile(from, to);
    }
  }
  return mirror;
}
