/**
 * The mark of an unfinished load: a small file in the directory of the store. The same command
 * finds it and goes on. It exists only while a load fills a store that was empty.
 */

import { readFile, rm, writeFile } from "node:fs/promises";
import * as path from "node:path";

const NAME = "tinykvs-load.json";

/** What is being loaded, so that another source is not taken for the same. */
export interface LoadMark {
  readonly source: string;
  readonly sizeBytes: number;
  readonly modifiedMs: number;
}

/** The mark in a directory; undefined if there is none that can be read. */
export async function readMark(
  directory: string,
): Promise<LoadMark | undefined> {
  try {
    return JSON.parse(await readFile(path.join(directory, NAME), "utf8"));
  } catch {
    return undefined;
  }
}

/** Whether two marks are of the same source. */
export function isSameMark(
  a: LoadMark | undefined,
  b: LoadMark | undefined,
): boolean {
  return a !== undefined && b !== undefined && a.source === b.source &&
    a.sizeBytes === b.sizeBytes && a.modifiedMs === b.modifiedMs;
}

/** Sets the mark. */
export async function writeMark(
  directory: string,
  mark: LoadMark,
): Promise<void> {
  await writeFile(path.join(directory, NAME), `${JSON.stringify(mark)}\n`);
}

/** Removes the mark. */
export async function removeMark(directory: string): Promise<void> {
  await rm(path.join(directory, NAME), { force: true });
}
