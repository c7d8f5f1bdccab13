/**
 * The committed inputs: corpus/<decoder>/<name>. A name that begins with "valid" is decoded, one
 * that begins with "hostile" is refused; corpus/README.md explains each.
 */

import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** One of them. */
export interface CorpusInput {
  /** Its file name. */
  readonly name: string;
  /** Its content. */
  readonly bytes: Uint8Array;
  /** Whether it has to be decoded; else it has to be refused. */
  readonly isValid: boolean;
}

const folder = fileURLToPath(new URL("./corpus", import.meta.url));

/** The inputs of a decoder, by name. */
export function corpusOf(decoder: string): CorpusInput[] {
  const inputs: CorpusInput[] = [];
  for (const name of readdirSync(`${folder}/${decoder}`).sort()) {
    const isValid = name.startsWith("valid");
    if (!isValid && !name.startsWith("hostile")) {
      throw new Error(`the name "${name}" begins neither with "valid" nor with "hostile"`);
    }
    // A copy: a Buffer is not a plain Uint8Array.
    const bytes = Uint8Array.from(readFileSync(`${folder}/${decoder}/${name}`));
    inputs.push({ name, bytes, isValid });
  }
  return inputs;
}

/** The names of all decoders that have a folder. */
export function corpusFolders(): string[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory()).map(({ name }) => name).sort();
}
