/**
 * The TypeScript blocks of documents as programs: a comment after a `console.log` says what it must
 * print, one line, or several with " | " between them.
 */

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { temporaryDirectory } from "./temporary.ts";

const output = Symbol.for("output of an example of a document");
const printed = globalThis as unknown as Record<symbol, string[]>;

/** The text of a document, by its path in the repository. */
export function readDocument(path: string): string {
  return readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");
}

/** The TypeScript blocks of a text. */
export function examplesOf(text: string): string[] {
  return [...text.matchAll(/^```ts\n([^]*?)^```$/gm)].map(([, code]) => code!);
}

/**
 * The JavaScript blocks of a text, which import other packages: `deno check` must not look for
 * those.
 */
export function foreignExamplesOf(text: string): string[] {
  return [...text.matchAll(/^```js ignore\n([^]*?)^```$/gm)].map(([, code]) => code!);
}

/** What the comments say that an example prints. */
export function expectedOutput(code: string): string[] {
  return code.split("\n").filter((line) => line.includes("console.log(")).flatMap((line) => {
    const comment = /\); \/\/ (.*)$/.exec(line);
    assert.ok(comment !== null, `nothing says what this prints: ${line}`);
    return comment[1]!.split(" | ");
  });
}

/**
 * The example with its imports led to this tree, its directories to `directory`, its output to us.
 */
function runnable(
  code: string,
  directory: string,
  packages: Readonly<Record<string, string>>,
): string {
  const resolved = code
    .replaceAll(/from "@tinykvs\/core(?:\/(\w+))?"/g, (_, entry) => {
      const source = new URL(`../../${entry ?? "mod"}.ts`, import.meta.url);
      return `from "${source}"`;
    })
    .replaceAll(
      `from "@msgpack/msgpack"`,
      () => `from "${import.meta.resolve("@msgpack/msgpack")}"`,
    )
    .replaceAll(/from "([a-z][\w-]*)"/g, (text, name) => {
      const address = packages[name];
      return address === undefined ? text : `from "${address}"`;
    })
    .replaceAll(/"\.\/(mydb[\w-]*)"/g, (_, name) => JSON.stringify(join(directory, name)));
  const print =
    `(...parts) => globalThis[Symbol.for("${output.description}")].push(format(...parts));`;
  return `import { format } from "node:util";\nconst print = ${print}\n` +
    resolved.replaceAll("console.log(", "print(");
}

/** What an example may need besides this tree. */
export interface ExampleNeeds {
  /** Addresses of packages that are installed elsewhere. */
  readonly packages?: Readonly<Record<string, string>>;
  /** Makes what is there before it runs. */
  readonly prepare?: (directory: string) => Promise<void>;
}

/** Runs an example in its own directory and compares what it prints with its comments. */
export async function checkExample(
  code: string,
  name: string,
  { packages = {}, prepare }: ExampleNeeds = {},
): Promise<void> {
  const temporary = temporaryDirectory("document");
  try {
    await prepare?.(temporary.path);
    const file = join(temporary.path, `${name}.mts`);
    writeFileSync(file, runnable(code, temporary.path, packages));
    printed[output] = [];
    await import(pathToFileURL(file).href);
    assert.deepEqual(printed[output], expectedOutput(code));
  } finally {
    delete printed[output];
    temporary.dispose();
  }
}
