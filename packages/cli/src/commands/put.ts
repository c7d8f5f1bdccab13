/** `put`: stores a value. */

import { Buffer } from "node:buffer";
import type { Value } from "@tinykvs/core";
import { type Command, command } from "../command.ts";
import { UsageError } from "../errors.ts";
import type { Input } from "../terminal.ts";
import { toText } from "../values/bytes.ts";
import { parseKey, parseValue, type TypeChoice, typeChoices } from "../values/literal_parser.ts";
import { keyText, literalOf } from "../values/literal_text.ts";
import { typeOf } from "../values/kinds.ts";
import { expiryOf, expiryText } from "../values/times.ts";
import { SMALL_WRITE } from "../store_access.ts";

export const putCommand: Command = command({
  name: "put",
  summary: "Stores a value under a key.",
  usage: "KEY VALUE",
  arity: [2, 2],
  options: {
    type: {
      value: "TYPE",
      short: "t",
      choices: typeChoices,
      help: "what VALUE is",
    },
    ttl: { value: "TIME", help: "how long it lasts: 10m, 500ms, or milliseconds" },
    "expires-at": { value: "TIME", help: "until when it lasts: ISO 8601, or ms since 1970" },
    create: { help: "make the store if there is none" },
  },
  details: `A VALUE that looks like a literal is one: 30n is an int64, 2.5 a float64, true a bool,
"text" a string, x'00ff' bytes, {"a": [1, 2n]} a record. Other text is a string. Write "-" to read
the value from standard input: as bytes, or as text of the --type that you give.
A value with --ttl (units: ms, s, m, h, d) or --expires-at is gone from that time on. A put without
them removes the time that the key had. A date without a time of day is in UTC, and a time without a
zone in that of this machine. Older programs cannot read a store while it has values that expire.`,
  examples: [
    ["./db put name Alice", "a string"],
    ["./db put age 30n", "an int64; 30 is a float64"],
    ["./db put zip 01234 --type string", "a string of digits"],
    ["./db put session abc --ttl 30m", "a value that expires"],
    [`./db put user:1 '{"name": "Alice", "age": 30}'`, "a record"],
    ["./db put photo - < photo.jpg", "bytes from a file"],
  ],
  async run({ store, output, settings, terminal }, { args, options }) {
    const key = parseKey(args[0]!);
    const type = options.type as TypeChoice | undefined;
    const value = args[1] === "-"
      ? await readValue(terminal.input, type)
      : parseValue(args[1]!, type);
    const expiresAt = expiryOf(options, terminal.now());
    if (settings.dryRun) {
      const shown = `${keyText(key, 60)} = ${literalOf(value, 60)}`;
      await output.result(
        {
          wouldPut: keyText(key),
          type: typeOf(value),
          ...(expiresAt === undefined ? {} : { expiresAt }),
        },
        `would store ${shown} (${typeOf(value)}${
          expiresAt === undefined ? "" : `, expires ${expiryText(expiresAt)}`
        })`,
      );
      return;
    }
    await using lease = await store.write({
      createIfMissing: options.create === true,
      ...SMALL_WRITE,
    });
    await lease.store.put(key, value, expiresAt === undefined ? {} : { expiresAt });
  },
});

async function readValue(
  input: Input,
  type: TypeChoice | undefined,
): Promise<Value> {
  const parts: Uint8Array[] = [];
  for await (const part of input.chunks()) parts.push(part);
  const bytes = new Uint8Array(Buffer.concat(parts));
  if (type === undefined) return bytes;
  const text = toText(bytes);
  if (text === undefined) {
    throw new UsageError(
      "The standard input is not UTF-8",
      "Leave out --type.",
    );
  }
  // The line feed at the end is from `echo`. A string keeps it.
  return parseValue(
    type === "string" ? text : text.replace(/\r?\n$/, ""),
    type,
  );
}
