/** `destroy`: removes a store. */

import { readdir, stat } from "node:fs/promises";
import * as path from "node:path";
import { destroy } from "@tinykvs/core";
import { type Command, command } from "../command.ts";
import { escapeControls } from "../text/escape.ts";
import { bytesText, countOf } from "../text/numbers.ts";
import type { StoreAccess } from "../store_access.ts";

export const destroyCommand: Command = command({
  name: "destroy",
  summary: "Removes a store, with all its data.",
  usage: "",
  arity: [0, 0],
  options: {},
  needsClosedStore: true,
  details: `Removes the files of the store and no others. The directory stays, with the files of its
lock. Refuses while somebody has the store open.`,
  examples: [
    ["./db destroy --dry-run", "what would be lost"],
    ["./db destroy", "asks first"],
  ],
  async run({ store, output, prompt, settings }) {
    const { entries, bytes } = await contentOf(store);
    const content = entries === undefined
      ? bytesText(bytes)
      : `about ${countOf(entries, "entry", "entries")}, ${bytesText(bytes)}`;
    if (settings.dryRun) {
      const text = `would remove the store ${escapeControls(store.path)}: ${content}`;
      await output.result({
        wouldRemove: store.path,
        entries: entries ?? null,
        bytes,
      }, text);
      return;
    }
    await prompt.confirm(`This removes the store ${store.path}: ${content}`);
    await destroy(store.path);
    await output.result(
      { removed: store.path, entries: entries ?? null, bytes },
      `removed ${escapeControls(store.path)}`,
    );
  },
});

/** What is in the store. A damaged one does not say how many entries it has. */
async function contentOf(
  store: StoreAccess,
): Promise<{ entries: number | undefined; bytes: number }> {
  let bytes = 0;
  try {
    for (const name of await readdir(store.path)) {
      bytes += (await stat(path.join(store.path, name))).size;
    }
  } catch {
    // What is wrong with the directory, the store itself says below.
  }
  try {
    await using lease = await store.read();
    return { entries: lease.store.approximateSize().entries, bytes };
  } catch (error) {
    if ((error as { code?: string }).code === "NOT_A_STORE") throw error;
    return { entries: undefined, bytes };
  }
}
