/**
 * The sessions of the documents: each line after "$ tinykvs" is run, and has to show what the
 * document says. Times, durations and sizes may differ. "$ cat FILE" makes the file that it shows.
 */

import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import * as path from "node:path";
import process from "node:process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { run } from "./support/cli.ts";
import { temporaryFolder } from "./support/temporary.ts";

const folder = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const documents = [
  "README.md",
  ...readdirSync(path.join(folder, "docs")).sort().map((name) => `docs/${name}`),
];

/** A line that was typed, and what it shows. */
interface Step {
  readonly typed: string;
  readonly shown: string;
}

/** The sessions of a document: its blocks of "console". */
function sessionsOf(text: string): Step[][] {
  return [...text.matchAll(/^```console\n(.*?)^```$/gms)].map(([, block]) =>
    block!.split(/^\$ /m).slice(1).map((part) => {
      const end = part.indexOf("\n");
      return { typed: part.slice(0, end), shown: part.slice(end + 1) };
    })
  );
}

/** The words of a line, as a shell splits it. */
function wordsOf(line: string): string[] {
  return [...line.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)].map((found) =>
    found[1] ?? found[2] ?? found[3]!
  );
}

/** Without what differs from run to run. */
function comparable(text: string): string {
  return text.replaceAll(/\d\d:\d\d:\d\d/g, "TIME")
    .replaceAll(/(?:\d+ min )?\d+(?:\.\d+)? m?s$/gm, "DURATION")
    .replaceAll(/\d+(?:\.\d)? (?:B|KB)\b/g, "SIZE")
    .replaceAll(/[ \t]+$/gm, "");
}

for (const name of documents) {
  test(`Every session of ${name} shows what its commands show`, async () => {
    const sessions = sessionsOf(readFileSync(path.join(folder, name), "utf8"));
    using temporary = temporaryFolder();
    const before = process.cwd();
    process.chdir(temporary.path);
    try {
      mkdirSync("backups");
      for (const { typed, shown } of sessions.flat()) {
        const [command, ...words] = wordsOf(typed);
        if (command === "cat") {
          writeFileSync(words[0]!, shown);
          continue;
        }
        assert.equal(command, "tinykvs", typed);
        const surroundings = {
          terminal: true,
          columns: 80,
          answers: ["y"],
          environment: { NO_COLOR: "1" },
        };
        const ran = await run(words, surroundings);
        // The line of the progress bar is gone when the command ends.
        // deno-lint-ignore no-control-regex
        const err = ran.err.replaceAll(/\r\x1b\[K[^\r]*(?=\r)|\r\x1b\[K/g, "");
        // An answer is typed after the question, on its line.
        const all = err.replace(/(\[y\/N\] )/, "$1y\n") + ran.out;
        assert.equal(comparable(all), comparable(shown), typed);
      }
    } finally {
      process.chdir(before);
    }
  });
}
