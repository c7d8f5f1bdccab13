/** `info`: where a key is. */

import type { KeyPlace } from "@tinykvs/core";
import { type Command, command } from "../command.ts";
import { EXIT } from "../errors.ts";
import type { Column } from "../output/rows.ts";
import { bytesText, countOf, timeText } from "../text/numbers.ts";
import { escapeControls } from "../text/escape.ts";
import { expiryText } from "../values/times.ts";
import { parseKey } from "../values/literal_parser.ts";
import { keyText, literalOf } from "../values/literal_text.ts";

export const infoCommand: Command = command({
  name: "info",
  summary: "Shows which memtable, table and block hold a key, and its versions.",
  usage: "KEY",
  arity: [1, 1],
  options: {},
  details:
    `The newest version is the first row. The tables that were searched and do not hold the key are
shown, too: whether their filter knew that, or a block had to be read.`,
  examples: [[
    "./db info user:1",
    "where is it, and how many versions has it?",
  ]],
  async run({ store: access, output }, { args }) {
    const key = parseKey(args[0]!);
    await using lease = await access.read();
    const { store } = lease;
    const places = await store.locate(key);
    const entry = await store.getEntry(key);
    const { value, expiresAt } = entry ?? {};
    const newest = places.find(({ type }) => type !== undefined);
    // A locate shows what is stored. Neither a time nor a deleted range changes that.
    const isHidden = value === undefined && newest !== undefined && newest.type !== "tombstone";
    const versions = places.filter((place) => place.type !== undefined).length;
    if (output.isForPeople) {
      const shown = value !== undefined
        ? literalOf(value, 60)
        : isHidden
        ? "no value: it has expired, or its range was deleted"
        : "no value";
      const name = output.paint("key", escapeControls(keyText(key, 200)));
      const isCut = shown.length >= 60 ? "…" : "";
      const expiry = expiresAt === undefined
        ? ""
        : output.paint("dim", `  expires ${expiryText(expiresAt)}`);
      await output.stream.write(
        `${name}  ${escapeControls(shown.slice(0, 60))}${isCut}${expiry}\n`,
      );
    }
    const sink = output.rows(columns);
    for (const place of places) {
      const time = place === newest && expiresAt !== undefined ? { expiresAt } : {};
      await sink.write({ ...place, ...time });
    }
    const asOf = lease.asOf === undefined ? "" : `, as of ${timeText(lease.asOf)}`;
    const tables = places.filter(({ place }) => place === "table").length;
    await sink.end(
      `${countOf(versions, "version")}; searched ${
        countOf(tables, "table")
      } of ${store.tables().length}${asOf}`,
    );
    return value === undefined ? EXIT.notFound : EXIT.ok;
  },
});

const columns: readonly Column<KeyPlace>[] = [
  {
    name: "where",
    text: (place) =>
      place.place === "table"
        ? `L${place.level} ${place.file}`
        : place.isFrozen
        ? "memtable that waits for its flush"
        : "memtable",
    style: () => "key",
    jsonMembers: (place) => JSON.stringify(place).slice(1, -1),
  },
  {
    name: "answer",
    text: (place) => {
      if (place.type === "tombstone") return "deleted";
      if (place.type !== undefined) return place.type;
      return place.place === "table" && place.answer === "filtered"
        ? "not there: filter"
        : "not there: block";
    },
    style: ({ type }) => type === undefined ? "dim" : type === "tombstone" ? "warning" : "good",
    jsonMembers: () => "",
  },
  {
    name: "value",
    align: "right",
    text: ({ type, valueBytes }) =>
      type === undefined || type === "tombstone" ? "" : bytesText(valueBytes ?? 0),
    jsonMembers: () => "",
  },
  {
    name: "at",
    text: (place) =>
      place.place !== "table"
        ? `write ${place.sequence}`
        : place.block === undefined
        ? ""
        : `${place.block + 1} of ${place.blocks}, ${bytesText(place.blockBytes!)}${
          place.wasCached ? ", cached" : ""
        }`,
    style: () => "dim",
    flexible: true,
    jsonMembers: () => "",
  },
];
