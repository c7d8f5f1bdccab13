/** `delete`: removes keys. */

import { type Command, command } from "../command.ts";
import { CommandError, EXIT } from "../errors.ts";
import { SMALL_WRITE } from "../store_access.ts";
import { countOf } from "../text/numbers.ts";
import { parseKey } from "../values/literal_parser.ts";
import { keyText } from "../values/literal_text.ts";

export const deleteCommand: Command = command({
  name: "delete",
  summary: "Removes a key, or several at once.",
  usage: "KEY...",
  arity: [1, Infinity],
  options: {},
  details: "Several keys are removed together, or not at all. Exits with 1 if one was not there.",
  examples: [
    ["./db delete user:1", "one key"],
    ["./db delete a b c --dry-run", "which of these keys are there?"],
  ],
  async run({ store, output, settings }, { args }) {
    const keys = args.map(parseKey);
    await using lease = settings.dryRun ? await store.read() : await store.write(SMALL_WRITE);
    const present = await lease.store.hasMany(keys);
    const found = keys.filter((_, index) => present[index]);
    if (!settings.dryRun && found.length > 0) {
      const batch = lease.store.batch();
      for (const key of found) batch.delete(key);
      await batch.write();
    }
    const count = new Set(found.map((key) => keyText(key))).size;
    if (settings.dryRun) {
      await output.result(
        { wouldDelete: count },
        `would delete ${countOf(count, "key")}`,
      );
    } else if (count > 0) {
      await output.remark(`deleted ${countOf(count, "key")}`);
    }
    const missing = keys.filter((_, index) => !present[index]);
    if (missing.length > 0) {
      const names = missing.map((key) => keyText(key, 60)).join(", ");
      throw new CommandError(EXIT.notFound, `Not found: ${names}`);
    }
  },
});
