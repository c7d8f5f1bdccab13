/**
 * A command line for notes, in one file. `bun build --compile examples/notes.ts` makes an
 * executable of it that needs no other file.
 *
 *     node examples/notes.ts ./notes add "buy milk"
 *     node examples/notes.ts ./notes list
 *     node examples/notes.ts ./notes done 1
 *
 * Without a command it shows how it works. Prints:
 *
 *     added 1
 *     added 2
 *     done 1
 *     2 call Bob
 */

import process from "node:process";
import { openSync } from "@tinykvs/core";

const [, , directory = "./notes", command, ...words] = process.argv;
const store = openSync(directory);
const keyOf = (number: number) => `note:${String(number).padStart(8, "0")}`;

function run(name: string, text: string): void {
  switch (name) {
    case "add": {
      const [last] = [...store.keys({ prefix: "note:", reverse: true, limit: 1 })];
      const number = last === undefined ? 1 : Number(String(last).slice(5)) + 1;
      store.putSync(keyOf(number), text);
      console.log(`added ${number}`);
      break;
    }
    case "list":
      for (const [key, value] of store.entries({ prefix: "note:" })) {
        console.log(`${Number(String(key).slice(5))} ${value}`);
      }
      break;
    case "done":
      store.deleteSync(keyOf(Number(text)));
      console.log(`done ${text}`);
      break;
    default:
      console.error(`unknown command "${name}": expected add, list or done`);
      process.exitCode = 2;
  }
}

if (command !== undefined) run(command, words.join(" "));
else {
  run("add", "buy milk");
  run("add", "call Bob");
  run("done", "1");
  run("list", "");
}
store.closeSync();
